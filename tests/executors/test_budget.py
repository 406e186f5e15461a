"""A log stays within its limits, its end included, whatever fills it and however fast."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.support.runs import SOON, BlockStore, Outcome, block_sizes, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.actions.encoding import encoding_of
from yieldwire.actions.run import Run
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import ActionError, LimitExceeded
from yieldwire.executors import RunLimits
from yieldwire.executors.audience import Audience
from yieldwire.executors.budget import END_BYTES, Budget
from yieldwire.executors.pending import BLOCK_BYTES, MOST_BLOCK_EVENTS
from yieldwire.executors.writer import LogWriter
from yieldwire.log.chunks import Result
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord
from yieldwire.stores import Admission, Reach
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing import MovingClock
from yieldwire.testing.contract.harness import claimed
from yieldwire.testing.contract.harness import record as run_record

RUN = RunRecord(id="r-of-twenty-characters", action="act", quota_key="ada", attempt=1)


# Actions of every shape, which send what they are given without an await of their own.


async def generator(chunks: list[str]) -> AsyncIterator[str]:
    for chunk in chunks:
        yield chunk


def thread(chunks: list[str]) -> Iterator[str]:
    yield from chunks


async def stream(chunks: list[str], stream: Stream[str]) -> None:
    for chunk in chunks:
        await stream.send(chunk)


async def value(chunks: list[str], value: StreamableValue[str]) -> None:
    for chunk in chunks:
        value.update(chunk)
    value.update("")


async def helpers(chunks: list[str], ctx: Context, stream: Stream[str]) -> None:
    await asyncio.gather(*[ctx.spawn(stream.send(chunk)) for chunk in chunks])


async def callbacks(chunks: list[str], value: StreamableValue[str]) -> None:
    loop, is_over = asyncio.get_running_loop(), asyncio.Event()
    for chunk in chunks:
        loop.call_soon(value.update, chunk)
    loop.call_soon(is_over.set)
    await is_over.wait()
    value.update("")


SHAPES = [generator, thread, stream, value, helpers, callbacks]


async def blocks_of(app: App, run: Run[object]) -> Sequence[Block]:
    return await app.store.read(run.id, 0, max_bytes=10**9)


async def bytes_of(app: App, run: Run[object]) -> int:
    return sum(len(block.body) for block in await blocks_of(app, run))


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """A callback that raises is told to the loop's log: here that is meant to happen."""
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    yield
    logging.getLogger("asyncio").setLevel(logging.NOTSET)


@given(
    function=st.sampled_from(SHAPES),
    chunks=st.lists(
        st.sampled_from(["", "x" * 10, "x" * 300, "\u2028" * 40, "\x85é" * 20, "😀" * 9]),
        min_size=1,
        max_size=60,
    ),
    max_bytes=st.integers(1_000, 8_000),
    max_events=st.integers(2, 50),
)
@settings(max_examples=150, deadline=None)
def test_a_log_never_passes_its_limits_and_holds_what_they_allow(
    function: Callable[..., object], chunks: list[str], max_bytes: int, max_events: int
) -> None:
    limits = RunLimits(max_bytes=max_bytes, max_events=max_events, cancel_within=SOON)

    async def act() -> tuple[Outcome, int]:
        async with opened(App(run_limits=limits)) as app:
            run = await app.start(app.action(function), {"chunks": chunks})
            return await outcome(run), await bytes_of(app, run)

    heard, size = asyncio.run(act())

    sent = [each["value"] if isinstance(each, dict) else each for each in heard.chunks]
    assert size <= max_bytes
    assert len(heard.events) <= max_events
    assert sent == [*chunks, ""][: len(sent)]
    if heard.code == "LIMIT_EXCEEDED":
        most = max(len(event.data) for event in heard.events[:-1]) if sent else 2
        is_full = size + most + 3_000 > max_bytes or len(heard.events) == max_events
        assert is_full
    else:
        assert heard.end[0] == "done"


