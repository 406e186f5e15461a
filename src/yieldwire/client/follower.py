"""One reader of a run's log on a server, until the run's end, however often it is disconnected.

Theory of operation. A `Follower` is a cursor, and optionally an open answer. For the next event,
it reads on in the answer; if that ends before the run does, or breaks, it requests the log after
its cursor. Only a terminal event, or a refusal that a retry cannot change, ends it: the end of a
body is never the end of a run. The cursor moves when an event is handed out, and the decoder
returns only complete frames. A task reads each piece, so that a silent stream can be checked
meanwhile; it ends with the call, so nothing continues when nobody reads.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Mapping
from typing import Final

from yieldwire.client.http import Answer
from yieldwire.client.patience import Backoff, Lost
from yieldwire.client.wire import NO_CONTENT, Request, Wire, foreign, path_of
from yieldwire.codecs.sse import SSEDecoder
from yieldwire.errors import Json, ProtocolError, UsageError
from yieldwire.log.cursor import Cursor, parse_cursor
from yieldwire.log.events import Event, EventType
from yieldwire.log.run import TERMINAL

EVENT_STREAM: Final = "text/event-stream"


class Follower:
    """A reader of the events after ``place``; ``answer`` is one that is open already."""

    def __init__(self, wire: Wire, place: Cursor, answer: Answer | None = None) -> None:
        self.place: Cursor = place
        """The last event that was handed out."""
        self.first_seq: int = 1
        """The first event that the log still has; above 1 if older ones were trimmed."""
        self.outcome: Mapping[str, Json] | None = None
        """The ``result`` or the ``error`` of the run, when it has ended."""
        self._run_id: Final = place.run_id
        self._wire, self._backoff = wire, Backoff(wire.patience)
        self._answer: Answer | None = None
        self._pieces: AsyncGenerator[bytes, None] | None = None
        self._decoder = SSEDecoder()
        self._ready: deque[tuple[Cursor, Event | None]] = deque()
        """Places that the answer has moved to, each with its event if its type is known."""
        self._is_reading = False
        self._quiet = wire.patience.quiet
        """How long the stream can be silent until it is checked."""
        if answer is not None:
            self._follow(answer)

    @property
    def opening(self) -> str | None:
        """What the stream has told last about the run, as JSON."""
        return self._decoder.opening

    async def aclose(self) -> None:
        """Stop reading; reading again continues from the place."""
        pieces, self._pieces = self._pieces, None
        answer, self._answer = self._answer, None
        self._ready.clear()
        if pieces is not None:
            await pieces.aclose()
        if answer is not None:
            await self._wire.close(answer)

    async def next(self) -> Event | None:
        """Return the next event; ``None`` after the terminal one.

        Raises:
            YieldwireError: If the log cannot be read further.
            UsageError: If another task is reading.
        """
        if self._is_reading:
            raise UsageError("Another task is reading this run; attach to it for a second reader.")
        self._is_reading = True
        try:
            while True:
                while not self._ready:
                    if self.outcome is not None:
                        return None
                    await self._fill()
                self.place, event = self._ready.popleft()
                if event is not None:
                    return await self._hand_out(event)
        finally:
            self._is_reading = False

    async def _hand_out(self, event: Event) -> Event:
        if event.is_terminal:
            value = event.value
            self.outcome = value if event.type is EventType.DONE else {"error": value}
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
            await self._backoff.pause(lost, self._run_id)
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
        request = Request(path=path_of("runs", self._run_id), query={"after": str(self.place)})
        try:
            told = await self._wire.in_time(
                lambda: self._wire.ask(request), self._wire.patience.quiet
            )
        except Lost:
            if not reading.done():
                raise
        else:
            if not reading.done() and told.get("seq", 0) > self.place.seq:
                raise Lost("The stream does not bring the events that the log has.")

    async def _resume(self) -> None:
        headers = {"Accept": EVENT_STREAM, "Last-Event-ID": str(self.place)}
        request = Request(path=path_of("runs", self._run_id, "events"), headers=headers)
        answer = await self._wire.send(request)
        if answer.status_code == NO_CONTENT:
            await self._wire.close(answer)
            await self._conclude()
        else:
            self._follow(answer)

    async def _conclude(self) -> None:
        # The log has no more events; the snapshot says how the run ended.
        snapshot: Mapping[str, Json] = await self._wire.json(
            Request(path=path_of("runs", self._run_id))
        )
        if snapshot["status"] not in TERMINAL:
            raise Lost("The server had nothing to send.")
        self.outcome = snapshot

    def _follow(self, answer: Answer) -> None:
        self._answer, self._decoder = answer, SSEDecoder()
        if not answer.headers.get("content-type", "").startswith(EVENT_STREAM):
            raise Lost(foreign(answer))
        self._pieces = self._wire.pieces(answer)
        self._quiet = self._wire.patience.quiet
        self._backoff.connected()

    def _take(self, piece: bytes) -> None:
        decoder, seq = self._decoder, self.place.seq
        for place, event in decoder.steps(piece):
            if place.seq <= seq:
                continue  # repeated on the way
            # An event of an unknown type is for a version that knows it.
            if event is not None and place.seq not in {seq + 1, decoder.first_seq}:
                raise ProtocolError(f"Event {place.seq} follows {seq}: something is missing.")
            self._ready.append((place, event))
            seq = place.seq
        if decoder.cursor is not None and parse_cursor(decoder.cursor).run_id != self._run_id:
            raise ProtocolError("The answer belongs to another run.")
        self._backoff.received(events=bool(self._ready))
        self._backoff.asked(decoder.retry_ms)
        self.first_seq = decoder.first_seq or self.first_seq


async def _next_of(pieces: AsyncGenerator[bytes, None]) -> bytes | None:
    return await anext(pieces, None)
