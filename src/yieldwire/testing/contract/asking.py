"""A store's guarantees for the deliveries about questions."""

from pydantic_core import from_json

from yieldwire.errors import Fenced
from yieldwire.log.events import Block, EventType
from yieldwire.testing.contract.delivering import BOTH, URL, due
from yieldwire.testing.contract.harness import StoreHarness, chunks, claimed, raises

ASKED_AT = 1_000_000_000.0


def asking(run_id: str, first: int) -> Block:
    """Return a block of three events: a question between two chunks."""
    lines = [b'"a"', b'!question {"id":"1","prompt":"Publish?"}', b'"b"']
    return Block.of_chunks(run_id, first, lines, ASKED_AT)


class QuestionContract:
    """`Deliveries`: a question and its deliveries are one step."""

    async def test_a_question_creates_its_deliveries(self, harness: StoreHarness) -> None:
        """In the step that appends it, wherever in the block it is, and not for the end's URL."""
        store = harness.store
        run = await claimed(store, webhooks=(URL,), question_webhooks=BOTH)
        await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        assert await due(store) == []

        await store.append(run.id, asking(run.id, 2), after=1, fence=run.fence)

        posted = await due(store)
        assert sorted(each.url for each in posted) == [*BOTH]
        assert {each.id for each in posted} == {f"{run.id}_3"}
        assert {(each.run_id, each.owner, each.tries) for each in posted} == {(run.id, "ada", 1)}
        assert {each.at for each in posted} == {ASKED_AT}
        told = from_json(posted[0].body)
        assert told["type"] == "run.question"
        assert (told["data"]["id"], told["data"]["status"]) == (run.id, "running")
        assert (told["data"]["seq"], told["data"]["question"]["prompt"]) == (3, "Publish?")

    async def test_a_question_does_not_end_what_its_worker_holds(
        self, harness: StoreHarness
    ) -> None:
        """The run keeps its lease: it is taken away when that is over, and not earlier."""
        store = harness.store
        run = await claimed(store, lease=10.0, linger=None, question_webhooks=(URL,))

        await store.append(run.id, asking(run.id, 1), after=0, fence=run.fence)

        await store.append(run.id, chunks(run.id, 4, 1), after=3, fence=run.fence)
        await harness.advance(9.0)
        assert [*await store.sweep()] == []
        await harness.advance(2.0)
        assert [lost.id for lost in await store.sweep()] == [run.id]

    async def test_a_question_of_a_run_without_question_webhooks_is_told_to_nobody(
        self, harness: StoreHarness
    ) -> None:
        """URLs that are told of the end are not told of it."""
        run = await claimed(harness.store, webhooks=(URL,))

        await harness.store.append(run.id, asking(run.id, 1), after=0, fence=run.fence)

        assert await due(harness.store) == []

    async def test_a_question_that_is_repeated_creates_nothing_more(
        self, harness: StoreHarness
    ) -> None:
        """A lost answer of the store does not send it twice, also after it was delivered."""
        store = harness.store
        run = await claimed(store, question_webhooks=(URL,))
        for _ in range(2):
            await store.append(run.id, asking(run.id, 1), after=0, fence=run.fence)
        (delivery,) = await due(store)
        await store.settle(delivery)

        await store.append(run.id, asking(run.id, 1), after=0, fence=run.fence)

        assert await due(store) == []

    async def test_a_refused_question_creates_no_delivery(self, harness: StoreHarness) -> None:
        """A worker that has lost its run tells nobody."""
        run = await claimed(harness.store, question_webhooks=(URL,))

        with raises(Fenced):
            await harness.store.append(run.id, asking(run.id, 1), after=0, fence=run.fence + 1)

        assert await due(harness.store) == []

    async def test_a_question_in_the_last_block_is_told_with_the_end(
        self, harness: StoreHarness
    ) -> None:
        """One delivery for each event."""
        run = await claimed(harness.store, webhooks=(URL,), question_webhooks=(URL,))
        block = asking(run.id, 1).ended(EventType.DONE, b"{}")

        await harness.store.append(run.id, block, after=0, fence=run.fence)

        assert {each.id for each in await due(harness.store)} == {f"{run.id}_2", f"{run.id}_4"}
