"""A store's time-based guarantees: runs without readers, and runs whose worker is lost."""

from pydantic_core import from_json

from yieldwire.errors import Fenced
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.transitions import ARRIVAL_SECONDS
from yieldwire.testing.contract.harness import (
    StoreHarness,
    chunks,
    claimed,
    created,
    finish,
    finished,
    log_of,
    raises,
    terminal_events,
)


class LingerContract:
    """`Leases.hold`, and the sweep of runs without readers."""

    async def test_a_sweep_with_nothing_to_do_changes_nothing(self, harness: StoreHarness) -> None:
        """Runs of every status do not change before they are due."""
        runs = [await created(harness.store), await claimed(harness.store, lease=10)]
        runs.append(await finished(harness.store))

        assert await swept(harness, 1) == []

        assert [await harness.store.get(run.id) for run in runs] == runs

    async def test_a_run_that_nobody_follows_is_asked_to_stop(self, harness: StoreHarness) -> None:
        """An attached run waits for its first reader for ``linger`` seconds, or `ARRIVAL_SECONDS`.

        Of the two, the longer time counts.
        """
        run = await claimed(harness.store, linger=30)

        assert await swept(harness, 25) == []
        (asked,) = await swept(harness, 10)

        assert (asked.id, asked.status) == (run.id, Status.RUNNING)
        assert asked.cancel_reason == "unattended"
        assert asked == await harness.store.get(run.id)

    async def test_a_pending_run_that_nobody_follows_is_cancelled(
        self, harness: StoreHarness
    ) -> None:
        """It ends before it starts."""
        run = await created(harness.store, linger=30)

        (ended,) = await swept(harness, 31)

        assert (ended.id, ended.status) == (run.id, Status.CANCELLED)
        assert await terminal_events(harness.store, run.id) == [EventType.CANCELLED]

    async def test_a_run_waits_for_its_starter_whatever_its_linger(
        self, harness: StoreHarness
    ) -> None:
        """Between a start and its first `Leases.hold` another process can sweep."""
        run = await claimed(harness.store, linger=0)

        assert await swept(harness, ARRIVAL_SECONDS - 1) == []
        assert [asked.id for asked in await swept(harness, 2)] == [run.id]

    async def test_a_run_whose_starter_leaves_at_once_waits_no_longer(
        self, harness: StoreHarness
    ) -> None:
        """What counts from then on is the linger."""
        left = [await claimed(harness.store, linger=linger) for linger in (0, 2)]
        for run in left:
            await harness.store.hold(run.id, "tab", seconds=0)

        assert [asked.id for asked in await swept(harness, 1)] == [left[0].id]
        assert [asked.id for asked in await swept(harness, 2)] == [left[1].id]

    async def test_a_run_is_asked_to_stop_once(self, harness: StoreHarness) -> None:
        """A run is not swept twice."""
        await claimed(harness.store, linger=30)
        await swept(harness, 31)

        assert await swept(harness, 31) == []

    async def test_a_reader_keeps_a_run_going(self, harness: StoreHarness) -> None:
        """A held run is never stopped for lack of readers."""
        run = await claimed(harness.store, linger=30)

        for _ in range(5):
            await harness.store.hold(run.id, "tab", seconds=45)
            assert await swept(harness, 40) == []

    async def test_a_run_lingers_from_when_its_last_reader_left(
        self, harness: StoreHarness
    ) -> None:
        """Of several readers the last one counts."""
        run = await claimed(harness.store, linger=30)
        await harness.store.hold(run.id, "tab", seconds=1_000)
        await harness.store.hold(run.id, "phone", seconds=1_000)

        await harness.advance(100)
        await harness.store.hold(run.id, "tab", seconds=0)
        assert await swept(harness, 100) == []
        await harness.store.hold(run.id, "phone", seconds=0)
        assert await swept(harness, 25) == []

        assert [run.id for run in await swept(harness, 10)] == [run.id]

    async def test_a_reader_that_vanished_has_left_when_its_hold_ends(
        self, harness: StoreHarness
    ) -> None:
        """A reader that leaves without notice expires, and linger starts then."""
        run = await claimed(harness.store, linger=30)
        await harness.store.hold(run.id, "tab", seconds=45)

        assert await swept(harness, 70) == []

        assert [run.id for run in await swept(harness, 10)] == [run.id]

    async def test_a_reader_that_comes_back_in_time_saves_the_run(
        self, harness: StoreHarness
    ) -> None:
        """Linger restarts with each reader that leaves."""
        run = await claimed(harness.store, linger=30)

        for _ in range(4):
            assert await swept(harness, 25) == []
            await harness.store.hold(run.id, "tab", seconds=45)
            await harness.store.hold(run.id, "tab", seconds=0)

        assert [run.id for run in await swept(harness, 31)] == [run.id]

    async def test_a_detached_run_needs_no_readers(self, harness: StoreHarness) -> None:
        """It continues with or without readers."""
        run = await claimed(harness.store, linger=30, detached=True)
        await harness.store.hold(run.id, "tab", seconds=1)

        assert await swept(harness, 10_000) == []

        assert (await harness.store.get(run.id)).cancel_reason is None

    async def test_a_run_can_linger_forever(self, harness: StoreHarness) -> None:
        """``linger=None`` waits for readers forever."""
        run = await claimed(harness.store, linger=None)
        await harness.store.hold(run.id, "tab", seconds=1)

        assert await swept(harness, 10_000) == []

        assert (await harness.store.get(run.id)).cancel_reason is None

    async def test_holding_a_run_that_is_gone_is_not_an_error(self, harness: StoreHarness) -> None:
        """Its readers get the error when they read."""
        run = await finished(harness.store)

        for run_id in (run.id, "rnever"):
            await harness.store.hold(run_id, "tab", seconds=10)
            await harness.store.hold(run_id, "tab", seconds=0)

        assert await harness.store.get(run.id) == run


