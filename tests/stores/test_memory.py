"""The memory store keeps the contract, and wakes readers by futures."""

import asyncio

import pytest

from yieldwire.run import Status
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract, StoreHarness
from yieldwire.testing.contract.harness import claimed, created, finish


class MemoryHarness:
    """A memory store on a clock of its own; it is lost with its process, so it stays open."""

    def __init__(self) -> None:
        self.clock = MovingClock()
        self.store = MemoryStore(clock=self.clock)

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    async def reopen(self) -> None:
        return


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def harness(self) -> StoreHarness:
        return MemoryHarness()


async def test_a_closed_store_leaves_nobody_waiting() -> None:
    store = MemoryStore()
    run = await created(store)

    async with asyncio.timeout(30), asyncio.TaskGroup() as group:
        group.create_task(store.wait(run.id, 0, timeout=600))
        await asyncio.sleep(0)
        await store.close()


async def test_the_store_tells_the_machines_time_by_default() -> None:
    store = MemoryStore()
    run = await claimed(store)

    await finish(store, run)

    ended = await store.get(run.id)
    assert ended.status is Status.COMPLETED
    assert ended.created_at <= (ended.ended_at or 0)
