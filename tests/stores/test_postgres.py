"""The PostgreSQL store keeps the contract."""

from collections.abc import AsyncIterator

import pytest

from tests.support.postgres import dsn, empty_schema
from yieldwire.stores.postgres import PostgresStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract, StoreHarness


def postgres_store(clock: MovingClock) -> PostgresStore:
    """Return a store without runs."""
    return PostgresStore(dsn(), schema=empty_schema(), clock=clock)


class PostgresHarness:
    """A store on a clock of its own, in a schema that can be opened again."""

    def __init__(self) -> None:
        self._schema = empty_schema()
        self.clock = MovingClock()
        self.stores = [self._open()]

    def _open(self) -> PostgresStore:
        return PostgresStore(dsn(), schema=self._schema, clock=self.clock)

    @property
    def store(self) -> PostgresStore:
        return self.stores[0]

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    async def another(self) -> PostgresStore:
        self.stores.append(self._open())
        return self.stores[-1]

    async def reopen(self) -> None:
        await self.store.close()
        self.stores[0] = self._open()


class TestPostgresStore(StoreContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[StoreHarness]:
        harness = PostgresHarness()
        yield harness
        for store in harness.stores:
            await store.close()
