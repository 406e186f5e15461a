"""A store's guarantees for the right to write to a run, and for asking it to stop."""

import asyncio
from dataclasses import replace

from pydantic_core import from_json

from yieldwire.errors import Fenced, NotFound
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Admission
from yieldwire.testing.contract.harness import (
    StoreHarness,
    chunks,
    claimed,
    created,
    finish,
    finished,
    log_of,
    raises,
    record,
    terminal_events,
)


class ClaimContract:
    """`Leases.claim` and `Leases.heartbeat`."""

    async def test_a_claim_begins_an_attempt(self, harness: StoreHarness) -> None:
        """Status, fence and attempt change in one step, and the log does not change."""
        run = await created(harness.store)

        attempt = await harness.store.claim(run.id, lease=None)

        assert (attempt.status, attempt.attempt) == (Status.RUNNING, 1)
        assert attempt.fence > run.fence
        assert attempt.started_at is not None
        assert attempt == await harness.store.get(run.id)
        assert attempt.seq == 0

    async def test_a_start_can_claim_its_run(self, harness: StoreHarness) -> None:
        """One step creates the run and begins its first attempt."""
        given = record()

        run = await harness.store.create(given, Admission(claims=True, lease=10))

        assert (run.id, run.status, run.attempt) == (given.id, Status.RUNNING, 1)
        assert run.fence > 0
        assert run.started_at == run.created_at
        assert await harness.store.get(run.id) == run
        with raises(Fenced):
            await harness.store.claim(run.id, lease=10)
        await finish(harness.store, run)
        assert (await harness.store.get(run.id)).status is Status.COMPLETED

    async def test_the_lease_of_such_a_run_begins_with_it(self, harness: StoreHarness) -> None:
        """It is renewed and lost as that of any claim; without one nothing is lost."""
        leased, unleased = Admission(claims=True, lease=10), Admission(claims=True)
        lost = await harness.store.create(record(linger=None), leased)
        kept = await harness.store.create(record(linger=None), leased)
        forever = await harness.store.create(record(linger=None), unleased)

        await harness.advance(8)
        assert await harness.store.heartbeat(kept.id, fence=kept.fence, lease=10) is None
        await harness.advance(8)

        assert [run.id for run in await harness.store.sweep()] == [lost.id]
        assert (await harness.store.get(lost.id)).status is Status.FAILED
        assert await harness.store.get(forever.id) == forever

    async def test_a_start_claims_no_run_that_was_there_before(self, harness: StoreHarness) -> None:
        """A repeated key or a feed finds the run as it is."""
        for named in (Admission(key="k"), Admission(feed="f")):
            known = await harness.store.create(record(), named)

            claiming = replace(named, claims=True, lease=10)
            found = await harness.store.create(record(), claiming)

            assert found == known
            assert (await harness.store.get(known.id)).status is Status.PENDING

    async def test_only_a_pending_run_can_be_claimed(self, harness: StoreHarness) -> None:
        """A run that is running, or has ended, cannot be claimed."""
        running, ended = await claimed(harness.store), await finished(harness.store)

        for run in (running, ended):
            with raises(Fenced):
                await harness.store.claim(run.id, lease=10)
            assert await harness.store.get(run.id) == run

    async def test_an_unknown_run_cannot_be_claimed(self, harness: StoreHarness) -> None:
        """Claiming does not create a run."""
        with raises(NotFound):
            await harness.store.claim("rnever", lease=10)

    async def test_claims_that_race_begin_one_attempt(self, harness: StoreHarness) -> None:
        """A run that is delivered to several workers is started by one."""
        run = await created(harness.store)
        fences: list[int] = []

        async def claim() -> None:
            try:
                fences.append((await harness.store.claim(run.id, lease=10)).fence)
            except Fenced:
                return

        async with asyncio.TaskGroup() as group:
            for _ in range(6):
                group.create_task(claim())

        now = await harness.store.get(run.id)
        assert fences == [now.fence]
        assert now.attempt == 1

    async def test_a_heartbeat_renews_the_lease(self, harness: StoreHarness) -> None:
        """A worker that sends heartbeats in time keeps its run, however long that takes."""
        run = await claimed(harness.store, lease=10, linger=None)

        for _ in range(5):
            await harness.advance(8)
            told = await harness.store.heartbeat(run.id, fence=run.fence, lease=10)
            changed = await harness.store.sweep()

            assert (told, list(changed)) == (None, [])
        assert (await harness.store.get(run.id)).status is Status.RUNNING

    async def test_a_heartbeat_brings_the_wish_to_stop(self, harness: StoreHarness) -> None:
        """A worker in another process learns of a cancel by its heartbeat."""
        run = await claimed(harness.store, lease=10)
        await harness.store.request_cancel(run.id, "requested")

        told = await harness.store.heartbeat(run.id, fence=run.fence, lease=10)

        assert told == "requested"

    async def test_a_heartbeat_with_another_fence_is_refused(self, harness: StoreHarness) -> None:
        """Only the holder renews its lease."""
        run = await claimed(harness.store, lease=10)

        for fence in (run.fence - 1, run.fence + 1):
            with raises(Fenced):
                await harness.store.heartbeat(run.id, fence=fence, lease=1_000)

        await harness.advance(11)
        assert [lost.id for lost in await harness.store.sweep()] == [run.id]

    async def test_a_heartbeat_for_a_run_that_does_not_run_is_refused(
        self, harness: StoreHarness
    ) -> None:
        """Before its start and after its end a run has no lease."""
        pending, ended = await created(harness.store), await finished(harness.store)

        for run in (pending, ended):
            with raises(Fenced):
                await harness.store.heartbeat(run.id, fence=run.fence, lease=10)

    async def test_a_lease_is_kept_over_another_opening(self, harness: StoreHarness) -> None:
        """The right to write is in the store, not in the process that opened it."""
        run = await claimed(harness.store, lease=10)

        await harness.reopen()

        await harness.store.heartbeat(run.id, fence=run.fence, lease=10)
        await harness.advance(11)
        assert [lost.id for lost in await harness.store.sweep()] == [run.id]


