"""A store's guarantees for lists of runs."""

from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Query
from yieldwire.testing.contract.harness import StoreHarness, claimed, created, finish, finished


class FindContract:
    """`Store.find`: the matching runs, newest first."""

    async def test_the_newest_run_comes_first(self, harness: StoreHarness) -> None:
        """Runs are listed in the order of their creation, the last one first."""
        runs = [await created(harness.store) for _ in range(4)]

        assert await self._found(harness, Query(owner="ada")) == ids(runs[::-1])

    async def test_an_owner_finds_only_their_own(self, harness: StoreHarness) -> None:
        """Neither another owner's runs nor anonymous runs are on an owner's list."""
        own = await created(harness.store, owner="ada")
        await created(harness.store, owner="ben")
        await created(harness.store, owner=None)

        assert await self._found(harness, Query(owner="ada")) == [own.id]

    async def test_everyone_means_everyone(self, harness: StoreHarness) -> None:
        """Ignoring the owner finds anonymous runs too."""
        runs = [await created(harness.store, owner=owner) for owner in ("ada", "ben", None)]

        assert await self._found(harness, Query(everyone=True)) == ids(runs[::-1])

    async def test_runs_are_found_by_status(self, harness: StoreHarness) -> None:
        """A run is found under its current status."""
        pending = await created(harness.store)
        running = await claimed(harness.store)
        completed = await finished(harness.store)
        cancelled = await created(harness.store)
        await harness.store.request_cancel(cancelled.id, "requested")

        for run, status in (
            (pending, Status.PENDING),
            (running, Status.RUNNING),
            (completed, Status.COMPLETED),
            (cancelled, Status.CANCELLED),
        ):
            assert await self._found(harness, Query(owner="ada", status=status)) == [run.id]
        assert await self._found(harness, Query(owner="ada", status=Status.FAILED)) == []

    async def test_runs_are_found_by_action(self, harness: StoreHarness) -> None:
        """The action's name is compared whole."""
        await created(harness.store, action="counts")
        run = await created(harness.store, action="count")

        assert await self._found(harness, Query(owner="ada", action="count")) == [run.id]

    async def test_runs_are_found_by_each_of_their_labels(self, harness: StoreHarness) -> None:
        """A label is compared whole, and any of them matches."""
        run = await created(harness.store, labels=("nightly", "eu"))
        await created(harness.store, labels=("nightly-test",))

        for label in ("nightly", "eu"):
            assert await self._found(harness, Query(owner="ada", label=label)) == [run.id]

    async def test_runs_are_found_by_their_parent(self, harness: StoreHarness) -> None:
        """A child is found also after its parent is gone, which changes no child."""
        parent = await finished(harness.store)
        child = await created(harness.store, parent=parent.id)
        await created(harness.store, parent=child.id)
        query = Query(owner="ada", parent=parent.id)

        assert (await harness.store.get(child.id)).parent == parent.id
        assert await self._found(harness, query) == [child.id]
        await harness.store.purge(parent.id)

        assert await self._found(harness, query) == [child.id]
        assert await harness.store.get(child.id) == child

    async def test_everything_that_is_asked_for_must_fit(self, harness: StoreHarness) -> None:
        """Filters narrow each other."""
        wanted = await created(harness.store, action="report", labels=("eu",))
        await created(harness.store, action="report", labels=("us",))
        await created(harness.store, action="count", labels=("eu",))
        await created(harness.store, action="report", labels=("eu",), owner="ben")

        query = Query(owner="ada", action="report", label="eu", status=Status.PENDING)

        assert await self._found(harness, query) == [wanted.id]

    async def test_pages_together_are_the_whole_list(self, harness: StoreHarness) -> None:
        """``before`` continues where the last page ended, also among runs that do not match."""
        runs: list[RunRecord] = []
        for _ in range(7):
            runs.append(await created(harness.store))
            await created(harness.store, owner="ben")

        listed: list[str] = []
        before: str | None = None
        while page := await self._found(harness, Query(owner="ada", before=before, limit=3)):
            assert len(page) <= 3
            listed += page
            before = page[-1]

        assert listed == ids(runs[::-1])

    async def test_runs_started_meanwhile_do_not_move_the_next_page(
        self, harness: StoreHarness
    ) -> None:
        """Runs newer than the page are not on the next one."""
        older, newer = await created(harness.store), await created(harness.store)
        await created(harness.store)

        assert await self._found(harness, Query(owner="ada", before=newer.id)) == [older.id]

    async def test_what_is_found_is_the_run_as_it_is(self, harness: StoreHarness) -> None:
        """A list shows the same as asking for each run."""
        run = await claimed(harness.store, labels=("a",))
        await finish(harness.store, run)

        assert await harness.store.find(Query(owner="ada")) == [await harness.store.get(run.id)]

    async def test_a_run_that_was_purged_is_not_found(self, harness: StoreHarness) -> None:
        """A deleted run is on no list."""
        run = await finished(harness.store)

        await harness.store.purge(run.id)

        assert await self._found(harness, Query(everyone=True)) == []

    async def _found(self, harness: StoreHarness, query: Query) -> list[str]:
        return ids(list(await harness.store.find(query)))


def ids(runs: list[RunRecord]) -> list[str]:
    """Return the ids of ``runs``, in their order."""
    return [run.id for run in runs]
