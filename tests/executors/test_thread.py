"""Blocking actions run in a thread of their own, in step with their log."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextvars import ContextVar

import pytest

from tests.support.runs import SOON, BlockStore, block_sizes, call, first_chunk, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.app import App
from yieldwire.errors import ActionError
from yieldwire.executors import RunLimits
from yieldwire.executors.pending import BLOCK_BYTES
from yieldwire.executors.thread import MAX_IN_FLIGHT, MAX_IN_FLIGHT_BYTES
from yieldwire.log.chunks import Result
from yieldwire.log.events import Block
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(store=BlockStore(), run_limits=RunLimits(cancel_within=SOON))) as app:
        yield app


async def test_blocking_code_never_runs_on_the_loop(app: App) -> None:
    threads: set[int] = set()

    def act() -> Iterator[int]:
        try:
            threads.add(threading.get_ident())
            yield 1
            threads.add(threading.get_ident())
        finally:
            threads.add(threading.get_ident())

    await call(app, act)

    assert len(threads) == 1
    assert threading.get_ident() not in threads


async def test_a_hot_loop_keeps_its_order_and_fills_its_blocks(app: App) -> None:
    def act() -> Iterator[int]:
        yield from range(20_000)

    run = await app.start(app.action(act))
    heard = await outcome(run)

    assert heard.chunks == [*range(20_000)]
    assert len(block_sizes(app, run)) < 2_000


async def test_a_chunk_is_sent_while_the_code_still_blocks(app: App) -> None:
    may_end = threading.Event()

    def act() -> Iterator[str]:
        yield "first"
        may_end.wait(SOON)
        yield "second"

    run = await app.start(app.action(act))
    first = await first_chunk(run)
    status = (await run.snapshot())["status"]
    may_end.set()

    assert (first, status) == ("first", "running")
    assert (await outcome(run)).chunks == ["first", "second"]


async def test_a_thread_is_not_run_far_ahead_of_its_log() -> None:
    yielded = 0

    def act() -> Iterator[str]:
        nonlocal yielded
        for n in range(100_000):
            yielded = n
            yield "x" * 100

    async with opened(App(run_limits=RunLimits(ahead_bytes=10_000, cancel_within=SOON))) as app:
        action = app.action(act)
        record = await start_attached(app, action.name)
        reader = app.reader(record)
        async with asyncio.timeout(SOON):
            pages = reader.pages(0, tick=SOON)
            page = await anext(pages)
            while not page:
                page = await anext(pages)
            before = -1
            while before != yielded:  # until the thread waits
                before = yielded
                for _ in range(200):
                    await asyncio.sleep(0)
            seq = (await app.store.get(record)).seq
            await pages.aclose()
        await app.cancel(record)

    assert yielded <= seq + 2 * MAX_IN_FLIGHT + 1


async def test_a_thread_is_ahead_of_its_log_up_to_a_limit_in_bytes() -> None:
    size, ahead, yielded = 50_000, 500_000, 0
    is_read, is_over = threading.Event(), threading.Event()

    def act() -> Iterator[str]:
        nonlocal yielded
        yield "first"
        is_read.wait(SOON)
        for n in range(1_000):
            if is_over.is_set():
                return
            yielded = n + 1
            yield "x" * size

    limits = RunLimits(ahead_bytes=ahead, cancel_within=SOON)
    async with opened(App(run_limits=limits)) as app:
        record = await start_attached(app, app.action(act).name)
        async with asyncio.timeout(SOON):
            pages = app.reader(record).pages(0, tick=SOON)
            while not await anext(pages):
                pass
            is_read.set()
            before = -1
            while before != yielded:  # until the thread waits
                before = yielded
                for _ in range(50):
                    await asyncio.sleep(0.001)
            written = (await app.store.get(record)).seq - 1
            is_over.set()
            await pages.aclose()
        await app.cancel(record)

    # What waits is in the log, in the writer, in the bridge and in the thread's hand.
    assert written * size <= ahead + 3 * (BLOCK_BYTES + size)
    assert (yielded - written) * size <= 2 * (MAX_IN_FLIGHT_BYTES + size) + size


async def start_attached(app: App, name: str) -> str:
    return (
        await app.begin(
            StartRequest(action=app.registry.action_named(name), caller=Caller(), data={})
        )
    ).id


async def test_a_function_that_asks_stops_between_two_yields(app: App) -> None:
    started, steps = threading.Event(), list[str]()

    def act(ctx: Context) -> int:
        started.set()
        try:
            while True:
                ctx.check_cancelled()
        finally:
            steps.append("cleaned up")

    run = await app.start(app.action(act))
    async with asyncio.timeout(SOON):
        while not started.is_set():  # noqa: ASYNC110 - set in another thread
            await asyncio.sleep(0)
    await run.cancel()

    assert (await outcome(run)).code == "CANCELLED"
    assert steps == ["cleaned up"]


async def test_code_that_never_yields_does_not_hold_back_the_end() -> None:
    started, may_end, ended = threading.Event(), threading.Event(), threading.Event()

    def act() -> Iterator[int]:
        yield 1
        started.set()
        may_end.wait(SOON)
        yield 2
        ended.set()

    async with opened(App(run_limits=RunLimits(cancel_within=0.05))) as app:
        run = await app.start(app.action(act))
        await first_chunk(run)
        await run.cancel()
        heard = await outcome(run)
        may_end.set()

    assert (heard.chunks, heard.code) == ([1], "CANCELLED")
    assert not ended.is_set()


async def test_a_thread_keeps_its_slot_until_it_stops() -> None:
    may_end = threading.Event()

    def act() -> Iterator[int]:
        yield 1
        may_end.wait(SOON)

    async with opened(App(run_limits=RunLimits(cancel_within=0.01, threads=1))) as app:
        action = app.action(act)
        first, second = await app.start(action), await app.start(action)
        await first_chunk(first)
        await first.cancel()
        ended = await outcome(first)
        waiting = (await second.snapshot())["status"]
        may_end.set()
        after = await outcome(second)

    assert (ended.code, waiting) == ("CANCELLED", "pending")
    assert after.end == ("done", {})


async def test_a_run_cancelled_while_it_waits_for_a_thread_never_starts() -> None:
    may_end, calls = threading.Event(), list[str]()

    def act(name: str) -> Iterator[int]:
        calls.append(name)
        yield 1
        may_end.wait(SOON)

    async with opened(App(run_limits=RunLimits(threads=1, cancel_within=SOON))) as app:
        action = app.action(act)
        first = await app.start(action, {"name": "first"})
        await first_chunk(first)
        second = await app.start(action, {"name": "second"})
        await second.cancel()
        heard = await outcome(second)
        may_end.set()
        await outcome(first)

    assert (heard.chunks, heard.code) == ([], "CANCELLED")
    assert calls == ["first"]


SPAN: ContextVar[str] = ContextVar("SPAN", default="none")


async def test_context_variables_are_carried_into_the_thread() -> None:
    async def wrap(ctx: Context) -> AsyncIterator[None]:
        SPAN.set("attempt")
        yield

    def act() -> Iterator[str]:
        yield SPAN.get()
        SPAN.set("thread")
        yield SPAN.get()

    async with opened(App(middleware=[wrap])) as app:
        heard = await call(app, act)

    assert heard.chunks == ["attempt", "thread"]
    assert SPAN.get() == "none"


async def test_an_error_of_blocking_code_is_the_runs(app: App) -> None:
    def act() -> Iterator[int]:
        yield 1
        raise ActionError("NO", "No.")

    def stops() -> int:
        raise StopIteration(3)

    assert (await call(app, act)).code == "NO"
    assert (await call(app, stops)).code == "INTERNAL_ERROR"


async def test_a_result_can_be_yielded_or_returned(app: App) -> None:
    def yields() -> Iterator[int | Result[str]]:
        yield 1
        yield Result("yielded")

    def returns():  # type: ignore[no-untyped-def] # noqa: ANN202 - without annotations
        yield 1
        return "returned"

    assert (await call(app, yields)).end == ("done", {"result": "yielded"})
    assert (await call(app, returns)).end == ("done", {"result": "returned"})


async def test_many_threads_run_side_by_side(app: App) -> None:
    barrier = threading.Barrier(8, timeout=SOON)

    def act() -> Iterator[int]:
        yield barrier.wait()

    action = app.action(act)
    runs = [await app.start(action) for _ in range(8)]

    heard = [await outcome(run) for run in runs]

    assert sorted(one.chunks[0] for one in heard) == [*range(8)]


async def test_a_question_comes_after_what_was_yielded_while_the_store_was_writing() -> None:
    is_writing, is_asking = threading.Event(), threading.Event()

    class SlowStore(BlockStore):
        async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
            is_writing.set()
            while not is_asking.is_set():  # noqa: ASYNC110 - set in another thread
                await asyncio.sleep(0)
            for _ in range(200):  # until the thread waits
                await asyncio.sleep(0)
            return await super().append(run_id, block, after=after, fence=fence)

    def act(ctx: Context) -> Iterator[str]:
        yield "first"
        is_writing.wait(SOON)
        yield "second"
        is_asking.set()
        ctx.blocking.ask(bool, "Continue?", timeout=0.001, default=True)

    async with opened(App(store=SlowStore())) as app:
        run = await app.start(app.action(asks=bool)(act))
        kinds = [event.type async for event in run.events()]

    assert kinds == ["chunk", "chunk", "question", "answer", "done"]
