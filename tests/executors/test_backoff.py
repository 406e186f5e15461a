"""A store that fails is asked again for a while, and no run is left in between by that."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest

from tests.support.faults import Faults, writing
from tests.support.runs import SOON, Outcome, call, first_chunk, opened, outcome
from tests.support.virtual import run_virtually
from yieldwire.actions.stream import StreamableValue
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import AppendConflict, Fenced, StoreError
from yieldwire.executors import RunLimits
from yieldwire.executors.backoff import LONGEST_PAUSE, with_backoff
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Reach
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock

T = TypeVar("T")

PATIENCE = 10.0


class Outage:
    """Something that fails until a time, in an event loop that starts at 0."""

    def __init__(self, until: float) -> None:
        self.until, self.asked = until, list[float]()

    async def call(self) -> str:
        now = asyncio.get_running_loop().time()
        self.asked.append(now)
        if now < self.until:
            raise StoreError("The disk is full.")
        return "kept"


def patience_with(outage: Outage) -> tuple[str | None, float]:
    """Return what came of it, and after how many seconds."""

    async def ask() -> tuple[str | None, float]:
        loop = asyncio.get_running_loop()
        begun, outage.until = loop.time(), outage.until + loop.time()
        try:
            told = await with_backoff(outage.call, PATIENCE, "r1")
        except StoreError:
            told = None
        return told, loop.time() - begun

    return run_virtually(ask())


def test_a_store_that_works_is_asked_once() -> None:
    outage = Outage(until=0.0)

    assert patience_with(outage) == ("kept", 0.0)
    assert len(outage.asked) == 1


def test_a_store_that_comes_back_in_time_is_noticed_within_a_pause() -> None:
    told, seconds = patience_with(Outage(until=PATIENCE / 2))

    assert told == "kept"
    assert seconds <= PATIENCE / 2 + LONGEST_PAUSE


def test_a_store_that_stays_away_is_not_waited_for_any_longer() -> None:
    told, seconds = patience_with(Outage(until=1_000.0))

    assert told is None
    assert PATIENCE - LONGEST_PAUSE <= seconds <= PATIENCE


def test_a_store_is_asked_less_and_less_often() -> None:
    outage = Outage(until=1_000.0)
    patience_with(outage)

    pauses = [after - before for before, after in zip(outage.asked, outage.asked[1:], strict=False)]

    assert pauses == sorted(pauses)
    assert max(pauses) <= LONGEST_PAUSE


@pytest.mark.parametrize("refusal", [Fenced("It is another's."), AppendConflict("At seq 3.")])
async def test_a_refusal_is_not_a_failure(refusal: StoreError) -> None:
    calls = list[None]()

    async def refuse() -> None:
        calls.append(None)
        raise refusal

    with pytest.raises(type(refusal), match=str(refusal)):
        await with_backoff(refuse, PATIENCE, "r1")
    assert len(calls) == 1


# Whole runs.


class OutOfOrder(MemoryStore):
    """Fails whatever is written while it `fails`, after it was done or before."""

    def __init__(self, *, does: bool) -> None:
        super().__init__()
        self.fails, self.does = False, does

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        return await self._fail(
            lambda: MemoryStore.append(self, run_id, block, after=after, fence=fence)
        )

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        return await self._fail(lambda: MemoryStore.claim(self, run_id, lease=lease))

    async def _fail(self, call: Callable[[], Awaitable[T]]) -> T:
        if not self.fails:
            return await call()
        if self.does:
            await call()
        raise StoreError("The disk is full.")


@pytest.fixture(params=[True, False], ids=["after it has written", "before it writes"])
def store(request: pytest.FixtureRequest) -> OutOfOrder:
    return OutOfOrder(does=request.param)


def run_with(store: OutOfOrder, action: Callable[..., Any], patience: float = PATIENCE) -> Outcome:
    """Run an action in virtual time; when its store has failed for good, it works again."""

    async def run() -> Outcome:
        app = App(store=store, run_limits=RunLimits(store_patience=patience))
        await app.open()
        try:
            return await call(app, action)
        finally:
            await app.close()

    return run_virtually(run())


def seqs(heard: Outcome) -> list[int]:
    return [event.seq for event in heard.events]


def repair(store: OutOfOrder, *, after: float) -> None:
    """Let the store fail for that many seconds from now on."""
    store.fails = True
    asyncio.get_running_loop().call_later(after, setattr, store, "fails", False)


def test_a_short_outage_delays_a_run_and_changes_nothing(store: OutOfOrder) -> None:
    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(1)
        repair(store, after=PATIENCE / 2)
        yield 2
        await asyncio.sleep(1)
        yield 3

    heard = run_with(store, act)

    assert (heard.chunks, heard.code) == ([1, 2, 3], None)
    assert seqs(heard) == [1, 2, 3, 4]


def test_a_thread_waits_for_the_store_too(store: OutOfOrder) -> None:
    # In real time: a virtual clock does not wait for threads.
    def act() -> Iterator[int]:
        yield 1
        store.fails = True
        yield from (2, 3)

    async def run() -> Outcome:
        app = App(store=store, run_limits=RunLimits(store_patience=PATIENCE))
        await app.open()
        try:
            started = await app.start(app.action(act))
            async with asyncio.TaskGroup() as group:
                group.create_task(mend())
                return await outcome(started)
        finally:
            await app.close()

    async def mend() -> None:
        while not store.fails:  # noqa: ASYNC110 - set by the thread
            await asyncio.sleep(0)
        store.fails = False

    heard = asyncio.run(run())

    assert (heard.chunks, heard.code) == ([1, 2, 3], None)
    assert seqs(heard) == [1, 2, 3, 4]


def test_a_long_outage_ends_the_run_where_its_log_stands(store: OutOfOrder) -> None:
    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(1)
        repair(store, after=PATIENCE + 5)
        yield 2
        await asyncio.sleep(1)
        yield 3

    heard = run_with(store, act)

    assert (heard.chunks, heard.code) == ([1, 2], "INTERRUPTED")
    assert seqs(heard) == [1, 2, 3]


def test_what_nobody_waits_for_ends_the_run_as_well(store: OutOfOrder) -> None:
    async def act(value: StreamableValue[int]) -> None:
        value.update(1)
        await asyncio.sleep(1)
        repair(store, after=PATIENCE + 5)
        asyncio.get_running_loop().call_soon(value.update, 2)
        await asyncio.Event().wait()

    heard = run_with(store, act)

    assert heard.code == "INTERRUPTED"
    assert seqs(heard) == [1, 2, 3]


def test_an_end_is_written_when_the_store_works_again(store: OutOfOrder) -> None:
    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(1)
        repair(store, after=PATIENCE / 2)

    heard = run_with(store, act)

    assert (heard.chunks, heard.code) == ([1], None)
    assert seqs(heard) == [1, 2]


def test_a_cancelled_run_does_not_wait_for_its_store_twice(store: OutOfOrder) -> None:
    times = list[float]()

    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(1)
        repair(store, after=2.0)
        yield 2
        await asyncio.sleep(1_000)

    async def run() -> Outcome:
        app = App(store=store, run_limits=RunLimits(store_patience=PATIENCE))
        await app.open()
        try:
            started = await app.start(app.action(act))
            await asyncio.sleep(1.5)
            begun = asyncio.get_running_loop().time()
            await started.cancel()
            heard = await outcome(started)
            times.append(asyncio.get_running_loop().time() - begun)
            return heard
        finally:
            await app.close()

    heard = run_virtually(run())

    assert heard.code == "CANCELLED"
    assert seqs(heard) == [1, 2, 3]
    assert times[0] <= 2.0 + LONGEST_PAUSE


def test_an_end_that_cannot_be_written_is_left_to_the_lease(
    store: OutOfOrder, caplog: pytest.LogCaptureFixture
) -> None:
    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.sleep(0)
        store.fails = True

    async def run() -> Status:
        app = App(store=store, run_limits=RunLimits(store_patience=PATIENCE))
        await app.open()
        started = await app.start(app.action(act))
        await asyncio.sleep(2 * PATIENCE)
        await app.close()
        return (await store.get(started.id)).status

    status = run_virtually(run())

    assert status is (Status.COMPLETED if store.does else Status.RUNNING)
    assert "the run's end was not written" in caplog.text


class SharedOutOfOrder(OutOfOrder):
    """The same, whose runs are leased: other processes could take them over."""

    reach: ClassVar[Reach] = "machine"


def test_a_run_that_cannot_be_claimed_is_left_to_a_sweep_where_processes_share_the_store(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store, begun = SharedOutOfOrder(does=False), list[None]()

    async def act() -> None:
        begun.append(None)

    async def run() -> Status:
        app = App(store=store, run_limits=RunLimits(store_patience=PATIENCE))
        await app.open()
        store.fails = True
        started = await app.start(app.action(act))
        await asyncio.sleep(2 * PATIENCE)
        await app.close()
        return (await store.get(started.id)).status

    status = run_virtually(run())

    assert (status, begun) == (Status.PENDING, [])
    assert [each.message for each in caplog.records if each.levelno == logging.ERROR] == [
        "the run is left to a sweep"
    ]


def test_a_run_that_nobody_else_could_claim_is_claimed_when_its_store_works_again() -> None:
    store = OutOfOrder(does=False)

    async def act() -> str:
        return "done"

    async def run() -> object:
        app = App(store=store, run_limits=RunLimits(store_patience=PATIENCE))
        await app.open()
        store.fails = True
        started = await app.start(app.action(act))
        await asyncio.sleep(10 * PATIENCE)
        store.fails = False
        try:
            return await started.result()
        finally:
            await app.close()

    assert run_virtually(run()) == "done"


def test_a_claim_whose_answer_was_lost_does_not_begin_the_action_twice() -> None:
    store, begun = OutOfOrder(does=True), list[None]()

    async def act() -> None:
        begun.append(None)

    async def run() -> None:
        app = App(store=store, run_limits=RunLimits(store_patience=PATIENCE))
        await app.open()
        repair(store, after=1.0)
        await app.start(app.action(act))
        await asyncio.sleep(2 * PATIENCE)
        await app.close()

    run_virtually(run())

    assert begun == []


async def test_a_run_on_a_full_disk_ends_when_there_is_room_and_its_lease_is_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock, may_go_on = MovingClock(), asyncio.Event()

    async def act() -> AsyncIterator[int]:
        yield 1
        await may_go_on.wait()
        yield 2

    with Faults().installed() as faults:
        store = SQLiteStore(tmp_path / "runs.db", clock=clock)
        limits, timing = RunLimits(store_patience=0.0), Timing(lease=15.0, sweep_every=3600.0)
        async with opened(App(store=store, run_limits=limits, timing=timing)) as app:
            run = await app.start(app.action(act))
            await first_chunk(run)
            faults.fails = writing
            may_go_on.set()
            async with asyncio.timeout(SOON):
                while "the run's end was not written" not in caplog.text:  # noqa: ASYNC110 - logged
                    await asyncio.sleep(0.01)
            faults.repair()
            clock.advance(16.0)
            await app.sweep()
            heard = await outcome(run)

    assert (heard.chunks, heard.code) == ([1], "INTERRUPTED")
    assert seqs(heard) == [1, 2]