@pytest.mark.parametrize("function", SHAPES)
async def test_every_shape_ends_at_the_limit_and_what_was_written_before_is_there(
    function: Callable[..., object],
) -> None:
    limits = RunLimits(max_bytes=1_000_000, cancel_within=SOON)
    async with opened(App(run_limits=limits)) as app:
        run = await app.start(app.action(function), {"chunks": ["x" * 100_000] * 50})
        heard = await outcome(run)
        size = await bytes_of(app, run)
        snapshot = await run.snapshot()

    assert (heard.code, snapshot["status"]) == ("LIMIT_EXCEEDED", "failed")
    assert len(heard.chunks) == 9
    assert 900_000 < size <= 1_000_000


async def test_a_producer_that_never_waits_is_refused_where_it_would_pass_the_limit() -> None:
    refused_at: list[int] = []

    async def act(value: StreamableValue[str]) -> None:
        for n in range(50):
            try:
                value.update("x" * 1_000_000)
            except LimitExceeded:
                refused_at.append(n)
                raise

    async with opened(
        App(run_limits=RunLimits(max_bytes=5_000_000, max_event_bytes=2_000_000))
    ) as app:
        run = await app.start(app.action(act))
        heard = await outcome(run)

    assert refused_at == [4]
    assert (heard.code, len(heard.chunks)) == ("LIMIT_EXCEEDED", 4)


async def test_a_run_that_lets_the_limit_pass_ends_anyway() -> None:
    async def act(value: StreamableValue[str]) -> None:
        while True:
            with suppress(LimitExceeded):
                value.update("x" * 100)
            await asyncio.sleep(0)

    async with opened(App(run_limits=RunLimits(max_bytes=2_000, cancel_within=SOON))) as app:
        heard = await outcome(await app.start(app.action(act)))

    assert heard.code == "LIMIT_EXCEEDED"


async def test_a_callback_that_passes_the_limit_ends_the_run_that_waits() -> None:
    async def act(value: StreamableValue[str]) -> None:
        asyncio.get_running_loop().call_soon(value.update, "x" * 3_000)
        await asyncio.Event().wait()

    async with opened(App(run_limits=RunLimits(max_bytes=2_000, cancel_within=SOON))) as app:
        heard = await outcome(await app.start(app.action(act)))

    assert heard.code == "LIMIT_EXCEEDED"


async def test_cleanup_after_the_limit_can_wait() -> None:
    steps: list[str] = []

    async def act(value: StreamableValue[str]) -> None:
        try:
            for _ in range(50):
                value.update("x" * 100)
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    async with opened(App(run_limits=RunLimits(max_bytes=2_000))) as app:
        heard = await outcome(await app.start(app.action(act)))

    assert (heard.code, steps) == ("LIMIT_EXCEEDED", ["cleaned up"])


# The end.


async def fails_at_length() -> AsyncIterator[str]:
    yield "x"
    raise ActionError("NO", "No.", data="x" * 10_000)


async def results_at_length() -> AsyncIterator[str | Result[str]]:
    yield "x"
    yield Result("x" * 10_000)


@pytest.mark.parametrize("limits", [RunLimits(max_bytes=5_000), RunLimits(max_event_bytes=5_000)])
@pytest.mark.parametrize("function", [fails_at_length, results_at_length])
async def test_an_end_that_does_not_fit_is_told_as_that(
    function: Callable[..., object], limits: RunLimits
) -> None:
    async with opened(App(run_limits=limits)) as app:
        run = await app.start(app.action(function))
        heard = await outcome(run)
        size = await bytes_of(app, run)

    assert heard.code == "LIMIT_EXCEEDED"
    assert heard.chunks == ["x"]
    assert size < 1_000


@pytest.mark.parametrize("kind", [EventType.DONE, EventType.ERROR, EventType.CANCELLED])
def test_an_end_that_fits_is_left_as_it_is(kind: EventType) -> None:
    room = Budget(RUN, RunLimits(max_bytes=5_000))

    end = room.end_within(kind, b'{"result":"%b"}' % (b"x" * 4_000))

    assert end == (kind, b'{"result":"%b"}' % (b"x" * 4_000))


def test_the_end_for_a_log_that_is_full_has_its_room() -> None:
    room = Budget(RUN, RunLimits())

    kind, data = room.end_as(room.exceeded())

    assert len(Block.of_event(RUN.id, 5_000_000, kind, data).body) <= END_BYTES


async def test_a_cancel_behind_many_blocks_leaves_a_whole_log() -> None:
    async def act(value: StreamableValue[str]) -> None:
        for _ in range(30):
            value.update("x" * 10_000)
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_soon(task.cancel)

    async with opened(App()) as app:
        heard = await outcome(await app.start(app.action(act)))

    assert len(heard.chunks) == 30
    assert heard.events[-1].is_terminal


