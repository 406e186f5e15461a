"""What others tell a run: the contract of its inbox, and which messages it takes.

A run's log has one writer, the attempt. Everybody else writes into the run's inbox, and the
attempt reads it there, in whichever process it runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from yieldwire.errors import AlreadyAnswered, InboxFull, KeyReused, RunEnded
from yieldwire.log.message import Message


class Inbox(Protocol):
    """Messages to one run, numbered 1, 2, 3 in the order in which they were accepted."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        """Accept a message to a run that has not ended, and return it with its number and time.

        This is one step. An accepted message is kept as safely as an event, and never changes.
        A message with a key that the run's inbox knows is not accepted again: the known one is
        returned, also if the run has ended meanwhile. The first message with a question's id
        answers the question.

        Args:
            run_id: A run created by `Store.create`.
            message: Its ``number`` and ``at`` are ignored.
            most: How many messages the inbox has room for, timeouts not counted.
            most_bytes: How many bytes of data it has room for, timeouts not counted.

        Raises:
            NotFound: If there is no such run.
            KeyReused: If the key's message has other data or another question.
            RunEnded: If the run has ended.
            AlreadyAnswered: If the question has an answer or timed out; its ``answer`` is the
                message that was first.
            InboxFull: If there is no room for it. A timeout needs none.
            StoreError: If the store failed; whether it was accepted is unknown. With a key, or
                for a question, the call can be repeated.
        """
        ...

    async def inbox(self, run_id: str, after: int, *, wait: float = 0.0) -> Sequence[Message]:
        """Return the messages after number ``after``, in order.

        If there are none yet, wait for at most ``wait`` seconds until one is accepted, the run
        has ended or it is deleted, by whichever process. Empty if there is nothing then. A wait
        can also return early with nothing; the caller reads again.

        Raises:
            NotFound: If there is no such run, or it was deleted during the wait.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxState:
    """What an inbox has when a message arrives.

    Attributes:
        known: The message with the same key.
        answer: The message that answers the same question.
        last: The number of the newest message.
        count: How many messages there are, timeouts not counted.
        size: The bytes of their data.
        has_ended: Whether the run has ended.
    """

    known: Message | None
    answer: Message | None
    last: int
    count: int
    size: int
    has_ended: bool

    @classmethod
    def of(cls, messages: Sequence[Message], message: Message, *, has_ended: bool) -> Self:
        """Return the state of an inbox with these messages when ``message`` arrives."""
        keys = {each.key: each for each in messages if each.key is not None}
        answers = {each.question: each for each in messages if each.question is not None}
        sizes = [len(each.data) for each in messages if not each.is_timeout]
        return cls(
            known=None if message.key is None else keys.get(message.key),
            answer=None if message.question is None else answers.get(message.question),
            last=len(messages),
            count=len(sizes),
            size=sum(sizes),
            has_ended=has_ended,
        )


def accept(message: Message, state: InboxState, *, most: int, most_bytes: int) -> Message | None:
    """Return the known message that ``message`` repeats, or ``None`` if it must be kept.

    Raises:
        KeyReused: If it is not the same as the one with its key.
        RunEnded: If the run has ended.
        AlreadyAnswered: If the question was answered or timed out.
        InboxFull: If there is no room for it.
    """
    if state.known is not None:
        if not message.repeats(state.known):
            raise KeyReused
        return state.known
    if state.has_ended:
        raise RunEnded
    if state.answer is not None:
        raise AlreadyAnswered(state.answer)
    is_over = state.count >= most or state.size + len(message.data) > most_bytes
    if is_over and not message.is_timeout:
        raise InboxFull
    return None
