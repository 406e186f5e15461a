"""A store's guarantees for keys whose start was cancelled before it arrived."""

import asyncio

from yieldwire.errors import NotFound, RunCancelled
from yieldwire.log.run import RunRecord
from yieldwire.stores import REFUSALS_KEPT, Admission, Query
from yieldwire.testing.contract.harness import StoreHarness, finished, raises, record


class RefusalContract:
    """`Keys.refuse`, and what `Store.create` does with a refused key."""

    async def test_a_refused_key_begins_no_run(self, harness: StoreHarness) -> None:
        """A start that arrives after its cancellation is refused, and nothing is kept of it."""
        late = record()

        assert await harness.store.refuse("k", seconds=60) is None

        with raises(RunCancelled):
            await harness.store.create(late, Admission(key="k", fingerprint="f"))
        with raises(NotFound):
            await harness.store.get(late.id)
        assert await harness.store.find(Query(everyone=True)) == []

    async def test_a_key_that_has_a_run_is_not_refused(self, harness: StoreHarness) -> None:
        """The current run is returned, and the key still identifies it."""
        admission = Admission(key="k", fingerprint="f")
        run = await harness.store.create(record(), admission)
        run = await harness.store.claim(run.id, lease=None)

        found = await harness.store.refuse("k", seconds=60)
        again = await harness.store.create(record(), admission)

        assert found == run
        assert again.id == run.id

    async def test_a_refusal_applies_to_one_key(self, harness: StoreHarness) -> None:
        """Other keys, and starts without one, begin runs."""
        await harness.store.refuse("k", seconds=60)

        for admission in (Admission(key="l"), Admission(key="K"), Admission()):
            run = record()
            assert (await harness.store.create(run, admission)).id == run.id

    async def test_a_refused_key_is_refused_for_a_feed_too(self, harness: StoreHarness) -> None:
        """The key takes precedence over the feed."""
        feed = Admission(feed="clock")
        await harness.store.create(record(), feed)
        await harness.store.refuse("k", seconds=60)

        with raises(RunCancelled):
            await harness.store.create(record(), Admission(feed="clock", key="k"))

    async def test_a_refusal_lasts_as_long_as_was_asked_for(self, harness: StoreHarness) -> None:
        """Sweeps and purges before that time keep it."""
        await harness.store.refuse("k", seconds=60)

        await harness.advance(50)
        await harness.store.sweep()
        await harness.store.purge()

        with raises(RunCancelled):
            await harness.store.create(record(), Admission(key="k"))

    async def test_a_refusal_is_forgotten_after_its_time(self, harness: StoreHarness) -> None:
        """The next sweep removes it."""
        await harness.store.refuse("k", seconds=60)

        await harness.advance(70)
        await harness.store.sweep()

        run = record()
        assert (await harness.store.create(run, Admission(key="k"))).id == run.id

    async def test_a_key_can_be_refused_again_for_longer(self, harness: StoreHarness) -> None:
        """The later of the two times counts."""
        await harness.store.refuse("longer", seconds=60)
        await harness.store.refuse("longer", seconds=600)
        await harness.store.refuse("shorter", seconds=600)
        await harness.store.refuse("shorter", seconds=60)

        await harness.advance(300)
        await harness.store.sweep()

        for key in ("longer", "shorter"):
            with raises(RunCancelled):
                await harness.store.create(record(), Admission(key=key))

    async def test_a_refusal_outlives_another_opening(self, harness: StoreHarness) -> None:
        """What was acknowledged is kept."""
        await harness.store.refuse("k", seconds=60)

        await harness.reopen()

        with raises(RunCancelled):
            await harness.store.create(record(), Admission(key="k"))

    async def test_the_key_of_a_forgotten_run_can_be_refused(self, harness: StoreHarness) -> None:
        """A purge releases the key."""
        run = await harness.store.create(record(), Admission(key="k"))
        await harness.store.request_cancel(run.id, "requested")
        await harness.store.purge(run.id)

        assert await harness.store.refuse("k", seconds=60) is None

        with raises(RunCancelled):
            await harness.store.create(record(), Admission(key="k"))
        await finished(harness.store)

    async def test_a_start_and_its_refusal_that_race_never_miss_each_other(
        self, harness: StoreHarness
    ) -> None:
        """Either the refusal finds the run, or the start is refused."""
        keys = [f"k{number}" for number in range(20)]
        found: dict[str, RunRecord | None] = {}
        kept: dict[str, RunRecord] = {}

        async def refuse(key: str) -> None:
            found[key] = await harness.store.refuse(key, seconds=60)

        async def start(key: str) -> None:
            try:
                kept[key] = await harness.store.create(record(), Admission(key=key))
            except RunCancelled:
                return

        async with asyncio.TaskGroup() as group:
            for number, key in enumerate(keys):
                for each in (start, refuse) if number % 2 else (refuse, start):
                    group.create_task(each(key))

        for key in keys:
            run = found[key]
            assert (None if run is None else run.id) == (kept[key].id if key in kept else None)

    async def test_the_newest_refusals_are_kept(self, harness: StoreHarness) -> None:
        """The number of kept refusals is limited, and the newest are kept."""
        async with asyncio.TaskGroup() as group:
            for number in range(REFUSALS_KEPT):
                group.create_task(harness.store.refuse(f"k{number}", seconds=60))
        await harness.store.refuse("newest", seconds=60)

        for key in ("newest", f"k{REFUSALS_KEPT - 1}", "k1"):
            with raises(RunCancelled):
                await harness.store.create(record(), Admission(key=key))