# Blocks.


@pytest.mark.parametrize("size", [1, 1_000, 30_000])
@pytest.mark.parametrize("function", SHAPES)
async def test_a_block_holds_about_what_it_may(function: Callable[..., object], size: int) -> None:
    count = 5_000 if size < 30_000 else 100
    async with opened(App(store=BlockStore())) as app:
        run = await app.start(app.action(function), {"chunks": ["x" * size] * count})
        await outcome(run)
        blocks, sizes = await blocks_of(app, run), block_sizes(app, run)

    assert sum(sizes) in {count + 1, count + 2}
    assert max(sizes) <= MOST_BLOCK_EVENTS + 2
    data = [sum(len(event.data) for event in block.events()) for block in blocks]
    assert max(data) <= BLOCK_BYTES + 2 * (size + 50)


# What an earlier attempt, or a feed, leaves.


async def test_a_later_attempt_has_what_the_earlier_ones_left() -> None:
    room = Budget(RUN._replace(seq=3), RunLimits(max_bytes=2_000))

    room.resume(1_450)

    assert room.has_space(4, 38)
    assert not room.has_space(4, 39)


class SharedStore(MemoryStore):
    """Says that other processes share it, so its runs are leased."""

    reach: ClassVar[Reach] = "machine"


async def test_a_later_attempt_counts_the_log_that_is_there() -> None:
    async def act() -> AsyncIterator[str]:
        for _ in range(10):
            yield "x" * 100

    clock = MovingClock()
    store = SharedStore(clock=clock)
    limits, timing = RunLimits(max_bytes=2_000), Timing(sweep_every=10 * SOON)
    async with opened(App(store=store, run_limits=limits, timing=timing, clock=clock)) as app:
        app.action(retries=1)(act)
        record = run_record(action="act", retries=1, context=b'{"state":{},"request":{}}')
        await store.create(record, Admission())
        claimed = await store.claim(record.id, lease=1)  # by a process that is gone
        left = Block.of_chunks(record.id, 1, [b'"%b"' % (b"x" * 100)] * 10)
        await store.append(record.id, left, after=0, fence=claimed.fence)
        clock.advance(2)
        await app.sweep()
        async with asyncio.timeout(SOON):
            while not (run := await store.get(record.id)).status.is_terminal:
                await store.read(record.id, run.seq, wait=SOON)
        page = await store.read(record.id, 0, max_bytes=10**9)

    assert page[-1].end is EventType.ERROR
    assert 12 < page[-1].last < 21
    assert sum(len(block.body) for block in page) <= 2_000


@pytest.mark.parametrize("crashes", [1, 3, 8])
@pytest.mark.parametrize("limits", [RunLimits(max_events=20), RunLimits(max_bytes=1_500)])
async def test_a_log_stays_within_its_limits_however_often_its_run_restarts(
    limits: RunLimits, crashes: int
) -> None:
    async def act() -> AsyncIterator[str]:
        for _ in range(100):
            yield "x" * 10

    clock = MovingClock()
    store = SharedStore(clock=clock)
    timing = Timing(sweep_every=10 * SOON)
    async with opened(App(store=store, run_limits=limits, timing=timing, clock=clock)) as app:
        app.action(retries=crashes)(act)
        record = run_record(action="act", retries=crashes, context=b'{"state":{},"request":{}}')
        await store.create(record, Admission())
        for left in reversed(range(crashes)):  # processes that fill the log as far as allowed
            claimed = await store.claim(record.id, lease=1)
            room = Budget(claimed, limits)
            room.resume(sum(len(b.body) for b in await store.read(record.id, 0)))
            block = room.take(Block.of_chunks(record.id, claimed.seq + 1, [b"0"] * 100))
            if block is not None:
                await store.append(record.id, block, after=claimed.seq, fence=claimed.fence)
            clock.advance(2)
            if left:
                await store.sweep()
        await app.sweep()
        async with asyncio.timeout(SOON):
            while not (run := await store.get(record.id)).status.is_terminal:
                await store.read(record.id, run.seq, wait=SOON)
        page = await store.read(record.id, 0, max_bytes=10**9)

    assert page[-1].end is EventType.ERROR
    assert page[-1].last <= limits.max_events
    assert sum(len(block.body) for block in page) <= limits.max_bytes


