"""A loop in `track` reports how far it is, wherever the action runs it."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from itertools import count
from typing import Any, cast

import pytest

from tests.support.runs import SOON, call, first_chunk, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.actions.track import EVERY, track
from yieldwire.app import App
from yieldwire.errors import UsageError
from yieldwire.executors import RunLimits
from yieldwire.log.chunks import Progress, Text

ROWS = ["a", "b", "c"]


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(run_limits=RunLimits(cancel_within=SOON))) as app:
        yield app


async def numbers(to: int) -> AsyncIterator[int]:
    for number in range(to):
        yield number


# What an action of each shape does with its loop; each returns nothing.


def blocking() -> None:
    for _ in track(ROWS):
        pass


async def plain() -> None:
    for _ in track(ROWS):
        pass


async def asynchronous() -> None:
    async for _ in track(numbers(3), total=3):
        pass


async def with_turns() -> None:
    async for _ in track(ROWS):
        pass


async def in_a_thread() -> None:
    await asyncio.to_thread(blocking)


async def in_a_helper(ctx: Context) -> None:
    await ctx.spawn(plain())


def in_a_loop_of_its_own() -> None:
    asyncio.run(with_turns())


def generator() -> Iterator[Progress]:
    yield from ()
    blocking()


@pytest.mark.parametrize(
    "function",
    [
        blocking,
        plain,
        asynchronous,
        with_turns,
        in_a_thread,
        in_a_helper,
        in_a_loop_of_its_own,
        generator,
    ],
)
async def test_a_loop_reports_before_its_first_item_and_at_its_end(
    app: App, function: Callable[..., Any]
) -> None:
    heard = await call(app, function)

    steps = [(chunk["type"], chunk["current"], chunk["total"]) for chunk in heard.chunks]
    assert steps[0] == ("progress", 0, 3)
    assert steps[-1] == ("progress", 3, 3)
    assert heard.end[0] == "done"


async def test_a_fast_loop_reports_at_most_ten_times_a_second(app: App) -> None:
    def act() -> float:
        begin = time.monotonic()
        for _ in track(range(300_000)):
            pass
        return time.monotonic() - begin

    heard = await call(app, act)

    assert len(heard.chunks) <= 2 + heard.end[1]["result"] / EVERY


async def test_what_a_loop_reports_has_its_place_among_what_is_yielded(app: App) -> None:
    def act() -> Iterator[Text | Progress]:
        for row in track(ROWS[:2], lambda row: f"row {row}"):
            yield Text(row)

    heard = await call(app, act)

    told = [chunk.get("text") or (chunk["current"], chunk["message"]) for chunk in heard.chunks]
    assert told == [(0, "row a"), "a", "b", (2, "row b")]


async def test_a_length_that_is_not_known_is_known_at_the_end(app: App) -> None:
    async def act() -> None:
        for _ in track((row for row in ROWS), "reading"):
            pass

    heard = await call(app, act)

    totals = [(chunk["total"], chunk["message"]) for chunk in heard.chunks]
    assert totals == [(None, "reading"), (3, "reading")]


async def test_a_loop_without_items_reports_its_end(app: App) -> None:
    async def act() -> None:
        for _ in track([], "reading".format_map):
            pass
        async for _ in track([], "reading".format_map):
            pass

    heard = await call(app, act)

    assert [(chunk["current"], chunk["total"]) for chunk in heard.chunks] == 2 * [(0, 0)]


async def test_a_loop_can_have_more_items_than_a_length_can_count(app: App) -> None:
    async def act() -> None:
        for _ in track(range(10**20)):
            break

    heard = await call(app, act)

    assert [(chunk["current"], chunk["total"]) for chunk in heard.chunks] == [(0, None)]


async def test_a_loop_that_outlives_its_run_continues(app: App) -> None:
    left: list[asyncio.Task[int]] = []
    has_ended = asyncio.Event()

    async def outlive() -> int:
        async for _ in track([1, 2, 3]):
            await has_ended.wait()
        return 3

    async def act() -> None:
        left.append(asyncio.create_task(outlive()))  # noqa: TID251 - awaited below
        await asyncio.sleep(0)

    await call(app, act)
    has_ended.set()

    assert await left[0] == 3


def test_a_loop_of_a_thread_that_outlives_the_event_loop_continues() -> None:
    left: list[Future[list[str]]] = []
    is_closed = threading.Event()

    def outlive() -> list[str]:
        return [row for row in track(ROWS) if is_closed.wait(SOON)]

    async def act() -> None:
        left.append(pool.submit(copy_context().run, outlive))

    async def main() -> None:
        async with opened(App()) as app:
            await call(app, act)

    with ThreadPoolExecutor(1) as pool:
        asyncio.run(main())
        is_closed.set()
        assert left[0].result(SOON) == ROWS


async def test_one_loop_at_a_time_reports_until_it_is_left(app: App) -> None:
    async def act() -> None:
        for _ in track("ab"):
            for _ in track(range(100)):
                pass
        for _ in track(range(5)):
            break
        async for _ in track(range(6)):
            break
        for _ in track(range(7)):
            break

    heard = await call(app, act)

    steps = [(chunk["current"], chunk["total"]) for chunk in heard.chunks]
    assert steps == [(0, 2), (2, 2), (0, 5), (0, 6), (0, 7)]


async def test_a_blocking_loop_stops_at_an_item_when_the_run_is_cancelled(app: App) -> None:
    cleaned: list[str] = []

    def act() -> None:
        try:
            for _ in track(count()):
                time.sleep(0.001)
        finally:
            cleaned.extend(track(ROWS))

    run = await app.start(app.action(act))
    await first_chunk(run)
    await run.cancel()
    heard = await outcome(run)

    assert heard.end[0] == "cancelled"
    assert cleaned == ROWS


async def test_a_thread_of_a_cancelled_run_stops_at_an_item(app: App) -> None:
    has_stopped = threading.Event()

    def work() -> None:
        try:
            for _ in track(count()):
                time.sleep(0.001)
        finally:
            has_stopped.set()

    async def act() -> None:
        await asyncio.to_thread(work)

    run = await app.start(app.action(act))
    await first_chunk(run)
    await run.cancel()
    await outcome(run)

    assert await asyncio.to_thread(has_stopped.wait, SOON)


async def test_plain_items_give_others_a_turn_with_async_for(app: App) -> None:
    async def act() -> None:
        async for _ in track(count()):
            pass

    run = await app.start(app.action(act))
    await first_chunk(run)
    await run.cancel()

    assert (await outcome(run)).end[0] == "cancelled"


async def test_an_action_whose_chunks_are_of_another_type_is_told_to_declare_progress(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    async def act() -> AsyncIterator[Text]:
        for row in track(ROWS):
            yield Text(row)

    heard = await call(app, act)

    assert heard.code == "INTERNAL_ERROR"
    assert "Declare it, as in AsyncIterator[Text | Progress]." in caplog.text


def test_items_can_be_those_of_a_sequence_that_has_no_iterator() -> None:
    class Rows:
        def __getitem__(self, place: int) -> str:
            return ROWS[place]

    assert list(track(cast("Iterable[str]", Rows()))) == ROWS


def test_asynchronous_items_need_an_asynchronous_loop() -> None:
    with pytest.raises(UsageError, match="write `async for"):
        list(track(numbers(3)))


def test_where_nobody_sees_a_bar_nothing_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    assert [*track(ROWS, "reading")] == ROWS

    assert capfd.readouterr() == ("", "")
