"""What a stream is made of, counted: the first half of the gate before the event path.

Time cannot be a test's measure on a machine that others share. What costs time can: messages
to the server, blocks, transactions, encodings, tasks, timers, steps of the event loop. Here
each is counted over that many events that one more an event cannot hide, in loops whose clock
does not move or leaps, so that the same things happen in the same order every time. The other
half, `test_instructions.py`, counts what lies between these.

A figure that changes is a change of what an event costs. Where that is meant, the new figure
takes the old one's place together with its reason; where it is not, this is where it shows.
"""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import pytest

from tests.eventpath.counting import (
    CountedMemory,
    CountedSQLite,
    Counting,
    Counts,
    LeapingLoop,
    StillLoop,
    Token,
    run_in,
    wait_for_actions,
)
from tests.eventpath.scene import NDJSON, SSE, TEXT, Listener, follow, run_id, site, start
from yieldwire import Actions
from yieldwire.executors.thread import MAX_IN_FLIGHT

EVENTS = 100_000
BLOCK = 512
"""Events of a stream that never waits, in one block."""
BLOCKS = ceil(EVENTS / BLOCK)
"""The last of them brings the end as well."""
HANDED_OVER = 98
"""100,000 events by 1,024, which is as many as a thread can be ahead."""
PACED = 1_000
RUN_TOLD, BLOCK_TOLD = 3, 4
"""How often SQLite tells of an insertion: also of its trigger, and of each statement of that."""


async def hot(n: int) -> AsyncIterator[Token]:
    for i in range(n):
        yield Token(text=f"token {i} ")


async def paced(n: int) -> AsyncIterator[Token]:
    for i in range(n):
        yield Token(text=f"token {i} ")
        await asyncio.sleep(0.05)


def test_a_hot_stream_costs_a_send_an_append_and_one_step_of_the_loop_a_block() -> None:
    loop = LeapingLoop()

    counts = run_in(loop, stream(site(CountedMemory(loop), loop.clock, hot), EVENTS))

    assert counts == Counts(
        sends=1 + BLOCKS,  # the head; what opens the stream goes with the first block
        appends=BLOCKS,
        encodes=EVENTS,
        tasks=1,  # the run's own
        timers=2,  # the reader waits once, the other time it need not; and the watch's
        callbacks=3 + BLOCKS,  # the task's begin, the reader's two; the run's turn for each block
    )


def test_a_hot_stream_on_sqlite_costs_one_write_a_block(
    tmp_path: Path, statements: Counter[str]
) -> None:
    loop = StillLoop()
    actions = site(CountedSQLite(tmp_path / "runs.db", loop), loop.clock, hot)

    counts = run_in(loop, stream(actions, EVENTS, statements=statements))

    assert counts.appends == BLOCKS
    assert counts.encodes == EVENTS
    assert counts.tasks == 1  # the run's own
    assert counts.timers == 2 + counts.wakes  # one each time that the reader waits, the watch's
    told = RUN_TOLD + 1 + BLOCK_TOLD * BLOCKS  # the run, its input, and each block once
    assert statements["INSERT INTO"] == told
    # Bounds from here, because two threads are at work. A reader that comes late finds more
    # than one block and sends them together, and what the store is asked meanwhile (is there
    # news, for a reader who begins to wait) joins a block's transaction or comes between two.
    assert BLOCKS / 2 <= counts.sends <= 1 + BLOCKS
    assert counts.wakes <= 1 + BLOCKS
    assert BLOCKS <= statements["BEGIN IMMEDIATE"] <= 1.5 * BLOCKS
    assert statements["BEGIN"] <= 2 * BLOCKS
    assert hears_once(counts, statements)
    assert counts.callbacks <= 12 * BLOCKS  # both threads' answers, the run's turn, the reader's


def test_a_paced_stream_sends_each_event_without_a_task_or_a_timer_of_its_own() -> None:
    loop = LeapingLoop()

    counts = run_in(loop, stream(site(CountedMemory(loop), loop.clock, hot, paced), PACED, "paced"))

    assert counts == Counts(
        sends=2 + PACED,  # the head, each event as it comes, the end
        appends=1 + PACED,
        encodes=PACED,
        wakes=3,  # three ticks of the keepalive, at the time of an event each
        tasks=2,  # the run's own, and the one that watches for the disconnect
        timers=5 + PACED,  # the handler's own, one each time that the reader waits, the watch's
        callbacks=9 + PACED,  # the run continues after its pause
    )


def test_a_thread_hands_its_events_over_by_the_thousand() -> None:
    loop, yielded = StillLoop(), 0

    def blocking(n: int) -> Iterator[Token]:
        nonlocal yielded
        while yielded < n:
            yielded += 1
            yield Token(text="token")

    # The loop is told by the thread when that can do no more by itself: otherwise it would be
    # for the machine to say how much has gathered by then.
    loop.hear_late(lambda: wait_for_actions(lambda: yielded > loop.counts.calls * MAX_IN_FLIGHT))
    actions = site(CountedMemory(loop), loop.clock, hot, blocking)

    counts = run_in(loop, stream(actions, EVENTS, "blocking"))

    assert counts == Counts(
        sends=2 + HANDED_OVER,  # the head, and the end
        appends=1 + HANDED_OVER,
        encodes=EVENTS,
        tasks=1,  # the run's own
        timers=3,  # the reader waits twice; and the watch's
        callbacks=5 + 2 * HANDED_OVER,  # the thread's news, the run
        calls=1 + HANDED_OVER,  # and the thread's end
    )