@given(
    sizes=st.lists(st.integers(0, 600), min_size=20, max_size=120),
    keep=st.integers(1, 12),
    max_bytes=st.integers(2_000, 6_000),
)
@settings(max_examples=60, deadline=None)
def test_a_feed_never_keeps_more_than_its_limit(
    sizes: list[int], keep: int, max_bytes: int
) -> None:
    async def ticks() -> AsyncIterator[str]:
        for size in sizes:
            yield "x" * size
            await asyncio.sleep(0)

    async def most_kept() -> int:
        most = 0
        async with opened(App(run_limits=RunLimits(max_bytes=max_bytes))) as app:
            run = await app.start(app.feed(keep=keep)(ticks))
            while not (record := await app.store.get(run.id)).status.is_terminal:
                page = await app.store.read(run.id, record.first_seq - 1, max_bytes=10**9)
                most = max(most, sum(len(block.body) for block in page))
                await asyncio.sleep(0)
        return most

    assert asyncio.run(most_kept()) <= max_bytes


async def test_a_feed_has_the_limit_for_what_it_keeps() -> None:
    async def ticks(size: int) -> AsyncIterator[str]:
        for _ in range(100):
            yield "x" * size
            await asyncio.sleep(0)

    async with opened(App(run_limits=RunLimits(max_bytes=3_000))) as app:
        action = app.feed(keep=10)(ticks)
        small = await app.start(action, {"size": 100})
        large = await app.start(action, {"size": 1_000})
        async with asyncio.timeout(SOON):
            await small.result()
            with pytest.raises(LimitExceeded, match="10 events that the feed keeps"):
                await large.result()

    assert small is not large


@pytest.mark.parametrize(("sizes", "fit"), [([600], [False]), ([300, 1_100], [True, True])])
def test_a_later_attempt_of_a_feed_counts_what_it_finds_until_that_is_dropped(
    sizes: list[int], fit: list[bool]
) -> None:
    room = Budget(RUN._replace(seq=4, keep=2), RunLimits(max_bytes=2_000))
    room.resume(1_000)

    blocks = [Block.of_chunks(RUN.id, seq, [b"0" * size]) for seq, size in enumerate(sizes, 5)]

    assert [room.take(block) is block for block in blocks] == fit


async def test_a_feed_whose_last_block_fits_in_part_keeps_no_more_than_its_limit() -> None:
    async def ticks() -> AsyncIterator[str]:
        for _ in range(9):
            yield "x" * 250
            await asyncio.sleep(0)
        for size in (1_950, *[30] * 7):  # one block: only with its last events is there room
            yield "x" * size
        await asyncio.sleep(0)

    async with opened(App(run_limits=RunLimits(max_bytes=3_000))) as app:
        run = await app.start(app.feed(keep=10)(ticks))
        heard = await outcome(run)
        size = await bytes_of(app, run)

    assert heard.code == "LIMIT_EXCEEDED"
    assert size <= 3_000


@given(
    chunks=st.lists(
        st.tuples(st.booleans(), st.sampled_from(["", "x" * 90, "é" * 40, "x" * 300])),
        max_size=30,
    ),
    max_bytes=st.integers(700, 3_000),
)
@settings(max_examples=150, deadline=None)
def test_a_chunk_that_was_accepted_fits_among_those_that_are_yielded(
    chunks: list[tuple[bool, str]], max_bytes: int
) -> None:
    async def write() -> None:
        run = await claimed(store := MemoryStore())
        encoding, limits = encoding_of(str, TypeAdapter(str)), RunLimits(max_bytes=max_bytes)
        writer, accepted = LogWriter(store, run, encoding, limits, Audience()), 0

        async def act() -> AsyncGenerator[str, None]:
            nonlocal accepted
            for is_yielded, chunk in chunks:
                if is_yielded:
                    yield chunk
                else:
                    writer.put(chunk)
                    accepted = writer.last_put

        with suppress(LimitExceeded):
            await writer.put_all(act())
        with suppress(LimitExceeded):
            await writer.flush()

        assert (await store.get(run.id)).seq >= accepted

    asyncio.run(write())
