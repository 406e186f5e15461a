"""One run on a server: its chunks, its result, its questions, and what it is told."""

import secrets
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from pydantic_core import from_json, to_json

from yieldwire.client.body import EMPTY, Content, OnUpload, content_of
from yieldwire.client.follower import Follower
from yieldwire.client.http import Answer
from yieldwire.client.patience import Limit
from yieldwire.client.runtypes import UNTYPED, A, C, M, R, RunTypes
from yieldwire.client.wire import Request, Wire, path_of
from yieldwire.display.following import show_in_cell, show_until_end
from yieldwire.errors import ErrorObject, Json
from yieldwire.errors.lookup import error_from
from yieldwire.log.cursor import Cursor, cursor_in
from yieldwire.log.events import Event, EventType
from yieldwire.log.run import TERMINAL

_KNOWN: Final = frozenset(EventType)

C2 = TypeVar("C2")
R2 = TypeVar("R2")


class RemoteRun(Generic[C, R, A, M]):
    """A run on a server: iterate it for its chunks, await its result.

    It is one reader, which continues from its cursor: each event is handed out only once. To
    read a run from its start, or twice at the same time, attach to it again.

    Its types are those of its chunks, its result, the answers to its questions and the messages
    that it takes. They are plain JSON, unless a generated module has started or found the run.
    """

    def __init__(
        self, wire: Wire, run_id: str, *, cursor: str | None = None, answer: Answer | None = None
    ) -> None:
        self._wire, self._id = wire, run_id
        place = Cursor(run_id, 0) if cursor is None else cursor_in(cursor, run_id)
        self._follower = Follower(wire, place, answer)
        self._types: RunTypes[C, R] = cast("Any", UNTYPED)

    def __repr__(self) -> str:
        return f"<RemoteRun {self.id}>"

    def _ipython_display_(self) -> None:
        """Show the run in a notebook's cell, and update that until the run has ended."""
        show_in_cell(self._again())

    def _again(self) -> "RemoteRun":
        """Return another reader of the run."""
        return RemoteRun(self._wire, self.id)

    @property
    def id(self) -> str:
        """The run's id."""
        return self._id

    @property
    def cursor(self) -> str:
        """Keep this to resume elsewhere: ``client.attach(run.id, run.cursor)``."""
        return str(self._follower.place)

    @property
    def first_seq(self) -> int:
        """The first event that the log still has; above 1 if older ones were trimmed."""
        return self._follower.first_seq

    @property
    def seq(self) -> int:
        """The seq of the last event that was handed out."""
        return self._follower.place.seq

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Stop reading, without cancelling; reading again continues from the cursor."""
        await self._follower.aclose()

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield the events after the cursor, as they come, up to the terminal one.

        Raises:
            YieldwireError: If the log cannot be read further.
            UsageError: If another task is reading this run.
        """
        while (event := await self._follower.next()) is not None:
            yield event

    def read_as(self, types: RunTypes[C2, R2]) -> "RemoteRun[C2, R2]":
        """Return this run, with its values read as other types from now on."""
        self._types = cast("Any", types)
        return cast("RemoteRun[C2, R2]", self)

    async def __aiter__(self) -> AsyncGenerator[C, None]:
        """Yield the chunks of the action.

        If the run is restarted, the chunks after its saved place come again: what was yielded
        cannot be taken back. `events` tells of it, with ``restarted`` and what it keeps.

        Raises:
            YieldwireError: If the run fails or is cancelled, or its log cannot be read further.
            ProtocolError: If a chunk does not match its type.
        """
        async with aclosing(self.events()) as events:
            async for event in events:
                if event.type is EventType.CHUNK:
                    yield self._types.chunk(event)
        self._result()

    async def result(self, *, timeout: float | None = None) -> R:
        """Read on to the run's end, and return its result.

        Args:
            timeout: How many seconds this can take; ``None``: until the run's end.

        Raises:
            YieldwireError: If the run failed or was cancelled, or its log cannot be read further.
            ProtocolError: If the result does not match its type.
            TimedOut: If the time is over. The run continues, and this can be called again.
        """
        limit = Limit(timeout, "The run")
        while await limit.of(self._follower.next(), self.id) is not None:
            pass
        return self._result()

    async def show(self) -> R:
        """Show how far the run is until it has ended, and return its result.

        A notebook shows it in the output of the cell, and a terminal as a bar if Rich is installed.
        In a notebook, a cell whose last value is a run shows the same without waiting. What
        iterates the run meanwhile misses nothing.

        Raises:
            YieldwireError: If the run failed or was cancelled, or its log cannot be read further.
            ProtocolError: If the result does not match its type.
        """
        await show_until_end(self._again())
        return await self.result()

    async def wait(self, *, timeout: float | None = None) -> dict[str, Json]:
        """Wait until the run has ended, in whichever way, and return its snapshot.

        The snapshot has the ``status``, and the ``result`` or the ``error``. This reads on its own,
        so what iterates the run meanwhile misses nothing.

        Args:
            timeout: How many seconds this can take; ``None``: until the run's end.

        Raises:
            YieldwireError: If the run cannot be read.
            TimedOut: If the time is over. The run continues.
        """
        return await Limit(timeout, "The run").of(self._ended(), self.id)

    async def _ended(self) -> dict[str, Json]:
        snapshot = await self.snapshot()
        while snapshot["status"] not in TERMINAL:
            follower = Follower(self._wire, Cursor(self.id, snapshot["seq"]))
            try:
                while await follower.next() is not None:
                    pass
            finally:
                await follower.aclose()
            snapshot = await self.snapshot()
        return snapshot

    async def snapshot(self, *, with_input: bool = False) -> dict[str, Json]:
        """Return the run's state in one object.

        Args:
            with_input: Whether it has the run's ``input``. Only its owner gets that, and everyone
                from a development server.
        """
        query = {"input": "1"} if with_input else {}
        snapshot: dict[str, Json] = await self._wire.json(
            Request(path=path_of("runs", self.id), query=query)
        )
        return snapshot

    async def log(self) -> AsyncGenerator[Event, None]:
        """Yield the events after the cursor that the log has, each with its time in ``at``.

        This does not wait for more events, and does not move the cursor.

        Raises:
            YieldwireError: If the log cannot be read.
        """
        after, newest = self.cursor, None
        while True:
            query = {"after": after, "times": "1"}
            page = await self._wire.json(Request(path=path_of("runs", self.id), query=query))
            newest = page["seq"] if newest is None else newest
            for told in page["events"]:
                if told["type"] in _KNOWN:  # another version can have more types
                    kind, at = EventType(told["type"]), told["atMs"] / 1000
                    yield Event(told["seq"], kind, to_json(told["data"]), at)
            after = page["cursor"]
            if not page["events"] or page["events"][-1]["seq"] >= newest:
                return

    async def waiting(self) -> dict[str, Json] | None:
        """Return where a pending run waits, as the stream has told last; ``None`` if it does not.

        It has ``before``, about how many runs are before it in its queue, ``expectedMs``, about how
        long it waits, and ``notBefore``, when it starts at the earliest; each can be ``None``.
        Before the run is followed, `snapshot` has the same.
        """
        told = self._follower.opening
        waiting: dict[str, Json] | None = None if told is None else from_json(told).get("waiting")
        return waiting

    async def cancel(self) -> dict[str, Json]:
        """Ask the run to stop, and return its snapshot. Asking twice is asking once."""
        path = path_of("runs", self.id, "cancel")
        snapshot: dict[str, Json] = await self._wire.json(
            Request(path=path, method="POST", body=EMPTY)
        )
        return snapshot

    async def questions(self) -> Sequence[dict[str, Json]]:
        """Return the questions that are open, in the order in which they were asked.

        Each has an ``id``, a ``prompt``, the ``name`` and the JSON ``schema`` of the answer, and,
        if the action gave them, ``detail`` and ``expiresAt``.
        """
        questions: Sequence[dict[str, Json]] = (await self.snapshot())["questions"]
        return questions

    async def answer(
        self, question: str, value: A, *, on_upload: OnUpload | None = None
    ) -> dict[str, Json]:
        """Answer a question, and return when the server has the answer.

        The first answer counts. If a connection is lost, the same answer is sent again and is
        still one answer.

        Args:
            question: The question's id.
            value: A value that Pydantic can serialize; it must match the question's schema. Files
                in it are sent as for a start.
            on_upload: Called as they are sent; see `AsyncClient.start`.

        Raises:
            ValidationFailed: If the value does not match; the question is still open.
            AlreadyAnswered: If there is another answer, or the question's time is over.
            RunEnded: If the run has ended.
            NotFound: If there is no such run or question.
            InboxFull: If the run takes no more messages.
            YieldwireError: If the call was refused for another reason.
        """
        path = path_of("runs", self.id, "questions", question)
        return await self._send(path, await content_of(value, on_upload))

    async def send(self, message: M, *, on_upload: OnUpload | None = None) -> dict[str, Json]:
        """Send a message to the action, and return when the server has it.

        The answer has the message's ``number``: messages are received in this order. If a
        connection is lost, the message is sent again and is still one message.

        Args:
            message: A value that Pydantic can serialize; it must match what the action takes. Files
                in it are sent as for a start.
            on_upload: Called as they are sent; see `AsyncClient.start`.

        Raises:
            ValidationFailed: If it does not match.
            RunEnded: If the run has ended.
            NotFound: If there is no such run, or its action takes no messages.
            InboxFull: If the run takes no more messages.
            YieldwireError: If the call was refused for another reason.
        """
        path = path_of("runs", self.id, "inbox")
        return await self._send(path, await content_of(message, on_upload))

    async def _send(self, path: str, body: Content) -> dict[str, Json]:
        headers = {"Accept": "application/json", "Idempotency-Key": secrets.token_urlsafe(24)}
        accepted: dict[str, Json] = await self._wire.json(
            Request(path=path, method="POST", headers=headers, body=body)
        )
        return accepted

    def _result(self) -> R:
        outcome = self._follower.outcome or {}
        if outcome.get("error") is not None:
            raise self._types.error(error_from(ErrorObject.from_dict(outcome["error"])))
        return self._types.result(outcome.get("result"))
