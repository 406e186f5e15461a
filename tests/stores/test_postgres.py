"""The PostgreSQL store keeps the contract."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import psycopg
import pytest
from psycopg_pool import AsyncConnectionPool

from tests.support.postgres import dsn, empty_schema
from yieldwire.stores.postgres import PostgresStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract, StoreHarness
from yieldwire.testing.contract.appending import append_one
from yieldwire.testing.contract.harness import SOON, claimed, created


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


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the statements that are sent, by their first words."""
    sent = Counter[str]()
    execute: Any = psycopg.AsyncConnection.execute

    async def note(connection: Any, text: bytes | str, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        words = text.split() if isinstance(text, str) else text.decode().split()
        sent[" ".join(words[:3])] += 1
        return await execute(connection, text, *args, **named)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", note)
    return sent


@pytest.fixture
async def store() -> AsyncIterator[PostgresStore]:
    store = postgres_store(MovingClock())
    yield store
    await store.close()


async def test_what_many_runs_append_and_read_at_once_takes_few_statements(
    store: PostgresStore, statements: Counter[str]
) -> None:
    runs = [await claimed(store) for _ in range(50)]
    other = PostgresStore(dsn(), schema=store.schema)
    await other.sweep()
    statements.clear()

    for seq in range(1, 4):
        await asyncio.gather(*(append_one(store, run, after=seq - 1) for run in runs))
    pages = await asyncio.gather(*(other.read(run.id, 0) for run in runs))
    await asyncio.gather(*(store.heartbeat(run.id, fence=run.fence, lease=10) for run in runs))
    await other.close()

    assert [page[-1].last for page in pages] == 50 * [3]
    assert statements["WITH moved AS"] <= 2 * 3
    assert statements.total() < 20


async def test_a_store_closes_although_its_pool_loses_a_cancellation(
    store: PostgresStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psycopg's pool loses one that comes at the moment at which it lends a connection."""
    run, asked = await created(store), asyncio.Event()
    execute: Any = psycopg.AsyncConnection.execute
    getconn: Any = AsyncConnectionPool.getconn

    async def losing(pool: Any, *args: Any) -> Any:  # noqa: ANN401
        asked.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.1)
        return await getconn(pool, *args)

    async def note(connection: Any, text: bytes | str, *args: Any, **named: Any) -> Any:  # noqa: ANN401
        if text[:6] == b"LISTEN":
            monkeypatch.setattr(AsyncConnectionPool, "getconn", losing)
        return await execute(connection, text, *args, **named)

    monkeypatch.setattr(psycopg.AsyncConnection, "execute", note)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        reading = group.create_task(store.read(run.id, 0, wait=2 * SOON))
        await asked.wait()
        await store.close()

    assert [*reading.result()] == []
