"""The Redis store keeps the contract, as a user with the least rights that its guide names."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from tests.support.valkey import VALKEY, limited_url, shared_url
from yieldwire.stores.redis import RedisStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract, StoreHarness


def redis_store(clock: MovingClock) -> RedisStore:
    """Return a store that shares nothing with others."""
    return RedisStore(shared_url(), prefix=f"test-{uuid4().hex}", clock=clock)


class RedisHarness:
    """A Redis store on a clock of its own, with a prefix of its own on a server for all tests."""

    def __init__(self, binary: str = VALKEY) -> None:
        self._url, self._prefix = limited_url(binary), f"test-{uuid4().hex}"
        self.clock = MovingClock()
        self.store = self._opened()
        self.others: list[RedisStore] = []

    def _opened(self) -> RedisStore:
        return RedisStore(self._url, prefix=self._prefix, clock=self.clock)

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    async def another(self) -> RedisStore:
        self.others.append(self._opened())
        return self.others[-1]

    async def reopen(self) -> None:
        await self.store.close()
        self.store = self._opened()


class TestRedisStore(StoreContract):
    @pytest.fixture
    async def harness(self) -> AsyncIterator[StoreHarness]:
        harness = RedisHarness()
        yield harness
        for store in [harness.store, *harness.others]:
            await store.close()
