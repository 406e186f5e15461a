"""What callers tell a run: answers to its questions, and messages to its action.

Every process validates it, by the type that the action declares, and puts it into the run's inbox.
The process that executes the run reads it there.
"""

from dataclasses import dataclass
from typing import Any, Protocol

from yieldwire.actions.message import MessageType
from yieldwire.actions.registry import Registry
from yieldwire.errors import AlreadyAnswered, CallError, Forbidden, NotFound, PayloadTooLarge
from yieldwire.executors import RunLimits
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Verb
from yieldwire.log.snapshot import Fold, iso_time
from yieldwire.runs.access import Caller
from yieldwire.stores import RunStore


class Keeping(Protocol):
    """What inboxes need of the application."""

    @property
    def store(self) -> RunStore:
        """Where runs are kept."""
        ...

    @property
    def registry(self) -> Registry:
        """The application's actions."""
        ...

    @property
    def run_limits(self) -> RunLimits:
        """The limits for one run."""
        ...

    async def ready(self) -> object:
        """Open the application at its first call."""
        ...

    async def get(self, run_id: str, caller: Caller, verb: Verb = ...) -> RunRecord:
        """Return a run if ``caller`` is allowed to do ``verb`` to it."""
        ...

    async def fold(self, run_id: str) -> Fold:
        """Return the state of the run's log."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Where a message goes, its type, and who sends it.

    ``question`` is the id of the question that it answers; ``None``: it is for the action.
    """

    run_id: str
    kind: MessageType[Any]
    question: str | None
    by: str | None
    """The owner who sends it, or the name in the caller's signed link."""
    is_reader: bool
    """Whether the sender is allowed to read the run."""


class Inboxes:
    """The way of messages to an application's runs."""

    def __init__(self, app: Keeping) -> None:
        self._app = app

    async def question(self, run_id: str, question: str, caller: Caller) -> Recipient:
        """Return the address for an answer of ``caller``, which is allowed to give it.

        Raises:
            NotFound: If there is no such run, or it has not asked this question.
            Unauthorized: If the caller is anonymous and the run has an owner.
            Forbidden: If the run is another owner's, or the caller's link is for another question.
        """
        run = await self._app.get(run_id, caller, "answer")
        grant = caller.grant
        if grant is not None and grant.question not in {None, question}:
            raise Forbidden("This link is for another question.")
        return await self._address(run, question, caller)

    async def messages(self, run_id: str, caller: Caller) -> Recipient:
        """Return the address for messages of ``caller``, which is allowed to send them.

        Raises:
            NotFound: If there is no such run, or its action takes no messages.
            Unauthorized: If the caller is anonymous and the run has an owner.
            Forbidden: If the run is another owner's.
        """
        run = await self._app.get(run_id, caller, "send")
        return await self._address(run, None, caller)

    async def _address(self, run: RunRecord, question: str | None, caller: Caller) -> Recipient:
        by = caller.owner if caller.grant is None else caller.grant.name
        is_reader = await self._may_read(run, caller)
        kind = await self._kind(run, question)
        return Recipient(run_id=run.id, kind=kind, question=question, by=by, is_reader=is_reader)

    async def _may_read(self, run: RunRecord, caller: Caller) -> bool:
        try:
            await self._app.get(run.id, caller)
        except CallError:
            return False
        return True

    async def _kind(self, run: RunRecord, question: str | None) -> MessageType[Any]:
        action = self._app.registry.action_named(run.action)
        if question is None:
            if action.inbox is None:
                raise NotFound(f"{action.name} takes no messages; its declaration has no inbox=.")
            return action.inbox
        name = (await self._app.fold(run.id)).questions.name_of(question)
        kind = None if name is None else action.asks.get(name)
        if kind is None:
            raise NotFound(f"The run {run.id} has not asked a question {question[:100]!r}.")
        return kind

    async def tell(
        self,
        run_id: str,
        value: object,
        *,
        question: str | None = None,
        by: str | None = None,
        key: str | None = None,
    ) -> Message:
        """Put a message of the server's own code into a run's inbox; access is not checked.

        Raises:
            NotFound: If there is no such run or question, or its action takes no messages.
            CallError: As `put` says.
        """
        await self._app.ready()
        kind = await self._kind(await self._app.store.get(run_id), question)
        address = Recipient(run_id=run_id, kind=kind, question=question, by=by, is_reader=True)
        return await self.put(address, value, key=key)

    async def put(self, address: Recipient, value: object, *, key: str | None = None) -> Message:
        """Put a message into its run's inbox, and return it as accepted.

        Args:
            address: Where it goes.
            value: Plain JSON, or a value of the type.
            key: The idempotency key, within the run: the same key and value are one message.

        Raises:
            ValidationFailed: If the value does not match the type.
            PayloadTooLarge: If it is larger than an event can be.
            AlreadyAnswered: If the question has another answer, or timed out. If the caller is
                allowed to read the run, ``data`` says by whom and when.
            KeyReused: If the key belongs to another message.
            RunEnded: If the run has ended.
            InboxFull: If the run takes no more messages.
        """
        limits, data = self._app.run_limits, address.kind.dump(value)
        if len(data) > limits.max_event_bytes:
            raise PayloadTooLarge(
                f"A message of {len(data)} bytes is over the limit of {limits.max_event_bytes}."
            )
        sent = Message(0, data, question=address.question, by=address.by, key=key)
        most, most_bytes = limits.max_messages, limits.max_inbox_bytes
        send = self._app.store.send
        try:
            return await send(address.run_id, sent, most=most, most_bytes=most_bytes)
        except AlreadyAnswered as exc:
            if (first := exc.answer) is not None and address.is_reader:
                exc.data = {"by": first.by, "at": iso_time(first.at)}
            raise
