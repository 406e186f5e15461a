"""A store's guarantees for the deliveries of webhooks."""

import asyncio
from collections import Counter

from pydantic_core import from_json

from yieldwire.log.delivery import MAX_DATA_BYTES, Delivery
from yieldwire.log.events import Block, EventType
from yieldwire.stores import RunStore
from yieldwire.stores.deliveries import DEAD_LETTERS_KEPT
from yieldwire.testing.contract.harness import (
    StoreHarness,
    chunks,
    claimed,
    created,
    finish,
    finished,
)

URL = "https://a.example/hook"
OTHER = "https://b.example/hook"
BOTH = (URL, OTHER)
LEASE = 30.0


async def due(store: RunStore, *, limit: int = 100) -> list[Delivery]:
    """Claim everything that is due."""
    return [*await store.due(limit=limit, lease=LEASE)]


async def urls_due(store: RunStore) -> list[str]:
    """Claim everything that is due, and return its URLs."""
    return sorted(each.url for each in await due(store))


class DeliveryContract:
    """`Deliveries`: from the end of a run until each of its webhooks knows."""

    async def test_the_end_of_a_run_creates_its_deliveries(self, harness: StoreHarness) -> None:
        """There is one for each URL, with the same id, and none before the end."""
        run = await claimed(harness.store, webhooks=BOTH, labels=("nightly",))
        await harness.store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        assert await due(harness.store) == []

        await finish(harness.store, run, after=1)

        ended, posted = await harness.store.get(run.id), await due(harness.store)
        assert sorted(each.url for each in posted) == [*BOTH]
        assert {each.id for each in posted} == {f"{run.id}_2"}
        assert {(each.run_id, each.owner, each.tries) for each in posted} == {(run.id, "ada", 1)}
        assert {each.at for each in posted} == {ended.ended_at}
        told = from_json(posted[0].body)
        assert told["type"] == "run.ended"
        assert (told["data"]["id"], told["data"]["status"]) == (run.id, "completed")
        assert told["data"]["labels"] == ["nightly"]

    async def test_a_run_keeps_its_webhooks(self, harness: StoreHarness) -> None:
        """They are facts of its record."""
        run = await created(harness.store, webhooks=BOTH, question_webhooks=(OTHER,))

        kept = await harness.store.get(run.id)
        assert (kept.webhooks, kept.question_webhooks) == (BOTH, (OTHER,))

    async def test_a_run_without_webhooks_has_no_deliveries(self, harness: StoreHarness) -> None:
        """Nothing is kept for it."""
        await finished(harness.store)

        assert await due(harness.store) == []

    async def test_each_way_to_end_creates_deliveries(self, harness: StoreHarness) -> None:
        """A run fails, is cancelled while it is pending, is unread, or its worker is lost."""
        store, hook = harness.store, (URL,)
        failed = await claimed(store, webhooks=hook)
        await finish(store, failed, EventType.ERROR)
        pending = await created(store, webhooks=hook)
        await store.request_cancel(pending.id, "requested")
        unread = await created(store, webhooks=hook, linger=1.0)
        lost = await claimed(store, webhooks=hook, lease=10.0, linger=None)
        await harness.advance(11.0)
        await store.sweep()

        posted = await due(store)

        told = {each.run_id: from_json(each.body)["data"]["status"] for each in posted}
        assert told == {
            failed.id: "failed",
            pending.id: "cancelled",
            unread.id: "cancelled",
            lost.id: "failed",
        }
        assert len(posted) == 4

    async def test_an_end_that_is_repeated_creates_nothing_more(
        self, harness: StoreHarness
    ) -> None:
        """A lost answer of the store does not send a webhook twice."""
        run = await claimed(harness.store, webhooks=(URL,))

        for _ in range(3):
            await finish(harness.store, run)

        assert await urls_due(harness.store) == [URL]

    async def test_another_attempt_is_not_an_end(self, harness: StoreHarness) -> None:
        """A run that restarts has not ended."""
        await claimed(harness.store, webhooks=(URL,), lease=10.0, retries=1)
        await harness.advance(11.0)

        await harness.store.sweep()

        assert await due(harness.store) == []

    async def test_a_delivery_is_claimed_by_one_caller(self, harness: StoreHarness) -> None:
        """Of calls that race, one gets it, in any instance, until the lease is over."""
        one, other = harness.store, await harness.another()
        for _ in range(10):
            await finished(one, webhooks=BOTH)

        async with asyncio.TaskGroup() as group:
            calls = [
                group.create_task(store.due(limit=3, lease=LEASE)) for store in [one, other] * 5
            ]

        claims = Counter((each.id, each.url) for call in calls for each in call.result())
        assert (len(claims), {*claims.values()}) == (20, {1})
        assert await due(one) == await due(other) == []

    async def test_what_a_lost_process_claimed_is_due_again(self, harness: StoreHarness) -> None:
        """After the lease, and the lost try counts."""
        await finished(harness.store, webhooks=(URL,))
        (first,) = await due(harness.store)
        await harness.advance(LEASE - 1.0)
        assert await due(harness.store) == []
        await harness.advance(1.0)

        (second,) = await due(harness.store)

        assert second == first._replace(tries=2)

    async def test_what_was_delivered_is_not_due_again(self, harness: StoreHarness) -> None:
        """Neither later, nor for another URL's failure."""
        await finished(harness.store, webhooks=BOTH)
        first, second = await due(harness.store)
        await harness.store.settle(first)
        await harness.store.settle(second, failure="503", again_in=5.0)
        await harness.advance(3600.0)

        (again,) = await due(harness.store)

        assert again == second._replace(tries=2, failure="503")

    async def test_what_failed_is_due_again_after_its_pause(self, harness: StoreHarness) -> None:
        """Not earlier, and whatever the lease was."""
        await finished(harness.store, webhooks=(URL,))
        (delivery,) = await due(harness.store)
        await harness.store.settle(delivery, failure="503", again_in=300.0)

        await harness.advance(299.0)
        assert await due(harness.store) == []
        await harness.advance(1.0)

        assert await urls_due(harness.store) == [URL]

    async def test_what_was_given_up_is_a_dead_letter(self, harness: StoreHarness) -> None:
        """It is never due, says why, and is sent once more if an operator wants that."""
        await finished(harness.store, webhooks=(URL,))
        (delivery,) = await due(harness.store)
        await harness.store.settle(delivery, failure="gone")
        await harness.advance(1_000_000.0)

        dead = delivery._replace(failure="gone")
        assert await due(harness.store) == []
        assert [*await harness.store.dead_letters(limit=10)] == [dead]
        await harness.store.settle(dead, failure="gone", again_in=0.0)
        assert await due(harness.store) == [dead._replace(tries=2)]
        assert [*await harness.store.dead_letters(limit=10)] == []

    async def test_dead_letters_are_told_newest_first_and_are_limited(
        self, harness: StoreHarness
    ) -> None:
        """An endpoint that is gone does not fill the store, and takes nothing from others."""
        store = harness.store
        await finished(store, webhooks=(OTHER,))
        urls = tuple(f"{URL}/{n:05}" for n in range(DEAD_LETTERS_KEPT + 2))
        await finished(store, webhooks=urls)
        gone = await store.due(limit=len(urls), lease=LEASE, without=[OTHER])
        async with asyncio.TaskGroup() as group:
            for each in sorted(gone, key=lambda one: one.url):
                group.create_task(store.settle(each, failure="gone"))

        newest = [each.url for each in await store.dead_letters(limit=2)]

        assert newest == [urls[-1], urls[-2]]
        assert len(await store.dead_letters(limit=len(urls))) == DEAD_LETTERS_KEPT
        assert await urls_due(store) == [OTHER]

    async def test_the_deliveries_about_a_run_say_what_became_of_them(
        self, harness: StoreHarness
    ) -> None:
        """Those that wait, with the time until their next try, and those that were given up."""
        store = harness.store
        run = await claimed(store, webhooks=BOTH, question_webhooks=(URL,))
        question = Block.of_event(run.id, 1, EventType.QUESTION, b'{"id":"1"}')
        await store.append(run.id, question, after=0, fence=run.fence)
        await finished(store, webhooks=(URL,))
        (asked,) = [each for each in await due(store) if each.run_id == run.id]
        await store.settle(asked, failure="gone")
        await finish(store, run, after=1)
        first, second = await due(store)
        await store.settle(first, failure="503", again_in=300.0)
        await store.settle(second)
        await harness.advance(100.0)

        told, ended = await store.outstanding(run.id)

        assert (told.delivery, told.again_in) == (asked._replace(failure="gone"), None)
        assert ended.delivery == first._replace(failure="503")
        assert ended.again_in is not None
        assert 195.0 < ended.again_in <= 200.0
        assert [*await store.outstanding("r" + "0" * 20)] == []

    async def test_a_late_failure_does_not_change_a_newer_try(self, harness: StoreHarness) -> None:
        """A process whose lease is over cannot take the delivery from the next one."""
        await finished(harness.store, webhooks=(URL,))
        (late,) = await due(harness.store)
        await harness.advance(LEASE)
        (newer,) = await due(harness.store)

        await harness.store.settle(late, failure="late")
        await harness.store.settle(late, failure="late", again_in=0.0)

        assert await due(harness.store) == []
        await harness.advance(LEASE)
        assert await due(harness.store) == [newer._replace(tries=3)]

    async def test_a_late_success_counts(self, harness: StoreHarness) -> None:
        """The receiver has it, so no further try is needed."""
        await finished(harness.store, webhooks=(URL,))
        (late,) = await due(harness.store)
        await harness.advance(LEASE)
        (newer,) = await due(harness.store)

        await harness.store.settle(late)
        await harness.store.settle(newer, failure="503", again_in=0.0)

        assert await due(harness.store) == []

    async def test_the_one_that_is_due_longest_comes_first(self, harness: StoreHarness) -> None:
        """Up to the limit, so that nothing waits forever behind newer ones."""
        for url in ("https://c.example", *BOTH):
            await finished(harness.store, webhooks=(url,))
            await harness.advance(1.0)

        first = await due(harness.store, limit=2)
        rest = await due(harness.store, limit=2)

        assert [each.url for each in first] == ["https://c.example", URL]
        assert [each.url for each in rest] == [OTHER]

    async def test_urls_can_be_left_out(self, harness: StoreHarness) -> None:
        """A slow receiver does not hold back what others wait for."""
        await finished(harness.store, webhooks=BOTH)

        some = await harness.store.due(limit=10, lease=LEASE, without=[URL])

        assert [each.url for each in some] == [OTHER]
        assert await urls_due(harness.store) == [URL]

    async def test_deliveries_outlive_the_runs_retention(self, harness: StoreHarness) -> None:
        """A receiver that was down for longer is told anyway."""
        run = await finished(harness.store, webhooks=(URL,), retention=10.0)
        await harness.advance(11.0)
        assert [*await harness.store.purge()] == [run.id]

        (delivery,) = await due(harness.store)

        assert delivery.run_id == run.id

    async def test_deleting_a_run_deletes_its_deliveries(self, harness: StoreHarness) -> None:
        """Those that wait, and dead letters; those of other runs stay."""
        gone = await finished(harness.store, webhooks=BOTH)
        first, _ = await due(harness.store)
        await harness.store.settle(first, failure="gone")
        await finished(harness.store, webhooks=(URL,))

        await harness.store.purge(gone.id)
        await harness.advance(LEASE)

        assert await urls_due(harness.store) == [URL]
        assert [*await harness.store.dead_letters(limit=10)] == []

    async def test_deliveries_outlive_another_opening(self, harness: StoreHarness) -> None:
        """With their tries and why the last one failed."""
        await finished(harness.store, webhooks=(URL,))
        (delivery,) = await due(harness.store)
        await harness.store.settle(delivery, failure="503", again_in=5.0)

        await harness.reopen()
        await harness.advance(5.0)

        assert await due(harness.store) == [delivery._replace(tries=2, failure="503")]

    async def test_a_large_result_is_left_out(self, harness: StoreHarness) -> None:
        """The receiver is told so, and can read it from the run."""
        run = await claimed(harness.store, webhooks=(URL,))
        data = b'{"result":"%b"}' % (b"x" * MAX_DATA_BYTES)
        block = Block.of_event(run.id, 1, EventType.DONE, data)

        await harness.store.append(run.id, block, after=0, fence=run.fence)

        (delivery,) = await due(harness.store)
        told = from_json(delivery.body)["data"]
        assert (told["truncated"], told["result"]) == (True, None)
        assert len(delivery.body) < MAX_DATA_BYTES

    async def test_a_jump_of_the_wall_clock_makes_nothing_due(self, harness: StoreHarness) -> None:
        """Pauses are durations."""
        await finished(harness.store, webhooks=(URL,))
        (delivery,) = await due(harness.store)
        await harness.store.settle(delivery, failure="503", again_in=300.0)

        await harness.jump(86_400.0)

        assert await due(harness.store) == []