class LostLeaseContract:
    """The sweep of runs whose worker sends no more heartbeats."""

    async def test_a_run_whose_worker_is_lost_is_interrupted(self, harness: StoreHarness) -> None:
        """By default a run is never started twice; its last event says what happened."""
        run = await claimed(harness.store, lease=10)
        await harness.store.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)

        assert await swept(harness, 8) == []
        (failed,) = await swept(harness, 4)

        log = await log_of(harness.store, run.id)
        assert (failed.id, failed.status, failed.seq) == (run.id, Status.FAILED, 3)
        assert failed == await harness.store.get(run.id)
        assert failed.ended_at is not None
        assert [event.type for event in log[2:]] == [EventType.ERROR]
        assert from_json(log[-1].data)["code"] == "INTERRUPTED"
        assert from_json(log[-1].data)["runId"] == run.id

    async def test_a_worker_that_was_given_up_can_change_nothing(
        self, harness: StoreHarness
    ) -> None:
        """A worker that wakes up after its run was taken away finds the fence raised."""
        for retries in (0, 1):
            run = await claimed(harness.store, lease=10, retries=retries)
            await swept(harness, 11)
            taken, log = await harness.store.get(run.id), await log_of(harness.store, run.id)
            assert taken.fence > run.fence

            with raises(Fenced):
                await harness.store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
            with raises(Fenced):
                await finish(harness.store, run, after=taken.seq)
            with raises(Fenced):
                await harness.store.heartbeat(run.id, fence=run.fence, lease=10)

            assert await harness.store.get(run.id) == taken
            assert await log_of(harness.store, run.id) == log

    async def test_a_run_that_can_be_repeated_is_pending_again(self, harness: StoreHarness) -> None:
        """The log says that another attempt follows, and keeps what the first one wrote."""
        run = await claimed(harness.store, lease=10, retries=1)
        await harness.store.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)

        (restarted,) = await swept(harness, 11)

        log = await log_of(harness.store, run.id)
        assert (restarted.status, restarted.attempt, restarted.seq) == (Status.PENDING, 1, 3)
        assert [event.type for event in log[2:]] == [EventType.RESTARTED]
        assert from_json(log[-1].data) == {"attempt": 2, "keep": 0}

    async def test_the_next_attempt_continues_in_the_same_log(self, harness: StoreHarness) -> None:
        """Seqs continue where the previous attempt stopped."""
        run = await claimed(harness.store, lease=10, retries=1)
        await swept(harness, 11)

        second = await harness.store.claim(run.id, lease=10)
        await harness.store.append(run.id, chunks(run.id, 2, 1), after=1, fence=second.fence)
        await finish(harness.store, second, after=2)

        log = await log_of(harness.store, run.id)
        assert (second.attempt, second.seq) == (2, 1)
        assert [(event.seq, event.type) for event in log] == [
            (1, EventType.RESTARTED),
            (2, EventType.CHUNK),
            (3, EventType.DONE),
        ]

    async def test_attempts_run_out(self, harness: StoreHarness) -> None:
        """``retries`` attempts can follow the first one, and no more."""
        run = await claimed(harness.store, lease=10, linger=None, retries=2)

        for attempt in (2, 3):
            await swept(harness, 11)
            assert (await harness.store.claim(run.id, lease=10)).attempt == attempt
        (failed,) = await swept(harness, 11)

        assert failed.status is Status.FAILED
        assert await terminal_events(harness.store, run.id) == [EventType.ERROR]

    async def test_a_run_that_was_asked_to_stop_is_not_begun_again(
        self, harness: StoreHarness
    ) -> None:
        """A lost worker does not undo a cancel."""
        run = await claimed(harness.store, lease=10, retries=5)
        await harness.store.request_cancel(run.id, "requested")

        (ended,) = await swept(harness, 11)

        assert ended.status.is_terminal
        assert len(await terminal_events(harness.store, run.id)) == 1

    async def test_a_run_that_nobody_follows_is_not_begun_again(
        self, harness: StoreHarness
    ) -> None:
        """If readers and worker are both gone, one sweep ends the run."""
        run = await claimed(harness.store, lease=10, linger=30, retries=5)

        (ended,) = await swept(harness, 31)

        assert (ended.cancel_reason, ended.status.is_terminal) == ("unattended", True)
        assert len(await terminal_events(harness.store, run.id)) == 1

    async def test_a_run_that_waits_for_its_next_attempt_can_be_cancelled(
        self, harness: StoreHarness
    ) -> None:
        """It is pending like any other, and its log ends once."""
        run = await claimed(harness.store, lease=10, retries=1)
        await swept(harness, 11)

        ended = await harness.store.request_cancel(run.id, "requested")

        log = await log_of(harness.store, run.id)
        assert (ended.status, ended.seq) == (Status.CANCELLED, 2)
        assert [event.type for event in log] == [EventType.RESTARTED, EventType.CANCELLED]

    async def test_a_lease_without_a_limit_is_never_lost(self, harness: StoreHarness) -> None:
        """``lease=None`` holds for as long as the store exists."""
        run = await claimed(harness.store, lease=None, detached=True)

        assert await swept(harness, 1_000_000) == []

        assert (await harness.store.get(run.id)).status is Status.RUNNING

    async def test_a_run_that_ended_in_time_is_not_interrupted(self, harness: StoreHarness) -> None:
        """The lease of a run ends with the run."""
        run = await finished(harness.store, lease=10)

        assert await swept(harness, 11) == []

        assert await harness.store.get(run.id) == run


async def swept(harness: StoreHarness, seconds: float) -> list[RunRecord]:
    """Let ``seconds`` pass, and return what the sweep changes then."""
    await harness.advance(seconds)
    return list(await harness.store.sweep())
