"""A store's guarantees for feeds that all of their readers share."""

from typing import Final

from yieldwire.errors import KeyReused, NotFound, RateLimited
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.transitions import ARRIVAL_SECONDS
from yieldwire.stores import Admission, Query
from yieldwire.testing.contract.harness import StoreHarness, created, finish, raises, record
from yieldwire.testing.contract.starting import together

FEED: Final = Admission(feed="prices")


class FeedContract:
    """`Store.create` with a feed's identity: one run of a feed at a time."""

    async def test_starts_that_race_for_one_feed_make_one_run(self, harness: StoreHarness) -> None:
        """The look-up and the creation are one step."""
        runs = [record() for _ in range(20)]

        kept = await together(harness, runs, FEED)

        assert len(kept) == 20
        assert len({run.id for run in kept}) == 1
        assert len(await harness.store.find(Query(everyone=True))) == 1

    async def test_a_feed_is_found_for_as_long_as_it_runs(self, harness: StoreHarness) -> None:
        """Every start finds the run's current record, also after the store was reopened."""
        run = await shared(harness)

        assert await shared(harness) == run
        running = await harness.store.claim(run.id, lease=None)
        assert await shared(harness) == running
        await harness.reopen()
        assert await shared(harness) == running

    async def test_a_feed_that_has_ended_starts_again(self, harness: StoreHarness) -> None:
        """However the run ended, the next start creates a new one."""
        ended: list[str] = []
        for kind in (EventType.DONE, EventType.ERROR, EventType.CANCELLED):
            run = await harness.store.claim((await shared(harness)).id, lease=None)
            ended.append(run.id)
            await finish(harness.store, run, kind)

        again = await shared(harness)

        assert len({again.id, *ended}) == 4
        assert again.status is Status.PENDING

    async def test_a_feed_that_was_cancelled_before_it_began_starts_again(
        self, harness: StoreHarness
    ) -> None:
        """A pending run ends with the request to stop."""
        run = await shared(harness)
        await harness.store.request_cancel(run.id, "requested")

        assert (await shared(harness)).id != run.id

    async def test_a_feed_that_was_asked_to_stop_starts_again(self, harness: StoreHarness) -> None:
        """Nobody joins a run that is about to end, although it has not ended."""
        run = await harness.store.claim((await shared(harness)).id, lease=None)
        await harness.store.request_cancel(run.id, "requested")

        again = await shared(harness)

        assert again.id != run.id
        assert (await harness.store.get(run.id)).status is Status.RUNNING

    async def test_a_feed_that_a_sweep_stopped_or_gave_up_starts_again(
        self, harness: StoreHarness
    ) -> None:
        """A feed without readers, and a feed whose worker is lost, end."""
        unread = await harness.store.create(record(linger=30), FEED)
        await harness.store.claim(unread.id, lease=None)
        await harness.advance(31)
        await harness.store.sweep()
        lost = await harness.store.create(record(linger=None), FEED)
        await harness.store.claim(lost.id, lease=10)
        await harness.advance(11)
        await harness.store.sweep()

        again = await shared(harness)

        assert len({unread.id, lost.id, again.id}) == 3

    async def test_a_feed_that_restarts_stays_the_feed(self, harness: StoreHarness) -> None:
        """Between two attempts its run is pending, and continues."""
        run = await harness.store.create(record(linger=None, retries=1), FEED)
        await harness.store.claim(run.id, lease=10)
        await harness.advance(11)
        await harness.store.sweep()

        assert (await shared(harness)).id == run.id

    async def test_the_end_of_an_older_run_leaves_the_feed_to_the_newer(
        self, harness: StoreHarness
    ) -> None:
        """A run that was asked to stop can end long after the next one has started."""
        old = await harness.store.claim((await shared(harness)).id, lease=None)
        await harness.store.request_cancel(old.id, "requested")
        new = await shared(harness)

        await finish(harness.store, old, EventType.CANCELLED)
        await harness.store.purge(old.id)

        assert (await shared(harness)).id == new.id

    async def test_two_feeds_are_two_runs(self, harness: StoreHarness) -> None:
        """Only the identity says what is the same feed: input and action do not."""
        first = await shared(harness)

        second = await harness.store.create(record(), Admission(feed="news"))
        third = await created(harness.store)

        assert len({first.id, second.id, third.id}) == 3

    async def test_feeds_and_keys_never_meet(self, harness: StoreHarness) -> None:
        """The same text used as a key is independent."""
        first = await shared(harness)

        second = await harness.store.create(record(), Admission(key="prices"))

        assert second.id != first.id

    async def test_a_feed_that_runs_passes_the_limits(self, harness: StoreHarness) -> None:
        """A start that finds a run creates none, so no limit refuses it."""
        limited = Admission(feed="prices", action_limit=1, caller_limit=1)
        first = await harness.store.create(record(), limited)

        again = await harness.store.create(record(), limited)

        assert again.id == first.id

    async def test_a_feed_that_was_refused_has_no_run(self, harness: StoreHarness) -> None:
        """A refused start leaves nothing that another one could find."""
        await created(harness.store)
        refused = record()

        with raises(RateLimited):
            await harness.store.create(refused, Admission(feed="prices", caller_limit=1))
        later = await shared(harness)

        assert later.id != refused.id
        with raises(NotFound):
            await harness.store.get(refused.id)

    async def test_who_finds_a_feed_has_its_whole_linger_time(self, harness: StoreHarness) -> None:
        """A feed that was about to stop waits for the new reader."""
        run = await harness.store.create(record(linger=30), FEED)
        await harness.store.claim(run.id, lease=None)
        await harness.advance(25)
        await shared(harness)

        await harness.advance(25)
        assert list(await harness.store.sweep()) == []
        await harness.advance(10)

        assert [swept.id for swept in await harness.store.sweep()] == [run.id]

    async def test_a_feed_waits_for_who_finds_it_whatever_its_linger(
        self, harness: StoreHarness
    ) -> None:
        """Its last reader can leave just before or after that."""
        run = await harness.store.create(record(linger=0), FEED)
        await harness.store.claim(run.id, lease=None)
        await harness.advance(ARRIVAL_SECONDS + 1)
        # What counts is the linger of the feed's run, and not that of the start that finds it.
        assert (await harness.store.create(record(linger=30), FEED)).id == run.id
        await harness.store.hold(run.id, "tab", seconds=0)

        await harness.advance(ARRIVAL_SECONDS - 1)
        assert list(await harness.store.sweep()) == []
        await harness.advance(2)

        assert [swept.id for swept in await harness.store.sweep()] == [run.id]

    async def test_a_known_key_goes_before_the_feed(self, harness: StoreHarness) -> None:
        """A repeated start finds its own run, although the feed has another by then."""
        keyed = Admission(key="k", fingerprint="f", feed="prices")
        run = await harness.store.claim(
            (await harness.store.create(record(), keyed)).id, lease=None
        )
        await finish(harness.store, run)
        await shared(harness)

        again = await harness.store.create(record(), keyed)

        assert (again.id, again.status) == (run.id, Status.COMPLETED)
        with raises(KeyReused):
            await harness.store.create(record(), Admission(key="k", fingerprint="g", feed="prices"))


async def shared(harness: StoreHarness) -> RunRecord:
    """Start the feed, or find its run."""
    return await harness.store.create(record(), FEED)