class CancelContract:
    """`Leases.request_cancel`."""

    async def test_a_pending_run_is_cancelled_at_once(self, harness: StoreHarness) -> None:
        """Its action never starts, and its one event says why it ended."""
        run = await created(harness.store)

        ended = await harness.store.request_cancel(run.id, "requested")

        log = await log_of(harness.store, run.id)
        error = from_json(log[0].data)
        assert (ended.status, ended.cancel_reason, ended.seq) == (Status.CANCELLED, "requested", 1)
        assert ended.ended_at is not None
        assert [event.type for event in log] == [EventType.CANCELLED]
        assert (error["code"], error["runId"]) == ("CANCELLED", run.id)
        assert error["data"] == {"reason": "requested"}
        with raises(Fenced):
            await harness.store.claim(run.id, lease=None)

    async def test_a_running_run_is_asked_to_stop(self, harness: StoreHarness) -> None:
        """A cancel request is a flag: the run continues until its worker ends it."""
        run = await claimed(harness.store)

        asked = await harness.store.request_cancel(run.id, "requested")
        await harness.store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        await finish(harness.store, run, EventType.CANCELLED, after=1)

        assert (asked.status, asked.cancel_reason) == (Status.RUNNING, "requested")
        assert asked.fence == run.fence
        assert (await harness.store.get(run.id)).status is Status.CANCELLED

    async def test_a_run_that_has_ended_stays_as_it_is(self, harness: StoreHarness) -> None:
        """A cancel that comes too late changes nothing, and says so."""
        run = await finished(harness.store)

        answered = await harness.store.request_cancel(run.id, "requested")

        assert answered == run == await harness.store.get(run.id)
        assert answered.cancel_reason is None

    async def test_the_first_reason_stays(self, harness: StoreHarness) -> None:
        """A second request changes nothing."""
        running, pending = await claimed(harness.store), await created(harness.store)

        for run in (running, pending):
            await harness.store.request_cancel(run.id, "unattended")
            again = await harness.store.request_cancel(run.id, "requested")

            assert again.cancel_reason == "unattended"
        assert await terminal_events(harness.store, pending.id) == [EventType.CANCELLED]

    async def test_many_runs_can_be_asked_about_at_once(self, harness: StoreHarness) -> None:
        """Only those that were asked to stop and have not ended are in the answer."""
        store = harness.store
        stopping, running = [await claimed(store) for _ in range(2)]
        await store.request_cancel(stopping.id, "requested")
        ended = await claimed(store)
        await store.request_cancel(ended.id, "requested")
        await finish(store, ended)

        answer = await store.asked_to_stop([stopping.id, running.id, ended.id, "rnever"])

        assert answer == {stopping.id: "requested"}
        assert await store.asked_to_stop([]) == {}

    async def test_an_unknown_run_cannot_be_cancelled(self, harness: StoreHarness) -> None:
        """Cancelling a run that does not exist is an error."""
        with raises(NotFound):
            await harness.store.request_cancel("rnever", "requested")

    async def test_a_cancel_that_races_the_end_leaves_one_end(self, harness: StoreHarness) -> None:
        """Whichever is first, there is one terminal event."""
        for _ in range(5):
            run = await claimed(harness.store)

            async with asyncio.TaskGroup() as group:
                group.create_task(harness.store.request_cancel(run.id, "requested"))
                group.create_task(finish(harness.store, run))

            assert await terminal_events(harness.store, run.id) == [EventType.DONE]
            assert (await harness.store.get(run.id)).status is Status.COMPLETED

    async def test_a_cancel_that_races_the_claim_is_not_lost(self, harness: StoreHarness) -> None:
        """Either the run never starts, or its worker gets the request."""
        for _ in range(5):
            run = await created(harness.store)

            async with asyncio.TaskGroup() as group:
                claim = group.create_task(self._claim(harness, run))
                group.create_task(harness.store.request_cancel(run.id, "requested"))

            now = await harness.store.get(run.id)
            assert now.cancel_reason == "requested"
            assert now.status is (Status.CANCELLED if claim.result() is None else Status.RUNNING)

    async def _claim(self, harness: StoreHarness, run: RunRecord) -> RunRecord | None:
        try:
            return await harness.store.claim(run.id, lease=None)
        except Fenced:
            return None
