"""A store that can append without a task that waits does so while the action waits."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import aclosing, suppress
from functools import partial
from typing import Any, Self

import pytest
from pydantic import TypeAdapter

from tests.support.runs import SOON, BlockStore, block_sizes, call, first_chunk, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.actions.encoding import encoding_of
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.app import App
from yieldwire.errors import StoreError, YieldwireError
from yieldwire.executors import RunLimits
from yieldwire.executors.audience import Audience
from yieldwire.executors.writer import FIRST_SECONDS, LogWriter
from yieldwire.hooks import Hooks
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.quicklog import BlockWriter
from yieldwire.testing.contract.harness import claimed

IMPATIENT = RunLimits(store_patience=0.0)


class Submitted(BlockStore):
    """Appends what is submitted when the test lets it, and fails at some, counted from 1."""

    def __init__(self, *fails_at: int) -> None:
        super().__init__()
        self.asked, self.may_go = asyncio.Event(), asyncio.Event()
        self.calls, self.fails_at = 0, fails_at
        self.tasks = set[asyncio.Task[None]]()

    __module__ = MemoryStore.__module__  # as an included store: another one is guarded
    append = BlockStore.append

    def quick_log(self, _run_id: str, /) -> Self:  # type: ignore[override]
        return self

    def append_nowait(self, block: Block, fence: int, writer: BlockWriter, /) -> None:
        self.calls += 1
        self.asked.set()
        append: Callable[[], Awaitable[int]] = self.fail
        if self.calls not in self.fails_at:
            after = block.first - 1
            append = partial(self.append, block.run_id, block, after=after, fence=fence)
        task = asyncio.get_running_loop().create_task(self.answer(append, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def answer(self, append: Callable[[], Awaitable[int]], writer: BlockWriter) -> None:
        await self.may_go.wait()
        try:
            await append()
        except StoreError as exc:
            writer.submitted(exc)
        else:
            writer.submitted(None)

    async def fail(self) -> int:
        raise StoreError("The disk is full.")


class Free(Submitted):
    """Answers at once."""

    __module__ = MemoryStore.__module__

    def __init__(self, *fails_at: int) -> None:
        super().__init__(*fails_at)
        self.may_go.set()


async def trickle() -> AsyncIterator[int]:
    for n in range(5):
        yield n
        await asyncio.sleep(0)


async def test_every_event_is_submitted_by_itself_and_read_in_order() -> None:
    async with opened(App(store=(store := Free()))) as app:
        run = await app.start(app.action(trickle))
        heard = await outcome(run)
        sizes = block_sizes(app, run)

    assert heard.chunks == [0, 1, 2, 3, 4]
    assert (sizes, store.calls) == ([1] * 6, 5)


async def test_a_reader_has_an_event_while_the_action_still_waits() -> None:
    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async with opened(App(store=Free())) as app:
        run = await app.start(app.action(act))
        first = await first_chunk(run)
        await run.cancel()

    assert first == 1


async def test_the_action_does_not_continue_before_its_event_is_in_the_log() -> None:
    seqs: list[int] = []
    store = Submitted()

    async def act(ctx: Context) -> AsyncIterator[int]:
        for n in range(3):
            yield n
            await asyncio.sleep(0)
            seqs.append((await store.get(ctx.run_id)).seq)

    async with opened(App(store=store)) as app:
        run = await app.start(app.action(act))
        async with asyncio.timeout(SOON):
            await store.asked.wait()
            for _ in range(20):
                await asyncio.sleep(0)
        before = [*seqs]
        store.may_go.set()
        await outcome(run)

    assert (before, seqs) == ([], [1, 2, 3])


async def test_what_is_emitted_while_a_block_is_on_its_way_is_in_the_next() -> None:
    store = Submitted()

    async def act(value: StreamableValue[int]) -> None:
        def more() -> None:
            value.update(2)
            value.update(3)
            store.may_go.set()

        value.update(1)
        asyncio.get_running_loop().call_later(0.01, more)
        await asyncio.Event().wait()

    async with opened(App(store=store, run_limits=RunLimits(cancel_within=SOON))) as app:
        run = await app.start(app.action(act))
        async with asyncio.timeout(SOON):
            while (await store.get(run.id)).seq < 3:  # noqa: ASYNC110 - asks a store
                await asyncio.sleep(0.001)
        await run.cancel()
        sizes = block_sizes(app, run)

    assert sizes[:2] == [1, 2]


class Stopping:
    """An attempt in a process that stops: it has no task for anything any more."""

    is_lost = stopped = False

    def __init__(self, run: RunRecord) -> None:
        self.run = run

    def own(self, coroutine: Coroutine[Any, Any, Any], /) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine)
        task.cancel()
        return task

    def stop_by(self, _error: YieldwireError, /) -> None:
        self.stopped = True


async def test_a_block_for_which_there_is_no_task_any_more_is_refused() -> None:
    run = await claimed(store := BlockStore())
    writer = LogWriter(store, run, encoding_of(int, TypeAdapter(int)), RunLimits(), Audience())
    writer.holder = attempt = Stopping(run)

    writer.put(1)
    async with asyncio.timeout(SOON):
        with pytest.raises(StoreError, match="not written any more"):
            await writer.flush()
        with pytest.raises(StoreError, match="not written any more"):
            await writer.reach(1)

    assert attempt.stopped


class Faulty(BlockStore):
    """Has a fault of its own, and does not fail as stores do."""

    __module__ = MemoryStore.__module__  # as an included store: another one is guarded

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        if block.end is None:
            raise LookupError("There is no such table.")
        return await super().append(run_id, block, after=after, fence=fence)


async def test_a_fault_of_the_store_is_logged_and_nothing_follows_what_it_refused(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with opened(App(store=Faulty())) as app:
        run = await app.start(app.action(trickle))
        async with asyncio.timeout(SOON):
            while "There is no such table." not in caplog.text:  # noqa: ASYNC110 - looks into a log
                await asyncio.sleep(0.001)
        snapshot = await run.snapshot()

    assert snapshot["seq"] == 0


class FaultyLog(BlockStore):
    """Has a fault where it appends without being awaited, from the second block on."""

    __module__ = MemoryStore.__module__  # as an included store: another one is guarded
    append = BlockStore.append

    def quick_log(self, run_id: str, /) -> Self:  # type: ignore[override]
        self.log = super().quick_log(run_id)
        return self

    def append_nowait(self, block: Block, fence: int, writer: BlockWriter, /) -> bool:
        if block.first > 1 or self.log is None:
            raise LookupError("There is no such table.")
        return self.log.append_nowait(block, fence, writer)


async def by_callbacks(value: StreamableValue[int]) -> None:
    for n in range(5):
        asyncio.get_running_loop().call_later(n / 100, value.update, n)
    await asyncio.sleep(SOON)


async def by_a_helper(ctx: Context, stream: Stream[int]) -> None:
    async def send() -> None:
        for n in range(5):
            await stream.send(n)
            await asyncio.sleep(0.01)

    await ctx.spawn(send())


def by_a_thread() -> Iterator[int]:
    for n in range(5):
        yield n
        time.sleep(0.01)


@pytest.mark.parametrize("act", [trickle, by_callbacks, by_a_helper, by_a_thread])
async def test_a_fault_of_a_log_stops_the_run_and_loses_nothing(
    act: Callable[..., object], caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(App(store=FaultyLog())) as app:
        heard = await call(app, act)

    chunks = [each["value"] if isinstance(each, dict) else each for each in heard.chunks]
    assert len(chunks) > 1
    assert chunks == [*range(len(chunks))]
    assert heard.code == "INTERRUPTED"
    assert "There is no such table." in caplog.text


async def test_an_event_has_the_time_at_which_it_was_put_however_long_the_store_takes() -> None:
    run = await claimed(store := Submitted())
    writer = LogWriter(store, run, encoding_of(int, TypeAdapter(int)), RunLimits(), Audience())

    writer.put(1)
    writer.submit()
    began = writer.now()
    writer.put(2)
    put = writer.now()
    await asyncio.sleep(0.01)
    writer.put(3)
    store.may_go.set()
    await writer.flush()

    events = [event for block in await store.read(run.id, 0) for event in block.events()]
    assert [event.value for event in events] == [1, 2, 3]
    assert all(began - 0.001 <= event.at <= put + 0.001 for event in events[1:])


async def test_a_sender_that_gives_up_its_wait_leaves_the_others_waiting() -> None:
    store, told = Submitted(), list[str]()

    async def act(ctx: Context, stream: Stream[int]) -> None:
        async def send(n: int) -> None:
            late = time.monotonic() + 2 * FIRST_SECONDS
            while time.monotonic() < late:
                continue  # so slow that it waits for the log
            await stream.send(n)
            told.append(f"sent {n}")

        async def give_up() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(0.01):
                    await send(1)

        helpers = [ctx.spawn(give_up()), ctx.spawn(send(2))]
        asyncio.get_running_loop().call_later(0.05, store.may_go.set)
        await asyncio.wait(helpers)

    async with opened(App(store=store)) as app:
        heard = await call(app, act)

    assert (heard.chunks, heard.code, told) == ([1, 2], None, ["sent 2"])


async def test_a_hook_for_blocks_is_told_of_each_before_its_readers_are() -> None:
    class Noting(Hooks):
        def block_appended(self, _run: RunRecord, block: Block, /) -> None:
            seqs.append(block.last)

    seqs, store = list[int](), Free()
    async with opened(App(store=store, hooks=[Noting()])) as app:
        run = await app.start(app.action(trickle))
        heard = await outcome(run)

    assert (len(heard.chunks), seqs, store.calls) == (5, [1, 2, 3, 4, 5, 6], 5)


async def test_a_block_that_fails_is_written_again_without_the_action() -> None:
    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async with opened(App(store=Free(1))) as app:
        run = await app.start(app.action(act))
        first = await first_chunk(run)
        await run.cancel()

    assert first == 1


class Full(Free):
    """Fails at everything."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        if block.end is None:
            raise StoreError("The disk is full.")
        return await super().append(run_id, block, after=after, fence=fence)


