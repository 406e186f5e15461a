"""A store's guarantees for runs that wait in a queue."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial

from yieldwire.errors import Fenced
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import RunStore
from yieldwire.stores.queue import Slots
from yieldwire.testing.contract.harness import (
    SOON,
    StoreHarness,
    claimed,
    created,
    finish,
    raises,
    wakes_all,
)

LEASE = 10.0


class QueueContract:
    """`Queue.take`. The order among several runs is that of `next_in_line`."""

    async def test_a_run_in_a_queue_is_taken_once(self, harness: StoreHarness) -> None:
        """It stays pending, for the one caller who can claim it."""
        run = await created(harness.store, queue="slow")

        taken = await take(harness.store)

        assert taken == run == await harness.store.get(run.id)
        assert await take(harness.store) is None
        assert (await harness.store.claim(run.id, lease=LEASE)).status is Status.RUNNING

    async def test_a_run_of_another_queue_is_not_taken(self, harness: StoreHarness) -> None:
        """Neither is a run that has none: the process that starts it executes it."""
        await created(harness.store)
        run = await created(harness.store, queue="slow")

        assert await harness.store.take(["fast", "faster"], lease=LEASE) is None
        assert await harness.store.take([], lease=LEASE) is None
        assert await harness.store.take(["fast", "slow"], lease=LEASE) == run

    async def test_takes_that_race_give_a_run_to_one(self, harness: StoreHarness) -> None:
        """The others get nothing."""
        runs = [await created(harness.store, queue="slow") for _ in range(5)]

        async with asyncio.TaskGroup() as group:
            takes = [group.create_task(take(harness.store)) for _ in range(8)]

        taken = [run.id for each in takes if (run := each.result()) is not None]
        assert sorted(taken) == sorted(run.id for run in runs)

    async def test_the_oldest_run_is_taken_first(self, harness: StoreHarness) -> None:
        """Of one caller, runs are executed in the order of their starts."""
        runs = [await created(harness.store, queue="slow") for _ in range(3)]

        assert [await take(harness.store) for _ in runs] == runs

    async def test_a_higher_priority_is_taken_first(self, harness: StoreHarness) -> None:
        """It does not matter who came earlier, or has fewer runs in progress."""
        low = await created(harness.store, queue="slow", priority=-1)
        plain = await created(harness.store, queue="slow")
        high = await created(harness.store, queue="slow", priority=5)

        assert [await take(harness.store) for _ in range(3)] == [high, plain, low]

    async def test_a_caller_with_fewer_runs_in_progress_is_taken_first(
        self, harness: StoreHarness
    ) -> None:
        """A flood of one caller delays another's run by one run, also if it has many labels."""
        flood = [
            await created(harness.store, queue="slow", labels=(f"part {n}",)) for n in range(5)
        ]
        assert [await take(harness.store), await take(harness.store)] == flood[:2]
        await harness.store.claim(flood[0].id, lease=LEASE)

        single = await created(harness.store, queue="slow", quota_key="owner:eve", owner="eve")

        assert [await take(harness.store) for _ in range(3)] == [single, flood[2], flood[3]]

    async def test_an_action_has_a_limited_number_of_slots(self, harness: StoreHarness) -> None:
        """Over all callers and workers; a slot is free again when its run has ended."""
        slots = {"count": Slots(total=2)}
        runs = [await created(harness.store, queue="slow", quota_key=f"u{n}") for n in range(3)]
        other = await created(harness.store, queue="slow", action="other")
        for run in runs[:2]:
            assert await take(harness.store, slots) == run

        assert await take(harness.store, slots) == other
        assert await take(harness.store, slots) is None
        await finish(harness.store, await harness.store.claim(runs[0].id, lease=LEASE))
        assert await take(harness.store, slots) == runs[2]

    async def test_a_caller_has_a_limited_number_of_slots_of_an_action(
        self, harness: StoreHarness
    ) -> None:
        """Others are taken meanwhile."""
        slots = {"count": Slots(each=1)}
        first, second = [await created(harness.store, queue="slow") for _ in range(2)]
        other = await created(harness.store, queue="slow", quota_key="owner:eve")

        assert [await take(harness.store, slots) for _ in range(3)] == [first, other, None]
        await harness.store.request_cancel(first.id, "requested")
        assert await take(harness.store, slots) == second

    async def test_a_run_is_not_taken_before_its_time(self, harness: StoreHarness) -> None:
        """A later one that can start already is."""
        early = await created(harness.store, queue="slow")
        late = await created(
            harness.store, queue="slow", priority=9, not_before=early.created_at + 60
        )

        assert [await take(harness.store), await take(harness.store)] == [early, None]
        await harness.advance(61)
        assert await take(harness.store) == late

    async def test_a_run_without_a_queue_is_handed_out_at_its_time(
        self, harness: StoreHarness
    ) -> None:
        """A sweep does that, of whichever process, and gives it to one."""
        now = (await created(harness.store, queue="other")).created_at
        late = await created(harness.store, linger=None, not_before=now + 100)
        assert (await harness.store.get(late.id)).not_before == now + 100

        await harness.advance(99)
        assert [run for run in await harness.store.sweep() if run.id == late.id] == []
        await harness.advance(2)

        assert await harness.store.sweep() == [late]
        assert await harness.store.sweep() == []
        assert (await harness.store.claim(late.id, lease=LEASE)).status is Status.RUNNING

    async def test_a_run_whose_time_is_over_is_handed_out_by_the_next_sweep(
        self, harness: StoreHarness
    ) -> None:
        """No process was there when its time came."""
        late = await created(harness.store, linger=None, not_before=12.5)

        await harness.reopen()
        await harness.advance(1)

        assert await harness.store.sweep() == [late]

    async def test_a_run_that_was_not_claimed_in_time_waits_again(
        self, harness: StoreHarness
    ) -> None:
        """Its worker was lost. A sweep does not hand it to somebody who has no worker."""
        run = await created(harness.store, queue="slow", linger=None)
        await take(harness.store)

        await harness.advance(LEASE + 1)
        await harness.store.sweep()

        await harness.advance(1_000)
        assert [each for each in await harness.store.sweep() if each.id == run.id] == []
        assert await take(harness.store) == run

    async def test_a_run_whose_worker_is_lost_waits_again(self, harness: StoreHarness) -> None:
        """If another attempt is allowed, whichever process has a worker gets it."""
        await created(harness.store, queue="slow", linger=None, retries=1)
        taken = await take(harness.store)
        assert taken is not None
        await harness.store.claim(taken.id, lease=LEASE)

        await harness.advance(LEASE + 1)
        (lost,) = await harness.store.sweep()

        assert (lost.status, lost.id) == (Status.PENDING, taken.id)
        assert await take(harness.store) == lost

    async def test_a_run_that_restarts_waits_for_its_delay(self, harness: StoreHarness) -> None:
        """Then any worker can execute the next attempt."""
        run = await claimed(harness.store, queue="slow", linger=None)

        restarted = await harness.store.restart(run.id, fence=run.fence, delay=100)

        assert await take(harness.store) is None
        await harness.advance(101)
        assert await take(harness.store) == restarted

    async def test_a_run_that_has_ended_is_not_taken(self, harness: StoreHarness) -> None:
        """A cancelled run never starts, whether it was taken or not."""
        waiting, taken = [await created(harness.store, queue="slow") for _ in range(2)]
        await harness.store.request_cancel(waiting.id, "requested")

        assert await take(harness.store) == taken
        await harness.store.request_cancel(taken.id, "requested")
        with raises(Fenced):
            await harness.store.claim(taken.id, lease=LEASE)
        assert await take(harness.store) is None

    async def test_a_queue_is_kept_over_another_opening(self, harness: StoreHarness) -> None:
        """As safely as its runs are."""
        run = await created(harness.store, queue="slow", priority=3, not_before=12.5)

        await harness.reopen()

        assert await take(harness.store) == run
        assert (run.queue, run.priority, run.not_before) == ("slow", 3, 12.5)

    async def test_a_line_tells_how_many_runs_wait_and_since_when(
        self, harness: StoreHarness
    ) -> None:
        """Neither those of other queues nor those that are taken or start later are counted."""
        taken = await created(harness.store, queue="slow")
        await take(harness.store)
        await harness.advance(5)
        oldest = await created(harness.store, queue="slow")
        await created(harness.store, queue="slow", quota_key="owner:eve", priority=3)
        await created(harness.store, queue="other")
        await created(harness.store, queue="slow", not_before=oldest.created_at + 60)

        line = await harness.store.line("slow", [])

        assert (line.depth, line.since) == (2, oldest.created_at)
        assert (await harness.store.line("none", [taken.id])).depth == 0
        assert (await harness.store.line("none", [taken.id])).since is None

    async def test_a_run_that_starts_later_waits_from_its_time(self, harness: StoreHarness) -> None:
        """It does not wait before, so nobody needs another worker for it."""
        now = (await created(harness.store)).created_at
        late = await created(harness.store, queue="slow", not_before=now + 60)
        assert (await harness.store.line("slow", [late.id])).before() == {}

        await harness.advance(90)

        line = await harness.store.line("slow", [late.id])
        assert (line.depth, line.since, line.before()) == (1, now + 60, {late.id: 0})

    async def test_a_line_knows_how_many_runs_are_before_each(self, harness: StoreHarness) -> None:
        """They are taken before it. Each other caller can be counted one too many."""
        callers = ["ada", "ada", "ada", "ben", "eve", "ada", "ben", "ada", "eve", "ada", "eve"]
        runs = [
            await created(
                harness.store,
                queue="slow",
                quota_key=caller,
                action=f"action{number % 3}",
                priority=number % 2,
            )
            for number, caller in enumerate(callers)
        ]
        await take(harness.store)
        await take(harness.store)

        before = (await harness.store.line("slow", [run.id for run in runs])).before()

        order = [run async for run in taken_one_by_one(harness.store)]
        assert {run.id for run in order} == before.keys()
        assert [0 <= before[run.id] - place <= 2 for place, run in enumerate(order)] == [True] * 9
        assert before[order[0].id] == 0

    async def test_only_a_run_that_waits_has_a_place(self, harness: StoreHarness) -> None:
        """One that was taken, has ended, or is in another queue has none."""
        taken, ended, waiting = [await created(harness.store, queue="slow") for _ in range(3)]
        other = await created(harness.store, queue="other")
        await take(harness.store)
        await harness.store.request_cancel(ended.id, "requested")
        asked = [taken.id, ended.id, waiting.id, other.id, "rnever"]

        assert (await harness.store.line("slow", asked)).before() == {waiting.id: 0}

    async def test_there_is_no_wait_for_a_run_that_can_be_taken(
        self, harness: StoreHarness
    ) -> None:
        """A wait returns at once if there is one."""
        run = await created(harness.store, queue="slow")

        async with asyncio.timeout(SOON):
            assert await harness.store.take(["slow"], lease=LEASE, wait=10 * SOON) == run

    async def test_a_wait_for_a_run_ends_after_its_timeout(self, harness: StoreHarness) -> None:
        """A wait does not last forever if nothing comes."""
        await created(harness.store, queue="other")

        async with asyncio.timeout(SOON):
            assert await harness.store.take(["slow"], lease=LEASE, wait=0.01) is None

    async def test_a_new_run_ends_a_wait(self, harness: StoreHarness) -> None:
        """A worker that waits need not ask again and again."""
        await taken_by_waiting(harness.store, partial(created, harness.store, queue="slow"))

    async def test_a_restart_ends_a_wait(self, harness: StoreHarness) -> None:
        """The next attempt does not wait for a sweep."""
        run = await claimed(harness.store, queue="slow")

        restart = partial(harness.store.restart, run.id, fence=run.fence, delay=0)
        await taken_by_waiting(harness.store, restart)


async def take(store: RunStore, slots: dict[str, Slots] | None = None) -> RunRecord | None:
    """Take a run of the queue *slow*."""
    return await store.take(["slow"], slots=slots or {}, lease=LEASE)


async def taken_one_by_one(store: RunStore) -> AsyncIterator[RunRecord]:
    """Take all runs of the queue *slow*."""
    while (run := await take(store)) is not None:
        yield run


async def taken_by_waiting(store: RunStore, act: Callable[[], Awaitable[object]]) -> None:
    """Check that one who waits in ``store`` gets the run that ``act`` puts into the queue."""

    async def wait() -> bool:
        return await store.take(["slow"], lease=LEASE, wait=10 * SOON) is not None

    await wakes_all(wait, act, 1)
