"""What callers tell a run: answers to its questions, and messages to its action.

Every process validates it, by the type that the action declares, and puts it into the run's inbox.
The process that executes the run reads it there. Its files are kept first, as `RunFiles` says.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol
from weakref import WeakValueDictionary

from yieldwire.actions.message import MessageType
from yieldwire.actions.upload import Uploads
from yieldwire.errors import (
    AlreadyAnswered,
    CallError,
    Forbidden,
    InboxFull,
    KeyReused,
    NotFound,
    PayloadTooLarge,
    StoreError,
    YieldwireError,
)
from yieldwire.log.attachment import Attachment, attachment_of, new_token, repeats
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.log.snapshot import iso_time
from yieldwire.runs.access import Caller
from yieldwire.runs.blocking import carry_out
from yieldwire.runs.files import RunFiles, keep
from yieldwire.runs.handle import Verbs
from yieldwire.runs.start import uploads_in
from yieldwire.stores.blobs import RunBlobs
from yieldwire.tasks import Tasks


class Owning(Protocol):
    """What is open in one event loop."""

    @property
    def tasks(self) -> Tasks:
        """The tasks that end with it."""
        ...


class Keeping(Verbs, Protocol):
    """What inboxes need of the application."""

    files: RunFiles
    """The files of its runs."""

    async def ready(self) -> Owning:
        """Return what is open. The first call opens the application."""
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
        self._turns = WeakValueDictionary[str, asyncio.Lock]()
        """For each run that is sent files, so that they are counted one message at a time."""

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

        It closes every file in ``value``, also if it raises. If the caller is cancelled, a message
        with files is accepted or refused anyway.

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
            InboxFull: If the run takes no more messages, or no more files.
            StoreError: If a file cannot be kept, or the store failed.
        """
        uploads = Uploads(uploads_in(value))  # also those that no field of the type takes
        try:
            if address.kind.takes_files:
                return await self._put_files(address, value, key, uploads)
            data = self._checked(address.kind.dump(value))
            return await self._send(address, self._message(address, data, key))
        finally:
            uploads.close()

    def _checked(self, data: bytes) -> bytes:
        limit = self._app.run_limits.max_event_bytes
        if len(data) > limit:
            raise PayloadTooLarge(f"A message of {len(data)} bytes is over the limit of {limit}.")
        return data

    @staticmethod
    def _message(address: Recipient, data: bytes, key: str | None) -> Message:
        return Message(0, data, question=address.question, by=address.by, key=key)

    async def _send(self, address: Recipient, message: Message) -> Message:
        limits, send = self._app.run_limits, self._app.store.send
        most, most_bytes = limits.max_messages, limits.max_inbox_bytes
        try:
            return await send(address.run_id, message, most=most, most_bytes=most_bytes)
        except AlreadyAnswered as exc:
            if (first := exc.answer) is not None and address.is_reader:
                exc.data = {"by": first.by, "at": iso_time(first.at)}
            raise

    # Messages with files.

    async def _put_files(
        self, address: Recipient, value: object, key: str | None, uploads: Uploads
    ) -> Message:
        with uploads.collecting():
            checked = address.kind.read(value)
            encode = partial(address.kind.encode, checked, uploads)
            data = self._checked(await carry_out(encode))
        files = list(uploads.described.values())
        token = new_token() if files else ""
        attachment = Attachment(token, sum(each.size for each in files), data)
        # With a key of its own, so that a repeat by the store's client is the same message.
        message = self._message(address, attachment.data, key or token or None)
        if not files:
            return await self._send(address, message)
        tasks = (await self._app.ready()).tasks
        async with self._turns.setdefault(address.run_id, asyncio.Lock()):
            known = await self._known(address.run_id, message, attachment.size)
            if known is not None:
                return known
            kept = self._app.files.of_message(address.run_id, token)
            try:
                await keep(kept, files)
            except BaseException:
                await carry_out(kept.forget)
                raise
            # The store can accept it although the caller is cancelled, so that is waited for.
            task = tasks.own(self._accepted(address, message, kept))
            outcome: Message | YieldwireError = await asyncio.shield(task)
        if isinstance(outcome, YieldwireError):
            raise outcome
        return outcome

    async def _known(self, run_id: str, message: Message, size: int = 0) -> Message | None:
        """Return the accepted message that a message with files repeats.

        Raises:
            KeyReused: If its key belongs to another message.
            InboxFull: If there is no room for ``size`` more bytes of files.
        """
        for known in await self._app.store.inbox(run_id, 0):
            if known.key == message.key:
                if repeats(message, known):
                    return known
                raise KeyReused
            if (attachment := attachment_of(known.data)) is not None:
                size += attachment.size
        if size > self._app.run_limits.max_inbox_file_bytes:
            raise InboxFull
        return None

    async def _accepted(
        self, address: Recipient, message: Message, kept: RunBlobs
    ) -> Message | YieldwireError:
        """Send a message whose files are kept; delete them if it is refused."""
        try:
            return await self._send(address, message)
        except StoreError as exc:
            self._app.files.has_doubts = True  # the store can have the message
            return exc
        except YieldwireError as exc:
            await carry_out(kept.forget)
            if not isinstance(exc, KeyReused):
                return exc
            try:  # another process can have sent the same at the same moment
                return await self._known(address.run_id, message) or exc
            except YieldwireError as error:
                return error
        finally:
            kept.release()
