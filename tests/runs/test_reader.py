"""The one loop that every reader is in."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import pytest

from tests.support.runs import SOON, CountedStore
from yieldwire.errors import ForeignCursor, NotFound
from yieldwire.executors.audience import Audience
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.runs.reader import Reader
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing import MovingClock
from yieldwire.testing.contract.harness import chunks, claimed, created, ending, finish

TICK = 5 * SOON


class World:
    """A running run with two events, and its readers."""

    def __init__(self) -> None:
        self.clock = MovingClock()
        self.store = MemoryStore(clock=self.clock)
        self.audience = Audience()
        self.run: RunRecord

    def reader(self, run_id: str | None = None) -> Reader:
        return Reader(self.store, self.audience, self.clock, run_id or self.run.id)

    async def write(self, first: int, size: int = 1) -> None:
        block = chunks(self.run.id, first, size)
        await self.store.append(self.run.id, block, after=first - 1, fence=self.run.fence)

    async def end(self, after: int) -> None:
        await finish(self.store, self.run, after=after)


@pytest.fixture
async def world() -> World:
    world = World()
    world.run = await claimed(world.store, linger=30.0)
    await world.write(1, 2)
    return world


async def seqs(reader: Reader, after: int = 0, *, tick: float = TICK) -> list[int]:
    """Read to the end, and return the seqs in their order."""
    async with asyncio.timeout(SOON), aclosing(reader.pages(after, tick=tick)) as pages:
        return [event.seq async for page in pages for block in page for event in block.events()]


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_a_reader_gets_what_is_there_and_what_comes_without_a_gap(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(seqs(world.reader()))
        late = group.create_task(seqs(world.reader(), 1))
        await turns()
        for seq in (3, 4, 5):
            await world.write(seq)
            await turns()
        await world.end(5)

    assert reading.result() == [1, 2, 3, 4, 5, 6]
    assert late.result() == [2, 3, 4, 5, 6]


async def test_a_reader_of_an_ended_run_gets_the_rest_and_leaves(world: World) -> None:
    await world.end(2)

    assert await seqs(world.reader()) == [1, 2, 3]
    assert await seqs(world.reader(), 2) == [3]


async def test_behind_the_end_of_an_ended_run_there_is_nothing_to_wait_for(world: World) -> None:
    await world.end(2)

    assert await seqs(world.reader(), 3) == []


async def test_news_of_an_ended_run_is_not_waited_for(world: World) -> None:
    await world.end(2)

    async with asyncio.timeout(SOON):
        await world.reader().news(3, TICK)


async def test_an_idle_run_gives_an_empty_page_each_tick(world: World) -> None:
    pages: list[Sequence[Block]] = []

    async with asyncio.timeout(SOON), aclosing(world.reader().pages(2, tick=0.01)) as stream:
        async for page in stream:
            pages.append(page)
            if len(pages) == 3:
                break

    assert pages == [(), (), ()]


@pytest.mark.parametrize(("run_id", "error"), [(None, ForeignCursor), ("rnever", NotFound)])
async def test_what_cannot_be_read_is_told(
    world: World, run_id: str | None, error: type[Exception]
) -> None:
    with pytest.raises(error, match=r"cursor|no run"):
        await seqs(world.reader(run_id), 9)


async def test_a_reader_whom_a_purge_overtakes_is_told(world: World) -> None:
    async def purged() -> None:
        with pytest.raises(NotFound, match="no run"):
            await seqs(world.reader(), 2)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(purged())
        await turns()
        await world.end(2)
        await world.store.purge(world.run.id)  # before the reader has had a turn


async def test_a_reader_that_trimming_overtakes_sees_where_the_log_begins() -> None:
    world = World()
    world.run = await claimed(world.store, keep=2)
    for seq in range(1, 10):
        await world.write(seq)
    await world.end(9)

    assert await seqs(world.reader(), 3) == [9, 10]


# Holding and leaving.


async def test_a_reader_holds_the_run_while_it_is_here_and_no_longer(world: World) -> None:
    reader = world.reader()
    pages = reader.pages(0, tick=15.0)
    await anext(pages)

    world.clock.advance(40)
    held = await world.store.sweep()
    await pages.aclose()
    world.clock.advance(29)
    lingers = await world.store.sweep()
    world.clock.advance(2)
    forsaken = await world.store.sweep()

    assert (list(held), list(lingers)) == ([], [])
    assert [run.id for run in forsaken] == [world.run.id]


async def test_a_reader_that_stays_continues_holding(world: World) -> None:
    pages = world.reader().pages(2, tick=0.01)

    async with asyncio.timeout(SOON):
        for _ in range(5):
            assert await anext(pages) == ()
            world.clock.advance(0.02)
            assert list(await world.store.sweep()) == []
    await pages.aclose()


async def test_a_reader_that_waits_leaves_at_once_when_asked(world: World) -> None:
    reader = world.reader()

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        reading = group.create_task(seqs(reader))
        await turns()
        reader.leave()

    assert reading.result() == [1, 2]
    assert reader.is_leaving


async def test_a_reader_asked_to_leave_twice_leaves_once(world: World) -> None:
    reader = world.reader()

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        reading = group.create_task(seqs(reader))
        await turns()
        reader.leave()
        reader.leave()

    assert reading.result() == [1, 2]


async def test_a_reader_asked_to_leave_before_it_began_reads_nothing(world: World) -> None:
    reader = world.reader()
    reader.leave()

    assert await seqs(reader) == []


async def test_a_reader_asked_to_leave_while_its_page_is_sent_leaves_after_it(
    world: World,
) -> None:
    reader = world.reader()
    async with asyncio.timeout(SOON), aclosing(reader.pages(0, tick=TICK)) as pages:
        page = await anext(pages)
        reader.leave()

        rest = [more async for more in pages]

    assert [event.seq for block in page for event in block.events()] == [1, 2]
    assert rest == []


async def test_leaving_is_not_the_end_of_the_task(world: World) -> None:
    reader, steps = world.reader(), list[str]()

    async def follow() -> None:
        await seqs(reader)
        await asyncio.sleep(0)
        steps.append("continued")

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(follow())
        await turns()
        reader.leave()

    assert steps == ["continued"]


async def test_leaving_does_not_swallow_anothers_cancellation(world: World) -> None:
    reader = world.reader()

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        task = group.create_task(seqs(reader))
        await turns()
        reader.leave()
        task.cancel()
        await asyncio.wait({task})

    assert task.cancelled()


async def test_a_cancelled_reader_has_left(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        task = group.create_task(seqs(world.reader()))
        await turns()
        task.cancel()
    world.clock.advance(31)

    assert [run.id for run in await world.store.sweep()] == [world.run.id]


async def test_a_reader_is_asked_to_leave_while_the_store_answers() -> None:
    reader: Reader

    class AskingStore(MemoryStore):
        async def read(self, run_id: str, after: int, **options: Any) -> Sequence[Block]:  # noqa: ANN401
            reader.leave()
            return await super().read(run_id, after, **options)

    store = AskingStore()
    run = await created(store)
    reader = Reader(store, Audience(), MovingClock(), run.id)

    assert await seqs(reader) == []


# The first page, and news.


async def test_the_first_page_is_waited_for(world: World) -> None:
    run = await claimed(world.store)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        first = group.create_task(world.reader(run.id).first(TICK))
        await turns()
        await finish(world.store, run)

    (block,) = first.result()
    assert list(block.events()) == list(ending(run.id, 1).events())


async def test_a_first_page_that_does_not_come_is_empty(world: World) -> None:
    run = await created(world.store)

    async with asyncio.timeout(SOON):
        assert list(await world.reader(run.id).first(0.01)) == []


async def test_news_is_whatever_is_behind_the_cursor(world: World) -> None:
    async with asyncio.timeout(SOON):
        await world.reader().news(1, TICK)
        await world.reader().news(2, 0.01)
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(world.reader().news(2, TICK))
            await turns()
            before = waiting.done()
            await world.write(3)

    assert not before


async def test_a_reader_asked_to_leave_waits_for_no_news(world: World) -> None:
    reader = world.reader()

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(reader.news(2, TICK))
        await turns()
        reader.leave()


# Backpressure.


async def test_what_was_sent_on_makes_room_for_more(world: World) -> None:
    backpressure = world.audience
    backpressure.limit(1)

    async with asyncio.timeout(SOON), aclosing(world.reader().pages(0, tick=TICK)) as pages:
        await anext(pages)
        async with asyncio.TaskGroup() as group:
            following = group.create_task(next_page(pages))
            await turns()
            await world.write(3)
            backpressure.wrote(3, 100)
            waiting = group.create_task(backpressure.wait_for_room())
            await turns()
            held_back = not waiting.done()
            await following
            rest = group.create_task(next_page(pages))
            await waiting
            await world.end(3)
            await rest

    assert held_back


async def next_page(pages: AsyncIterator[Sequence[Block]]) -> Sequence[Block]:
    return await anext(pages)


async def test_a_reader_that_is_not_needed_is_nothing_that_the_store_is_told_of() -> None:
    store = CountedStore()
    run = await claimed(store, linger=None)
    backpressure = Audience()
    backpressure.limit(1)
    reader = Reader(store, backpressure, MovingClock(), run.id, is_needed=False)
    await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)

    await reader.first(0.0, linger=None)
    await reader.news(1, 0.0)
    async with aclosing(reader.pages(0, tick=0.01)) as pages:
        assert [len(page) for page in [await anext(pages), await anext(pages)]] == [1, 0]
        is_waited_for = backpressure.wrote(2, 100)

    assert store.holds == 0
    assert is_waited_for
    assert not backpressure.wrote(3, 100)
