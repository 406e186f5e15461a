"""Chunks are gathered into blocks: none is held back, and a hot loop fills them."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from pydantic import TypeAdapter

from tests.support.runs import SOON, BlockStore, block_sizes, call, first_chunk, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.actions.encoding import encoding_of
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.app import App
from yieldwire.errors import StoreError
from yieldwire.executors import RunLimits
from yieldwire.executors.audience import Audience
from yieldwire.executors.pending import BLOCK_BYTES, BLOCK_EVENTS
from yieldwire.executors.writer import LogWriter
from yieldwire.log.events import Block
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing.contract.harness import claimed


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(store=BlockStore(), run_limits=RunLimits(cancel_within=SOON))) as app:
        yield app


async def test_a_trickle_is_written_event_by_event(app: App) -> None:
    async def act() -> AsyncIterator[int]:
        for n in range(10):
            yield n
            await asyncio.sleep(0)

    run = await app.start(app.action(act))
    heard = await outcome(run)

    assert heard.chunks == [*range(10)]
    assert block_sizes(app, run) == [1] * 11


async def test_an_event_is_there_before_the_action_continues(app: App) -> None:
    seqs: list[int] = []

    async def act(ctx: Context) -> AsyncIterator[int]:
        for n in range(5):
            yield n
            await asyncio.sleep(0)
            seqs.append((await app.store.get(ctx.run_id)).seq)

    await call(app, act)

    assert seqs == [1, 2, 3, 4, 5]


async def test_a_hot_loop_fills_its_blocks(app: App) -> None:
    async def act() -> AsyncIterator[int]:
        for n in range(20_000):
            yield n

    run = await app.start(app.action(act))
    heard = await outcome(run)

    sizes = block_sizes(app, run)
    assert heard.chunks == [*range(20_000)]
    assert max(sizes) <= BLOCK_EVENTS + 1
    assert len(sizes) < 2_000


async def test_a_block_has_a_limit_in_bytes(app: App) -> None:
    async def act() -> AsyncIterator[str]:
        for _ in range(20):
            yield "x" * (BLOCK_BYTES // 4)

    run = await app.start(app.action(act))
    await outcome(run)

    page = await app.store.read(run.id, 0, max_bytes=10**9)
    assert max(len(block.body) for block in page) <= 2 * BLOCK_BYTES


async def test_events_of_several_helpers_keep_the_order_in_which_they_were_sent(app: App) -> None:
    sent: list[str] = []

    async def act(stream: Stream[str], ctx: Context) -> None:
        async def helper(name: str) -> None:
            for n in range(50):
                sent.append(f"{name} {n}")
                await stream.send(sent[-1])
                if n % 3 == 0:
                    await asyncio.sleep(0)

        async with asyncio.TaskGroup() as group:
            for name in ("a", "b"):
                group.create_task(helper(name))
            tasks = [ctx.spawn(helper(name)) for name in ("c", "d")]
            await asyncio.wait(tasks)

    heard = await call(app, act)

    assert heard.chunks == sent
    assert len(sent) == 200


async def test_a_value_that_a_callback_changes_is_written_too(app: App) -> None:
    async def act(value: StreamableValue[str]) -> None:
        asyncio.get_running_loop().call_soon(value.append, "from a callback")
        await asyncio.Event().wait()

    run = await app.start(app.action(act))
    first = await first_chunk(run)
    await run.cancel()

    assert first == {"type": "append", "text": "from a callback"}
    assert (await outcome(run)).code == "CANCELLED"


async def test_a_reader_that_does_not_read_does_not_hold_back_the_end() -> None:
    is_ahead = asyncio.Event()

    async def act(value: StreamableValue[str]) -> None:
        def tick(left: int) -> None:  # from outside of the action's own steps
            value.append("x" * 100)
            if left:
                asyncio.get_running_loop().call_later(0.01, tick, left - 1)
            else:
                is_ahead.set()

        tick(5)
        await asyncio.Event().wait()

    limits = RunLimits(ahead_bytes=50, cancel_within=0.05)
    async with opened(App(run_limits=limits)) as app:
        action = app.action(act)
        record = await app.begin(StartRequest(action=action, caller=Caller(), data={}))
        async with asyncio.timeout(SOON), aclosing(app.reader(record.id).pages(0, tick=SOON)) as it:
            await anext(it)
            await anext(it)
            await is_ahead.wait()
            await app.cancel(record.id)
            while not (await app.store.get(record.id)).status.is_terminal:
                await app.store.read(record.id, (await app.store.get(record.id)).seq, wait=SOON)

        assert (await app.snapshot(record.id))["status"] == "cancelled"


async def test_what_was_emitted_last_is_in_the_log_before_the_end(app: App) -> None:
    async def act(value: StreamableValue[int]) -> None:
        value.update(1)
        value.update(2)

    run = await app.start(app.action(act))
    heard = await outcome(run)

    assert [chunk["value"] for chunk in heard.chunks] == [1, 2]
    assert block_sizes(app, run) == [3]


# A store that takes its time, or fails.

IMPATIENT = RunLimits(store_patience=0.0)


class SlowStore(BlockStore):
    """Waits before each append until the test lets it."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.may_go = asyncio.Event(), asyncio.Event()

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        self.asked.set()
        await self.may_go.wait()
        return await super().append(run_id, block, after=after, fence=fence)