def test_ten_readers_in_three_formats_share_the_bytes_of_one_encoding() -> None:
    loop, gate = LeapingLoop(), asyncio.Event()

    async def gated(n: int) -> AsyncIterator[Token]:
        await gate.wait()
        for i in range(n):
            yield Token(text=f"token {i} ")

    actions = site(CountedMemory(loop), loop.clock, gated)

    counts, listeners = run_in(loop, listen_together(actions, loop.counts, gate))

    assert counts == Counts(
        sends=10 * (1 + BLOCKS) + 8,  # a head and every block each; eight have an opening
        appends=BLOCKS,
        encodes=EVENTS,
        callbacks=42 + BLOCKS,  # the run's turn; once, the beginning and the ends
    )
    pieces = [piece for listener in listeners[:8] for piece in listener.bodies or ()]
    openings = 8
    assert len({id(piece) for piece in pieces}) == openings + BLOCKS


def test_a_request_of_ten_events_costs_two_sends_one_append_and_one_task() -> None:
    loop = LeapingLoop()

    counts = run_in(loop, stream(site(CountedMemory(loop), loop.clock, hot), 10))

    assert counts == Counts(
        sends=2,  # the head, and everything else
        appends=1,
        encodes=10,
        tasks=1,  # the run's own
        callbacks=3,  # the run begins, the reader gets its end, the task is forgotten
    )


def test_a_request_of_ten_events_on_sqlite_costs_three_transactions_that_write(
    tmp_path: Path, statements: Counter[str]
) -> None:
    loop = StillLoop()
    actions = site(CountedSQLite(tmp_path / "runs.db", loop), loop.clock, hot)

    counts = run_in(loop, stream(actions, 10, statements=statements))

    assert (counts.sends, counts.appends, counts.encodes, counts.tasks) == (2, 1, 10, 1)
    assert statements["INSERT INTO"] == RUN_TOLD + 1  # the run, its input
    assert statements["INSERT OR"] == BLOCK_TOLD  # its block
    assert statements["UPDATE runs"] == 1  # it ends
    # Fewer where a thread does two things at a time; the request before can leave one behind.
    assert statements["BEGIN IMMEDIATE"] <= 3 + 1
    assert statements["BEGIN"] <= 2 + 1
    assert hears_once(counts, statements)
    assert counts.callbacks <= 12


async def stream(
    actions: Actions,
    n: int,
    action: str = "hot",
    *,
    statements: Counter[str] | None = None,
) -> Counts:
    """Stream one run when everything is warm, and return what that took."""
    counts = counts_here()
    async with actions.lifespan():
        await start("hot", 10).listen(actions)
        counts.reset()
        if statements is not None:
            statements.clear()
        listener = start(action, n)
        await listener.listen(actions)
        return replace(counts, sends=listener.sends, encodes=Token.encoded)


async def listen_together(
    actions: Actions, counts: Counts, gate: asyncio.Event
) -> tuple[Counts, list[Listener]]:
    """Stream one run to ten readers who are there from its beginning."""
    async with actions.lifespan():
        async with asyncio.TaskGroup() as group:
            listeners = [start("gated", EVENTS, bodies=[])]
            group.create_task(listeners[0].listen(actions))
            id_ = await run_id(listeners[0])
            listeners += [follow(id_, accept) for accept in [SSE] * 7 + [NDJSON, TEXT]]
            for listener in listeners[1:]:
                group.create_task(listener.listen(actions))
                await run_id(listener)
            await asyncio.sleep(1)  # until everybody waits, and each client is watched
            counts.reset()
            gate.set()
        # Counted before the close, which has tasks of its own.
        sends = sum(listener.sends for listener in listeners)
        return replace(counts, sends=sends, encodes=Token.encoded), listeners


def hears_once(counts: Counts, statements: Counter[str]) -> bool:
    """Whether the loop is told of each transaction once.

    Each of both threads can be between the two where the counting begins and where it ends.
    """
    return abs(counts.calls - statements["COMMIT"]) <= 2 * 2


def counts_here() -> Counts:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Counting)
    return loop.counts


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often SQLite was told what, by the first words."""
    told, connect = Counter[str](), sqlite3.connect

    def connect_and_count(*args: Any, **settings: Any) -> sqlite3.Connection:  # noqa: ANN401
        connection: sqlite3.Connection = connect(*args, **settings)
        connection.set_trace_callback(lambda said: told.update([" ".join(said.split()[:2])]))
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect_and_count)
    return told
