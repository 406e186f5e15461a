"""A store's guarantees for deleting runs."""

from yieldwire.errors import Conflict, NotFound
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Admission, Query
from yieldwire.testing.contract.harness import (
    StoreHarness,
    claimed,
    created,
    finish,
    finished,
    log_of,
    raises,
    record,
)


class PurgeContract:
    """`Leases.purge`."""

    async def test_a_run_is_forgotten_when_its_retention_is_over(
        self, harness: StoreHarness
    ) -> None:
        """Record and log are deleted together."""
        run = await finished(harness.store, retention=100)

        await harness.advance(95)
        assert list(await harness.store.purge()) == []
        await harness.advance(10)
        assert list(await harness.store.purge()) == [run.id]

        with raises(NotFound):
            await harness.store.get(run.id)
        with raises(NotFound):
            await harness.store.read(run.id, 0)

    async def test_retention_counts_from_the_end(self, harness: StoreHarness) -> None:
        """However long a run took, it is kept equally long after its end."""
        run = await claimed(harness.store, retention=100)
        await harness.advance(1_000)
        await finish(harness.store, run)

        await harness.advance(95)

        assert list(await harness.store.purge()) == []

    async def test_runs_that_the_store_ended_are_forgotten_too(self, harness: StoreHarness) -> None:
        """Whatever wrote the end, retention starts with it."""
        cancelled = await created(harness.store, retention=100)
        await harness.store.request_cancel(cancelled.id, "requested")
        lost = await claimed(harness.store, lease=10, retention=100)
        await harness.advance(11)
        await harness.store.sweep()

        await harness.advance(101)

        assert {*await harness.store.purge()} == {cancelled.id, lost.id}

    async def test_a_run_that_has_not_ended_is_never_forgotten(self, harness: StoreHarness) -> None:
        """An unfinished run is never deleted."""
        runs = [
            await created(harness.store, retention=0),
            await claimed(harness.store, retention=0),
        ]

        await harness.advance(10_000_000)
        purged = await harness.store.purge()

        assert list(purged) == []
        assert [await harness.store.get(run.id) for run in runs] == runs

    async def test_other_runs_stay(self, harness: StoreHarness) -> None:
        """Each run has its own retention."""
        short = await finished(harness.store, retention=10)
        long = await finished(harness.store, retention=1_000)

        await harness.advance(11)

        assert list(await harness.store.purge()) == [short.id]
        assert await harness.store.get(long.id) == long
        assert len(await log_of(harness.store, long.id)) == 1

    async def test_a_purge_sets_the_key_free(self, harness: StoreHarness) -> None:
        """A key is kept exactly as long as its run."""
        admission = Admission(key="k", fingerprint="f")
        run = await self._ended_with_key(harness, admission)
        await harness.advance(11)
        await harness.store.purge()

        again = await harness.store.create(record(), Admission(key="k", fingerprint="g"))

        assert again.id != run.id

    async def test_one_run_can_be_forgotten_by_name(self, harness: StoreHarness) -> None:
        """Its log and its key are deleted with it, before their time."""
        admission = Admission(key="k", fingerprint="f")
        run = await self._ended_with_key(harness, admission)

        assert list(await harness.store.purge(run.id)) == [run.id]

        with raises(NotFound):
            await harness.store.get(run.id)
        assert (await harness.store.create(record(), admission)).id != run.id

    async def test_only_an_ended_run_can_be_forgotten_by_name(self, harness: StoreHarness) -> None:
        """An unfinished run must be cancelled first."""
        runs = [await created(harness.store), await claimed(harness.store)]

        for run in runs:
            with raises(Conflict):
                await harness.store.purge(run.id)
            assert await harness.store.get(run.id) == run

    async def test_an_unknown_run_cannot_be_forgotten(self, harness: StoreHarness) -> None:
        """Deleting twice is an error the second time."""
        run = await finished(harness.store)
        await harness.store.purge(run.id)

        for run_id in (run.id, "rnever"):
            with raises(NotFound):
                await harness.store.purge(run_id)

    async def test_a_purge_comes_once(self, harness: StoreHarness) -> None:
        """A run that was deleted by name is not deleted again by time."""
        run = await finished(harness.store, retention=10)
        await harness.store.purge(run.id)

        await harness.advance(11)

        assert list(await harness.store.purge()) == []

    async def test_the_wall_clock_can_jump(self, harness: StoreHarness) -> None:
        """Leases, linger and retention do not depend on it while the machine is running."""
        running = await claimed(harness.store, lease=10, linger=30)
        ended = await finished(harness.store, retention=100)

        for seconds in (86_400.0, -172_800.0):
            await harness.jump(seconds)
            assert list(await harness.store.sweep()) == []
            assert list(await harness.store.purge()) == []

        assert await harness.store.get(running.id) == running
        assert await harness.store.get(ended.id) == ended
        await harness.advance(101)
        assert [run.id for run in await harness.store.sweep()] == [running.id]
        assert list(await harness.store.purge()) == [ended.id]
        assert await harness.store.find(Query(everyone=True, status=Status.COMPLETED)) == []

    async def _ended_with_key(self, harness: StoreHarness, admission: Admission) -> RunRecord:
        run = await harness.store.create(record(retention=10), admission)
        run = await harness.store.claim(run.id, lease=None)
        await finish(harness.store, run)
        return run