@pytest.mark.parametrize("pause", [0, 0.01])
async def test_a_store_that_keeps_failing_ends_the_run(
    pause: float, caplog: pytest.LogCaptureFixture
) -> None:
    async def act() -> AsyncIterator[int]:
        for n in range(100):
            yield n
            await asyncio.sleep(pause)

    async with opened(App(store=Full(), run_limits=IMPATIENT)) as app:
        run = await app.start(app.action(act))
        async with asyncio.timeout(SOON):
            while "The disk is full" not in caplog.text:  # noqa: ASYNC110 - looks into a log
                await asyncio.sleep(0.001)

        assert (await run.snapshot())["seq"] == 0


class Closed(BlockStore):
    """Takes nothing without being awaited."""

    __module__ = MemoryStore.__module__  # as an included store: another one is guarded
    append = BlockStore.append

    def quick_log(self, _run_id: str, /) -> Self:  # type: ignore[override]
        return self

    def append_nowait(self, _block: Block, _fence: int, _writer: BlockWriter, /) -> bool:
        return False


async def test_what_cannot_be_submitted_is_awaited() -> None:
    async with opened(App(store=Closed())) as app:
        heard = await call(app, trickle)

    assert heard.chunks == [0, 1, 2, 3, 4]


async def test_a_cancel_reaches_what_the_action_waits_for_and_the_event_is_kept() -> None:
    store, steps = Submitted(), list[str]()

    async def act() -> AsyncIterator[int]:
        yield 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            steps.append("cancelled")
            raise

    async with opened(App(store=store, run_limits=RunLimits(cancel_within=SOON))) as app:
        run = await app.start(app.action(act))
        async with asyncio.timeout(SOON):
            await store.asked.wait()
        await run.cancel()
        await run.cancel()
        store.may_go.set()
        heard = await outcome(run)

    assert (heard.chunks, heard.code, steps) == ([1], "CANCELLED", ["cancelled"])


