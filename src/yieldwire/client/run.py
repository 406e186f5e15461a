"""One run on a server, followed until its end, however often the connection is lost.

Theory of operation. A `RemoteRun` is one reader: a cursor, and optionally an open answer. For
the next event, it reads on in the answer; if that ends before the run does, or breaks, it
requests the log after its cursor. Only a terminal event, or a refusal that a retry cannot
change, ends it: the end of a body is never the end of a run. The cursor moves when an event is
handed out, and the decoder returns only complete frames. A task reads each piece, so that a
silent stream can be checked meanwhile; it ends with the call, so nothing continues when nobody
reads.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Any, Final, Generic, Self, TypeVar, cast

from pydantic_core import from_json, to_json

from yieldwire.client.body import EMPTY, content_of
from yieldwire.client.http import Answer
from yieldwire.client.patience import Backoff, Limit, Lost
from yieldwire.client.runtypes import UNTYPED, A, C, M, R, RunTypes
from yieldwire.client.wire import NO_CONTENT, Request, Wire, foreign, path_of
from yieldwire.codecs.sse import SSEDecoder
from yieldwire.errors import ErrorObject, Json, ProtocolError, UsageError
from yieldwire.errors.lookup import error_from
from yieldwire.log.cursor import Cursor, cursor_in, parse_cursor
from yieldwire.log.events import Event, EventType
from yieldwire.log.run import TERMINAL

EVENT_STREAM: Final = "text/event-stream"
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
        self.id: Final = run_id
        self._place = Cursor(run_id, 0) if cursor is None else cursor_in(cursor, run_id)
        self.first_seq = 1
        """The first event that the log still has; above 1 if older ones were trimmed."""
        self._wire, self._backoff = wire, Backoff(wire.patience)
        self._answer: Answer | None = None
        self._pieces: AsyncGenerator[bytes, None] | None = None
        self._decoder = SSEDecoder()
        self._ready: deque[tuple[Cursor, Event | None]] = deque()
        """Places that the answer has moved to, each with its event if its type is known."""
        self._outcome: Mapping[str, Json] | None = None
        self._types: RunTypes[C, R] = cast("Any", UNTYPED)
        self._is_reading = False
        self._quiet = wire.patience.quiet
        """How long the stream can be silent until it is checked."""
        if answer is not None:
            self._follow(answer)

    def __repr__(self) -> str:
        return f"<RemoteRun {self.id}>"

    @property
    def cursor(self) -> str:
        """Keep this to resume elsewhere: ``client.attach(run.id, run.cursor)``."""
        return str(self._place)

    @property
    def seq(self) -> int:
        """The seq of the last event that was handed out."""
        return self._place.seq

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
        pieces, self._pieces = self._pieces, None
        answer, self._answer = self._answer, None
        self._ready.clear()
        if pieces is not None:
            await pieces.aclose()
        if answer is not None:
            await self._wire.close(answer)

    async def events(self) -> AsyncGenerator[Event, None]:
        """Yield the events after the cursor, as they come, up to the terminal one.

        Raises:
            YieldwireError: If the log cannot be read further.
            UsageError: If another task is reading this run.
        """
        while (event := await self._next()) is not None:
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
        while await limit.of(self._next(), self.id) is not None:
            pass
        return self._result()

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
            after = str(Cursor(self.id, snapshot["seq"]))
            reader: RemoteRun = RemoteRun(self._wire, self.id, cursor=after)
            async with reader, aclosing(reader.events()) as events:
                async for _ in events:
                    pass
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
        told = self._decoder.opening
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

    async def answer(self, question: str, value: A) -> dict[str, Json]:
        """Answer a question, and return when the server has the answer.

        The first answer counts. If a connection is lost, the same answer is sent again and is
        still one answer.

        Args:
            question: The question's id.
            value: A value that Pydantic can serialize; it must match the question's schema. Files
                in it are sent as for a start.

        Raises:
            ValidationFailed: If the value does not match; the question is still open.
            AlreadyAnswered: If there is another answer, or the question's time is over.
            RunEnded: If the run has ended.
            NotFound: If there is no such run or question.
            InboxFull: If the run takes no more messages.
            YieldwireError: If the call was refused for another reason.
        """
        return await self._send(path_of("runs", self.id, "questions", question), value)

    async def send(self, message: M) -> dict[str, Json]:
        """Send a message to the action, and return when the server has it.

        The answer has the message's ``number``: messages are received in this order. If a
        connection is lost, the message is sent again and is still one message.

        Args:
            message: A value that Pydantic can serialize; it must match what the action takes. Files
                in it are sent as for a start.

        Raises:
            ValidationFailed: If it does not match.
            RunEnded: If the run has ended.
            NotFound: If there is no such run, or its action takes no messages.
            InboxFull: If the run takes no more messages.
            YieldwireError: If the call was refused for another reason.
        """
        return await self._send(path_of("runs", self.id, "inbox"), message)

    async def _send(self, path: str, value: object) -> dict[str, Json]:
        headers = {"Accept": "application/json", "Idempotency-Key": secrets.token_urlsafe(24)}
        accepted: dict[str, Json] = await self._wire.json(
            Request(path=path, method="POST", headers=headers, body=await content_of(value))
        )
        return accepted

    def _result(self) -> R:
        outcome = self._outcome or {}
        if outcome.get("error") is not None:
            raise self._types.error(error_from(ErrorObject.from_dict(outcome["error"])))
        return self._types.result(outcome.get("result"))

    async def _next(self) -> Event | None:
        if self._is_reading:
            raise UsageError("Another task is reading this run; attach to it for a second reader.")
        self._is_reading = True
        try:
            while True:
                while not self._ready:
                    if self._outcome is not None:
                        return None
                    await self._fill()
                self._place, event = self._ready.popleft()
                if event is not None:
                    return await self._hand_out(event)
        finally:
            self._is_reading = False

    async def _hand_out(self, event: Event) -> Event:
        if event.is_terminal:
            value = event.value
            self._outcome = value if event.type is EventType.DONE else {"error": value}
            await self.aclose()
        return event

    async def _fill(self) -> None:
        try:
            if self._pieces is None:
                await self._resume()
            else:
                piece = await self._read_on(self._pieces)
                if piece is None:
                    raise Lost("The answer ended before the run did.")
                self._take(piece)
        except Lost as lost:
            await self.aclose()
            await self._backoff.pause(lost, self.id)
        except BaseException:
            # Also when cancelled: a body of which a piece was lost cannot be continued.
            await self.aclose()
            raise

    async def _read_on(self, pieces: AsyncGenerator[bytes, None]) -> bytes | None:
        """Return the next piece; check the stream meanwhile, less often the longer it is silent.

        A proxy can keep a stream open whose server is gone.
        """
        reading = asyncio.create_task(_next_of(pieces))  # noqa: TID251 - it ends with this call
        try:
            wait = self._quiet
            while not (await asyncio.wait([reading], timeout=wait))[0]:
                await self._check(reading)
                wait, self._quiet = self._quiet, self._quiet * 2
            return reading.result()
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait([reading])

    async def _check(self, reading: asyncio.Task[bytes | None]) -> None:
        request = Request(path=path_of("runs", self.id), query={"after": self.cursor})
        try:
            told = await self._wire.in_time(
                lambda: self._wire.ask(request), self._wire.patience.quiet
            )
        except Lost:
            if not reading.done():
                raise
        else:
            if not reading.done() and told.get("seq", 0) > self.seq:
                raise Lost("The stream does not bring the events that the log has.")

    async def _resume(self) -> None:
        headers = {"Accept": EVENT_STREAM, "Last-Event-ID": self.cursor}
        request = Request(path=path_of("runs", self.id, "events"), headers=headers)
        answer = await self._wire.send(request)
        if answer.status_code == NO_CONTENT:
            await self._wire.close(answer)
            await self._conclude()
        else:
            self._follow(answer)

    async def _conclude(self) -> None:
        # The log has no more events; the snapshot says how the run ended.
        snapshot = await self.snapshot()
        if snapshot["status"] not in TERMINAL:
            raise Lost("The server had nothing to send.")
        self._outcome = snapshot

    def _follow(self, answer: Answer) -> None:
        self._answer, self._decoder = answer, SSEDecoder()
        if not answer.headers.get("content-type", "").startswith(EVENT_STREAM):
            raise Lost(foreign(answer))
        self._pieces = self._wire.pieces(answer)
        self._quiet = self._wire.patience.quiet
        self._backoff.connected()

    def _take(self, piece: bytes) -> None:
        decoder, seq = self._decoder, self.seq
        for place, event in decoder.steps(piece):
            if place.seq <= seq:
                continue  # repeated on the way
            # An event of an unknown type is for a version that knows it.
            if event is not None and place.seq not in {seq + 1, decoder.first_seq}:
                raise ProtocolError(f"Event {place.seq} follows {seq}: something is missing.")
            self._ready.append((place, event))
            seq = place.seq
        if decoder.cursor is not None and parse_cursor(decoder.cursor).run_id != self.id:
            raise ProtocolError("The answer belongs to another run.")
        self._backoff.received(events=bool(self._ready))
        self._backoff.asked(decoder.retry_ms)
        self.first_seq = decoder.first_seq or self.first_seq


async def _next_of(pieces: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(pieces, None)
