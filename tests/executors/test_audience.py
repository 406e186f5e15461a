"""The readers of a run where it is executed: served in order, by nobody twice, and never stuck."""

import asyncio

from tests.support.runs import SOON
from yieldwire.executors.audience import AT_ONCE, Audience
from yieldwire.log.events import Block, EventType
from yieldwire.runs.outlet import Outlet
from yieldwire.runs.reader import Reader
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract.harness import chunks, claimed, ending


class Stage:
    """A run that is executed here, by a test."""

    def __init__(self) -> None:
        self.store, self.audience = MemoryStore(), Audience()

    async def begin(self) -> "Stage":
        self.run = await claimed(self.store)
        self.audience.begin(0, 10**6)
        return self

    async def write(self, first: int, size: int = 1) -> bool:
        """Append a block and publish it, as a writer does."""
        return await self.publish(chunks(self.run.id, first, size))

    async def publish(self, block: Block) -> bool:
        await self.store.append(self.run.id, block, after=block.first - 1, fence=self.run.fence)
        return self.audience.publish(block)

    def reader(self) -> Reader:
        return Reader(self.store, self.audience, MovingClock(), self.run.id)


async def turns(count: int = 5) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def seqs(blocks: list[Block]) -> list[int]:
    return [seq for block in blocks for seq in range(block.first, block.last + 1)]


class Sent(Outlet):
    """Sends every block to a list."""

    def __init__(self, heard: list[Block]) -> None:
        super().__init__()
        self.heard = heard

    def send(self, block: Block) -> bool:
        self.heard.append(block)
        return True


async def follow(reader: Reader, heard: list[Block], *, takes: bool) -> None:
    reader.begin(0, outlet=Sent(heard) if takes else None)
    async with reader:
        while (page := await reader.next(SOON)) is not None:
            heard.extend(page)


async def test_every_reader_hears_every_block_once_and_in_order() -> None:
    stage = await Stage().begin()
    logs: list[list[Block]] = [[] for _ in range(2 * AT_ONCE + 5)]

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        for index, heard in enumerate(logs):
            group.create_task(follow(stage.reader(), heard, takes=index % 3 > 0))
        await turns()
        for first in (1, 2, 3):  # without a turn in between
            await stage.write(first)
        await turns()
        await stage.write(4, 2)
        await stage.publish(ending(stage.run.id, 6))

    assert all(seqs(heard) == [1, 2, 3, 4, 5, 6] for heard in logs)


async def test_a_block_that_is_handed_over_is_the_one_that_was_appended() -> None:
    stage = await Stage().begin()
    reader = stage.reader()
    reader.begin(0)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        waiting = group.create_task(reader.next(SOON))
        await turns()
        block = chunks(stage.run.id, 1, 1)
        await stage.publish(block)

    (heard,) = [*(waiting.result() or ())]
    assert heard is block


async def test_a_reader_that_waits_when_the_attempt_is_over_goes_on_in_the_store() -> None:
    stage = await Stage().begin()
    heard: list[Block] = []
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(follow(stage.reader(), heard, takes=True))
        await turns()
        stage.audience.end()
        await turns()
        await stage.store.append(
            stage.run.id, chunks(stage.run.id, 1, 1), after=0, fence=stage.run.fence
        )
        await turns()
        await stage.store.append(
            stage.run.id, ending(stage.run.id, 2), after=1, fence=stage.run.fence
        )

    assert seqs(heard) == [1, 2]
    assert heard[-1].end is EventType.DONE


async def test_a_reader_that_has_read_ahead_of_what_is_published_hears_nothing_twice() -> None:
    stage = await Stage().begin()
    heard: list[Block] = []
    block = chunks(stage.run.id, 1, 1)
    await stage.store.append(stage.run.id, block, after=0, fence=stage.run.fence)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(follow(stage.reader(), heard, takes=True))
        await turns()
        stage.audience.publish(block)  # the store was read before its writer continued
        await stage.write(2)
        await stage.publish(ending(stage.run.id, 3))

    assert seqs(heard) == [1, 2, 3]


async def test_what_a_reader_sent_at_once_does_not_hold_the_run_back() -> None:
    stage = await Stage().begin()
    stage.audience.begin(0, 1)
    heard: list[Block] = []
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(follow(stage.reader(), heard, takes=True))
        await turns()
        assert not await stage.write(1, 100)
        await stage.publish(ending(stage.run.id, 101))