async def test_a_cancel_between_the_wait_and_the_answer_reaches_the_action() -> None:
    store = Submitted()

    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0)
        yield 2

    async with opened(App(store=store, run_limits=RunLimits(cancel_within=SOON))) as app:
        run = await app.start(app.action(act))
        async with asyncio.timeout(SOON):
            await store.asked.wait()
            for _ in range(10):
                await asyncio.sleep(0)
        await run.cancel()
        store.may_go.set()
        heard = await outcome(run)

    assert (heard.chunks, heard.code) == ([1], "CANCELLED")


async def test_an_action_that_fills_its_log_is_told_so() -> None:
    async with opened(App(store=Free(), run_limits=RunLimits(max_events=4))) as app:
        heard = await call(app, trickle)

    assert heard.chunks == [0, 1, 2]
    assert heard.code == "LIMIT_EXCEEDED"


async def test_a_log_that_is_filled_while_a_block_is_on_its_way_ends_the_run() -> None:
    store = Submitted()

    async def act(value: StreamableValue[int]) -> None:
        def more() -> None:
            for n in range(2, 10):
                value.update(n)

        value.update(1)
        asyncio.get_running_loop().call_later(0.01, more)
        asyncio.get_running_loop().call_later(0.02, store.may_go.set)
        await asyncio.Event().wait()

    async with opened(App(store=store, run_limits=RunLimits(max_events=4))) as app:
        heard = await call(app, act)

    assert heard.code == "LIMIT_EXCEEDED"


async def test_an_action_waits_for_its_readers_before_it_continues() -> None:
    sent, is_read = 0, asyncio.Event()

    async def act() -> AsyncIterator[str]:
        nonlocal sent
        yield "x"
        await is_read.wait()
        for _ in range(50):
            sent += 1
            yield "x" * 1000
            await asyncio.sleep(0)

    limits = RunLimits(ahead_bytes=5000)
    async with opened(App(store=Free(), run_limits=limits)) as app:
        start = StartRequest(action=app.action(act), caller=Caller(), data={})
        reader = app.reader((await app.begin(start)).id)
        async with asyncio.timeout(SOON), aclosing(reader.pages(0, tick=SOON)) as pages:
            await anext(pages)
            is_read.set()
            await anext(pages)
            for _ in range(500):
                await asyncio.sleep(0)
            held = sent
            async for _ in pages:
                continue

    assert held < 20
    assert sent == 50
