"""A store's guarantees for answers to a run's questions."""

import asyncio

from yieldwire.errors import AlreadyAnswered
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore
from yieldwire.testing.contract.harness import StoreHarness, claimed
from yieldwire.testing.contract.sending import send


class AnswerContract:
    """`Inbox.send` with a question: the first answer counts."""

    async def test_the_first_answer_to_a_question_counts(self, harness: StoreHarness) -> None:
        """Every later one is told which was first, and changes nothing."""
        run = await claimed(harness.store)
        first = await send(harness.store, run, Message(0, b"true", question="1", by="ada"))
        other = await send(harness.store, run, Message(0, b"false", question="2"))

        for late in (
            Message(0, b"false", question="1", by="bob"),
            Message(0, b"true", question="1", by="ada", key="k"),
            Message(0, b"", question="1", is_timeout=True),
        ):
            assert await answer_before(harness.store, run, late) == first

        assert list(await harness.store.inbox(run.id, 0)) == [first, other]

    async def test_an_answer_after_the_timeout_is_refused(self, harness: StoreHarness) -> None:
        """A timeout closes a question like an answer."""
        run = await claimed(harness.store)
        timeout = Message(0, b"null", question="1", is_timeout=True)
        first = await send(harness.store, run, timeout)

        for late in (Message(0, b"true", question="1"), timeout):
            assert await answer_before(harness.store, run, late) == first
        await harness.reopen()
        found = await answer_before(harness.store, run, timeout)

        assert found == first
        assert found.is_timeout

    async def test_of_answers_that_race_one_counts(self, harness: StoreHarness) -> None:
        """Two people and the timeout: one closes the question, the others are told which."""
        run = await claimed(harness.store)
        answers = [Message(0, b"%d" % n, question="1") for n in range(6)]
        answers.append(Message(0, b"", question="1", is_timeout=True))
        accepted = list[Message]()

        async with asyncio.TaskGroup() as group:
            told = [
                group.create_task(try_to_answer(harness.store, run, message, accepted))
                for message in answers
            ]

        assert list(await harness.store.inbox(run.id, 0)) == accepted
        assert [each.result() for each in told] == accepted * 7


async def try_to_answer(
    store: RunStore, run: RunRecord, answer: Message, accepted: list[Message]
) -> Message:
    """Return the first answer; if ``answer`` is that, add it to ``accepted``."""
    try:
        first = await send(store, run, answer)
    except AlreadyAnswered as exc:
        return answer_of(exc)
    accepted.append(first)
    return first


async def answer_before(store: RunStore, run: RunRecord, late: Message) -> Message:
    """Return the answer that was before ``late``, which must be refused."""
    try:
        await send(store, run, late)
    except AlreadyAnswered as exc:
        return answer_of(exc)
    raise AssertionError(f"{late} was accepted")


def answer_of(error: AlreadyAnswered) -> Message:
    """Return the message that was first."""
    assert isinstance(error.answer, Message)
    return error.answer
