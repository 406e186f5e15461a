"""A store's guarantees for several instances over the same data, as several processes have them."""

import asyncio
from functools import partial

from yieldwire.errors import Fenced, NotFound, RateLimited, RunCancelled
from yieldwire.log.events import EventType
from yieldwire.log.message import Message
from yieldwire.log.run import Status
from yieldwire.stores import Admission, Query, RunStore
from yieldwire.testing.contract.answering import answer_before, try_to_answer
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
)
from yieldwire.testing.contract.queueing import take, taken_by_waiting
from yieldwire.testing.contract.reading import wakes
from yieldwire.testing.contract.receiving import wakes_inbox
from yieldwire.testing.contract.sending import say, send


class PairContract:
    """Two instances at once: whatever one has done, the other knows when the call returns.

    A store with the reach ``"process"`` has one instance, which is then both of them.
    """

    async def test_what_one_instance_wrote_another_reads(self, harness: StoreHarness) -> None:
        """Records and logs are the same everywhere, while they grow and after they have ended."""
        one, other = harness.store, await harness.another()
        run = await claimed(one)

        for seq in range(1, 6):
            await one.append(run.id, chunks(run.id, seq, 1), after=seq - 1, fence=run.fence)
            assert await other.get(run.id) == await one.get(run.id)
            assert await log_of(other, run.id) == await log_of(one, run.id)
        await finish(one, run, after=5)

        assert (await other.get(run.id)).status is Status.COMPLETED
        assert await log_of(other, run.id) == await log_of(one, run.id)
        assert [(await each.read(run.id, 5))[-1].end for each in (one, other)] == 2 * [
            EventType.DONE
        ]

    async def test_two_instances_can_write_by_turns(self, harness: StoreHarness) -> None:
        """The right to write is the fence, not the instance that gave it."""
        one, other = harness.store, await harness.another()
        run = await claimed(one)

        for seq in range(1, 7):
            store = one if seq % 2 else other
            await store.append(run.id, chunks(run.id, seq, 1), after=seq - 1, fence=run.fence)

        assert [event.seq for event in await log_of(one, run.id)] == [*range(1, 7)]
        assert await log_of(other, run.id) == await log_of(one, run.id)

    async def test_an_append_wakes_readers_of_another_instance(self, harness: StoreHarness) -> None:
        """A wake-up does not end at the process that wrote."""
        one, other = harness.store, await harness.another()
        run = await claimed(one)

        append = partial(one.append, run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        await wakes(other, run.id, 0, append, waiters=3)
        await wakes(other, run.id, 1, partial(finish, one, run, after=1), waiters=3)

    async def test_a_delete_wakes_readers_of_another_instance(self, harness: StoreHarness) -> None:
        """A reader of a deleted run does not keep waiting anywhere."""
        one, other = harness.store, await harness.another()
        run = await finished(one)

        await wakes(other, run.id, 1, partial(one.purge, run.id), waiters=3)

    async def test_starts_that_race_through_two_instances_make_one_run(
        self, harness: StoreHarness
    ) -> None:
        """An idempotency key and a feed belong to all instances."""
        one, other = harness.store, await harness.another()

        for admission in (Admission(key="k", fingerprint="f"), Admission(feed="prices")):
            async with asyncio.TaskGroup() as group:
                starts = [
                    group.create_task(store.create(record(), admission))
                    for store in [one, other] * 5
                ]
            assert len({start.result().id for start in starts}) == 1

        assert len(await other.find(Query(everyone=True))) == 2

    async def test_limits_count_the_runs_of_every_instance(self, harness: StoreHarness) -> None:
        """A caller does not have more runs because requests reach another process."""
        one, other = harness.store, await harness.another()
        await one.create(record(), Admission(caller_limit=1))

        with raises(RateLimited):
            await other.create(record(), Admission(caller_limit=1))

    async def test_of_claims_that_race_through_two_instances_one_starts_the_attempt(
        self, harness: StoreHarness
    ) -> None:
        """A run is executed once."""
        one, other = harness.store, await harness.another()

        for _ in range(5):
            run, fences = await created(one), list[int]()
            async with asyncio.TaskGroup() as group:
                for store in [one, other] * 2:
                    group.create_task(try_to_claim(store, run.id, fences))
            assert fences == [(await one.get(run.id)).fence]

    async def test_a_worker_whose_run_was_taken_over_elsewhere_is_refused(
        self, harness: StoreHarness
    ) -> None:
        """A lost worker cannot write, renew its lease or end the run."""
        one, other = harness.store, await harness.another()
        run = await claimed(one, lease=10, retries=1)
        await one.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        await harness.advance(11)
        await other.sweep()
        again = await other.claim(run.id, lease=10)

        with raises(Fenced):
            await one.append(run.id, chunks(run.id, 3, 1), after=2, fence=run.fence)
        with raises(Fenced):
            await one.heartbeat(run.id, fence=run.fence, lease=10)
        await finish(other, again, after=2)

        types = [event.type for event in await log_of(one, run.id)]
        assert types == [EventType.CHUNK, EventType.RESTARTED, EventType.DONE]

    async def test_a_lost_run_is_taken_over_by_one_of_two_sweeps(
        self, harness: StoreHarness
    ) -> None:
        """Sweeps that race restart a run once."""
        one, other = harness.store, await harness.another()
        run = await claimed(one, lease=10, retries=5)
        await harness.advance(11)

        async with asyncio.TaskGroup() as group:
            sweeps = [group.create_task(store.sweep()) for store in (one, other)]

        assert [swept.id for sweep in sweeps for swept in sweep.result()] == [run.id]
        assert [event.type for event in await log_of(other, run.id)] == [EventType.RESTARTED]

    async def test_a_request_to_stop_reaches_the_worker_of_another_instance(
        self, harness: StoreHarness
    ) -> None:
        """Its next heartbeat says so."""
        one, other = harness.store, await harness.another()
        run = await claimed(one, lease=10)

        assert await one.heartbeat(run.id, fence=run.fence, lease=10) is None
        await other.request_cancel(run.id, "requested")

        assert await one.heartbeat(run.id, fence=run.fence, lease=10) == "requested"

    async def test_a_reader_of_one_instance_counts_in_the_sweep_of_another(
        self, harness: StoreHarness
    ) -> None:
        """A run is attached to its readers wherever they are."""
        one, other = harness.store, await harness.another()
        run = await claimed(one, linger=30)

        await one.hold(run.id, "reader", seconds=100)
        await harness.advance(60)
        assert list(await other.sweep()) == []
        await one.hold(run.id, "reader", seconds=0)
        await harness.advance(31)

        assert [swept.id for swept in await other.sweep()] == [run.id]

    async def test_what_one_instance_deleted_another_does_not_have(
        self, harness: StoreHarness
    ) -> None:
        """Also if it has read it before."""
        one, other = harness.store, await harness.another()
        run = await finished(one)
        await log_of(other, run.id)

        await other.purge(run.id)

        for store in (one, other):
            with raises(NotFound):
                await store.get(run.id)
            with raises(NotFound):
                await store.read(run.id, 1)

    async def test_a_message_to_one_instance_wakes_who_waits_at_another(
        self, harness: StoreHarness
    ) -> None:
        """The attempt runs in one process, and its messages arrive in any."""
        one, other = harness.store, await harness.another()
        run = await claimed(one)

        for after in range(3):
            await wakes_inbox(other, run.id, after, partial(say, one, run), waiters=3)

        assert await other.inbox(run.id, 0) == await one.inbox(run.id, 0)

    async def test_the_end_through_one_instance_ends_waits_for_messages_at_another(
        self, harness: StoreHarness
    ) -> None:
        """However the run ends, and also if it is deleted."""
        one, other = harness.store, await harness.another()
        done, cancelled = await claimed(one), await created(one)
        deleted = await finished(one)

        await wakes_inbox(other, done.id, 0, partial(finish, one, done))
        await wakes_inbox(other, cancelled.id, 0, partial(one.request_cancel, cancelled.id, "x"))
        await wakes_inbox(other, deleted.id, 0, partial(one.purge, deleted.id))

    async def test_messages_that_race_through_two_instances_are_numbered_once(
        self, harness: StoreHarness
    ) -> None:
        """One key is one message, and of the answers to a question one is the first."""
        one, other = harness.store, await harness.another()
        run, accepted = await claimed(one), list[Message]()

        async with asyncio.TaskGroup() as group:
            for n, store in enumerate([one, other] * 5):
                group.create_task(send(store, run, Message(0, b"1", key="k")))
                group.create_task(say(store, run))
                mine = Message(0, b"%d" % n, question="1")
                group.create_task(try_to_answer(store, run, mine, accepted))

        messages = await other.inbox(run.id, 0)
        assert [message.number for message in messages] == [*range(1, 13)]
        assert [message for message in messages if message.question] == accepted
        for store in (one, other):
            late = Message(0, b"late", question="1")
            assert [await answer_before(store, run, late)] == accepted

    async def test_what_one_instance_saved_the_attempt_of_another_reads(
        self, harness: StoreHarness
    ) -> None:
        """Another process can run the next attempt; the former one cannot save any more."""
        one, other = harness.store, await harness.another()
        run = await claimed(one, linger=None)
        await one.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)
        await one.save(run.id, "saved", b"1", seq=1, fence=run.fence)
        await one.restart(run.id, fence=run.fence, delay=0)

        again = await other.claim(run.id, lease=None)

        assert again.saved_seq == 1
        assert dict(await other.saved(run.id)) == {"saved": b"1"}
        with raises(Fenced):
            await one.save(run.id, "saved", b"2", seq=2, fence=run.fence)

    async def test_refused_keys_and_revocations_belong_to_every_instance(
        self, harness: StoreHarness
    ) -> None:
        """A sign-out or a cancelled start is the same everywhere."""
        one, other = harness.store, await harness.another()

        await one.refuse("k", seconds=60)
        at = await one.revoke("ada")

        with raises(RunCancelled):
            await other.create(record(), Admission(key="k"))
        assert dict((await other.revoked(0)).at) == {"ada": at}

    async def test_runs_of_a_queue_are_given_to_one_instance_each(
        self, harness: StoreHarness
    ) -> None:
        """Workers are processes of their own, and take runs at the same time."""
        runs = [await created(harness.store, queue="slow") for _ in range(5)]
        stores = [harness.store, await harness.another()]

        async with asyncio.TaskGroup() as group:
            takes = [group.create_task(take(store)) for store in 4 * stores]

        taken = [run.id for each in takes if (run := each.result()) is not None]
        assert sorted(taken) == sorted(run.id for run in runs)

    async def test_a_run_that_one_instance_puts_into_a_queue_ends_the_wait_of_another(
        self, harness: StoreHarness
    ) -> None:
        """A server starts it, and a worker has waited for it."""
        start = partial(created, harness.store, queue="slow")
        await taken_by_waiting(await harness.another(), start)

    async def test_what_was_asked_of_one_instance_another_learns(
        self, harness: StoreHarness
    ) -> None:
        """A cancel reaches the process that executes the run."""
        run = await claimed(harness.store)

        await harness.store.request_cancel(run.id, "requested")

        assert await (await harness.another()).asked_to_stop([run.id]) == {run.id: "requested"}


async def try_to_claim(store: RunStore, run_id: str, fences: list[int]) -> None:
    """Claim a run, and add the fence to ``fences`` if that succeeds."""
    try:
        run = await store.claim(run_id, lease=10)
    except Fenced:
        return
    fences.append(run.fence)