class FailingStore(MemoryStore):
    """Fails at the appends whose numbers it is given, counted from 1."""

    def __init__(self, *fails_at: int) -> None:
        super().__init__()
        self.calls, self.fails_at = 0, fails_at

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        self.calls += 1
        if self.calls in self.fails_at:
            raise StoreError("The disk is full.")
        return await super().append(run_id, block, after=after, fence=fence)


async def test_what_is_emitted_while_the_store_writes_goes_into_the_next_block() -> None:
    store = SlowStore()

    async def act(value: StreamableValue[int], ctx: Context) -> None:
        async def helper() -> None:
            for n in range(2, 6):
                value.update(n)
            store.may_go.set()

        value.update(1)
        ctx.spawn(helper())
        await asyncio.sleep(0)

    async with opened(App(store=store)) as app:
        run = await app.start(app.action(act))
        heard = await outcome(run)
        sizes = block_sizes(app, run)

    assert [chunk["value"] for chunk in heard.chunks] == [1, 2, 3, 4, 5]
    assert sizes[0] == 1


async def test_while_the_store_writes_helpers_wait_with_about_a_block() -> None:
    store, sent = SlowStore(), 0

    async def act(stream: Stream[str], ctx: Context) -> None:
        async def helper() -> None:
            nonlocal sent
            for _ in range(50):
                sent += 1
                await stream.send("x" * 10_000)

        await asyncio.gather(*[ctx.spawn(helper()) for _ in range(4)])

    async with opened(App(store=store)) as app:
        run = await app.start(app.action(act))
        async with asyncio.timeout(SOON):
            await store.asked.wait()
            before = -1
            while before != sent:
                before = sent
                for _ in range(100):
                    await asyncio.sleep(0)
        waiting = sent
        store.may_go.set()
        heard = await outcome(run)

    assert waiting * 10_000 <= 2 * BLOCK_BYTES + 6 * 10_000
    assert len(heard.chunks) == 200


async def test_a_cancel_while_the_store_writes_reaches_what_the_action_waits_for() -> None:
    store, steps = SlowStore(), list[str]()

    async def act() -> AsyncIterator[int]:
        yield 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            steps.append("cancelled")
            raise

    async def act_slowly() -> AsyncIterator[int]:
        async for n in act():
            yield n

    async with opened(App(store=store, run_limits=RunLimits(cancel_within=SOON))) as app:
        run = await app.start(app.action(act_slowly))
        async with asyncio.timeout(SOON):
            await store.asked.wait()
        await run.cancel()
        store.may_go.set()
        heard = await outcome(run)

    assert heard.code == "CANCELLED"
    assert [event.seq for event in heard.events] == [*range(1, len(heard.events) + 1)]


async def test_a_store_that_fails_fails_the_run_and_nothing_is_missing_silently(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def act() -> AsyncIterator[int]:
        for n in range(5):
            yield n
            await asyncio.sleep(0)

    async with opened(App(store=FailingStore(3), run_limits=IMPATIENT)) as app:
        heard = await call(app, act)

    assert heard.chunks == [0, 1, 2]
    assert heard.code == "INTERRUPTED"
    assert "The disk is full" in caplog.text


async def test_an_action_that_ignores_a_failure_of_the_store_is_stopped_without_a_gap() -> None:
    async def act() -> AsyncIterator[int]:
        for n in range(5):
            yield n
            try:
                await asyncio.sleep(0)
            except Exception:  # noqa: BLE001, S112 - the point
                continue

    async with opened(App(store=FailingStore(3), run_limits=IMPATIENT)) as app:
        heard = await call(app, act)

    assert (heard.chunks, heard.code) == ([0, 1, 2], "INTERRUPTED")


class ForgetfulStore(MemoryStore):
    """Writes every block, and fails to say so every second time."""

    calls = 0

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        last = await super().append(run_id, block, after=after, fence=fence)
        self.calls += 1
        if self.calls % 2:
            raise StoreError("The answer was lost.")
        return last


async def test_a_lost_answer_doubles_nothing() -> None:
    async def act(stream: Stream[int]) -> None:
        for n in range(5):
            while True:
                try:
                    await stream.send(n)
                    break
                except StoreError:
                    continue

    async with opened(App(store=ForgetfulStore(), run_limits=IMPATIENT)) as app:
        heard = await call(app, act)

    assert [event.seq for event in heard.events] == [*range(1, len(heard.events) + 1)]


async def test_an_end_that_cannot_be_written_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = FailingStore(2)

    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0)

    async with opened(App(store=store, run_limits=IMPATIENT)) as app:
        run = await app.start(app.action(act))
        async with asyncio.timeout(SOON):
            while store.calls < 2:  # noqa: ASYNC110 - the store's own count
                await asyncio.sleep(0)
            await asyncio.sleep(0)
        status = (await run.snapshot())["status"]

    assert status == "running"
    assert "the run's end was not written" in caplog.text


async def test_a_backlog_is_written_in_less_time_than_it_was_put() -> None:
    run = await claimed(store := MemoryStore())
    writer = LogWriter(store, run, encoding_of(int, TypeAdapter(int)), RunLimits(), Audience())

    began = time.thread_time()
    for n in range(300_000):
        writer.put(n)
    put = time.thread_time()
    await writer.flush()
    written = time.thread_time()

    assert (await store.get(run.id)).seq == 300_000
    assert written - put < put - began
