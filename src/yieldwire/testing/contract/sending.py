"""A store's guarantees for messages to a run."""

import asyncio
from typing import Final

from yieldwire.errors import InboxFull, KeyReused, NotFound, RunEnded
from yieldwire.log.events import EventType
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore
from yieldwire.testing.contract.harness import (
    StoreHarness,
    claimed,
    created,
    finish,
    log_of,
    raises,
)

MOST: Final = 100
MOST_BYTES: Final = 10_000
"""The room of an inbox, if a test says nothing else."""


class SendContract:
    """`Inbox.send` and what `Inbox.inbox` returns of it."""

    async def test_messages_are_numbered_in_the_order_of_acceptance(
        self, harness: StoreHarness
    ) -> None:
        """Each has its number and the store's time, and reads the same every time."""
        run = await claimed(harness.store)
        sent: list[Message] = []

        for n in range(1, 4):
            message = Message(99, b'"wish %d \xe2\x9c\x93"' % n, by="ada", key=f"k{n}", at=-1.0)
            sent.append(await send(harness.store, run, message))
            await harness.advance(5)

        assert [message.number for message in sent] == [1, 2, 3]
        assert [message.data for message in sent] == [
            b'"wish %d \xe2\x9c\x93"' % n for n in (1, 2, 3)
        ]
        assert all(sent[n].at < sent[n + 1].at for n in range(2))
        assert sent[0].at >= run.created_at
        for after in range(4):
            assert list(await harness.store.inbox(run.id, after)) == sent[after:]

    async def test_messages_outlive_another_opening(self, harness: StoreHarness) -> None:
        """Every field of theirs does, and their numbers continue."""
        run = await claimed(harness.store)
        told = Message(0, b"{}", question="1", by="ada", key="k")
        sent = [
            await send(harness.store, run, message)
            for message in (told, Message(0, b"null", question="2", is_timeout=True))
        ]

        await harness.reopen()

        assert list(await harness.store.inbox(run.id, 0)) == sent
        assert (await say(harness.store, run)).number == 3

    async def test_a_run_takes_messages_before_it_starts_and_between_attempts(
        self, harness: StoreHarness
    ) -> None:
        """Its inbox does not depend on who holds the run, or on a request to stop."""
        run = await created(harness.store)
        await say(harness.store, run)
        attempt = await harness.store.claim(run.id, lease=None)
        await say(harness.store, run)
        await harness.store.restart(run.id, fence=attempt.fence, delay=0)
        await say(harness.store, run)
        again = await harness.store.claim(run.id, lease=None)
        await harness.store.request_cancel(run.id, "requested")
        await say(harness.store, run)

        messages = await harness.store.inbox(run.id, 0)

        assert [message.number for message in messages] == [1, 2, 3, 4]
        assert [event.type for event in await log_of(harness.store, run.id)] == [
            EventType.RESTARTED
        ]
        assert (await harness.store.get(run.id)).fence == again.fence

    async def test_each_run_has_its_own_inbox(self, harness: StoreHarness) -> None:
        """Numbers, keys and questions are within the run."""
        runs = [await claimed(harness.store) for _ in range(2)]

        for run in runs:
            answer = Message(0, run.id.encode(), question="1", key="k")
            assert (await send(harness.store, run, answer)).number == 1

        for run in runs:
            (message,) = await harness.store.inbox(run.id, 0)
            assert message.data == run.id.encode()

    async def test_messages_that_race_have_numbers_without_a_gap(
        self, harness: StoreHarness
    ) -> None:
        """No two have one number, and none is lost."""
        run = await claimed(harness.store)

        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(say(harness.store, run))

        messages = await harness.store.inbox(run.id, 0)
        assert [message.number for message in messages] == [*range(1, 21)]

    async def test_a_message_to_an_unknown_run_is_refused(self, harness: StoreHarness) -> None:
        """A run that was deleted is unknown, and so is its inbox."""
        run = await claimed(harness.store)
        await say(harness.store, run)
        await finish(harness.store, run)
        await harness.store.purge(run.id)

        for run_id in (run.id, "rnever"):
            with raises(NotFound):
                await send(harness.store, run._replace(id=run_id), Message(0, b"1"))
            with raises(NotFound):
                await harness.store.inbox(run_id, 0)

    async def test_a_run_that_has_ended_takes_no_messages(self, harness: StoreHarness) -> None:
        """However it ended; its inbox can be read until the run is deleted."""
        done = await claimed(harness.store)
        sent = await say(harness.store, done)
        await finish(harness.store, done)
        cancelled = await created(harness.store)
        await harness.store.request_cancel(cancelled.id, "requested")
        lost = await claimed(harness.store, lease=10)
        await harness.advance(11)
        await harness.store.sweep()

        for run in (done, cancelled, lost):
            for message in (Message(0, b"1"), Message(0, b"1", question="1")):
                with raises(RunEnded):
                    await send(harness.store, run, message)
            with raises(RunEnded):
                await send(harness.store, run, Message(0, b"", question="1", is_timeout=True))

        assert list(await harness.store.inbox(done.id, 0)) == [sent]
        assert list(await harness.store.inbox(lost.id, 0)) == []

    async def test_a_message_that_races_the_end_is_kept_or_refused(
        self, harness: StoreHarness
    ) -> None:
        """What was accepted is in the inbox, and nothing else."""
        for _ in range(5):
            run, accepted = await claimed(harness.store), list[Message]()

            async with asyncio.TaskGroup() as group:
                for _ in range(3):
                    group.create_task(try_to_say(harness.store, run, accepted))
                group.create_task(finish(harness.store, run))
                group.create_task(try_to_say(harness.store, run, accepted))

            kept = await harness.store.inbox(run.id, 0)
            assert list(kept) == sorted(accepted)

    async def test_the_same_key_returns_the_same_message(self, harness: StoreHarness) -> None:
        """For every caller, also after the end, and over another opening."""
        run = await claimed(harness.store)
        message = Message(0, b'"a"', by="ada", key="k")
        first = await send(harness.store, run, message)
        await say(harness.store, run)

        again = [await send(harness.store, run, message)]
        await finish(harness.store, run)
        again.append(await send(harness.store, run, message._replace(by="bob")))
        await harness.reopen()
        again.append(await send(harness.store, run, message))

        assert again == [first] * 3
        assert len(await harness.store.inbox(run.id, 0)) == 2

    async def test_messages_that_race_with_one_key_are_one_message(
        self, harness: StoreHarness
    ) -> None:
        """The look-up and the acceptance are one step."""
        run = await claimed(harness.store)

        async with asyncio.TaskGroup() as group:
            sends = [
                group.create_task(send(harness.store, run, Message(0, b"1", key="k")))
                for _ in range(10)
            ]

        assert {each.result().number for each in sends} == {1}
        assert len(await harness.store.inbox(run.id, 0)) == 1

    async def test_the_same_key_with_another_message_is_refused(
        self, harness: StoreHarness
    ) -> None:
        """Nothing is accepted then."""
        run = await claimed(harness.store)
        first = await send(harness.store, run, Message(0, b"1", key="k", question="1"))

        for other in (
            Message(0, b"2", key="k", question="1"),
            Message(0, b"1", key="k", question="2"),
            Message(0, b"1", key="k"),
        ):
            with raises(KeyReused):
                await send(harness.store, run, other)

        assert list(await harness.store.inbox(run.id, 0)) == [first]

    async def test_messages_without_a_key_are_never_the_same(self, harness: StoreHarness) -> None:
        """The same data twice is two messages."""
        run = await claimed(harness.store)

        numbers = [(await say(harness.store, run, b"1")).number for _ in range(3)]

        assert numbers == [1, 2, 3]

    async def test_an_inbox_has_room_for_a_number_of_messages(self, harness: StoreHarness) -> None:
        """One more is refused, and nothing of it is kept; a known key needs no room."""
        run = await claimed(harness.store)
        keyed = Message(0, b"1", key="k")
        await send(harness.store, run, keyed, most=2)
        await send(harness.store, run, Message(0, b"2", question="1"), most=2)

        for refused in (Message(0, b"3"), Message(0, b"3", question="2", key="l")):
            with raises(InboxFull):
                await send(harness.store, run, refused, most=2)

        assert (await send(harness.store, run, keyed, most=2)).number == 1
        assert (await send(harness.store, run, Message(0, b"3"), most=3)).number == 3

    async def test_an_inbox_has_room_for_a_number_of_bytes(self, harness: StoreHarness) -> None:
        """The data of all messages counts, to the byte."""
        run = await claimed(harness.store)
        await send(harness.store, run, Message(0, b"1" * 60), most_bytes=100)

        with raises(InboxFull):
            await send(harness.store, run, Message(0, b"2" * 41), most_bytes=100)
        fits = await send(harness.store, run, Message(0, b"3" * 40), most_bytes=100)

        assert fits.number == 2

    async def test_a_timeout_is_never_refused_for_room(self, harness: StoreHarness) -> None:
        """It needs none either: what others can send does not get less."""
        run = await claimed(harness.store)
        await send(harness.store, run, Message(0, b"1"), most=1)

        for question in "abc":
            timeout = Message(0, b"null", question=question, is_timeout=True)
            await send(harness.store, run, timeout, most=1, most_bytes=1)

        assert (await send(harness.store, run, Message(0, b"2"), most=2, most_bytes=2)).number == 5


async def send(
    store: RunStore,
    run: RunRecord,
    message: Message,
    *,
    most: int = MOST,
    most_bytes: int = MOST_BYTES,
) -> Message:
    """Send a message to a run."""
    return await store.send(run.id, message, most=most, most_bytes=most_bytes)


async def say(store: RunStore, run: RunRecord, data: bytes = b'"continue"') -> Message:
    """Send a message for the action's inbox, without a key."""
    return await send(store, run, Message(0, data))


async def try_to_say(store: RunStore, run: RunRecord, accepted: list[Message]) -> None:
    """Send a message, and add it to ``accepted`` unless the run has ended."""
    try:
        accepted.append(await say(store, run))
    except RunEnded:
        return
