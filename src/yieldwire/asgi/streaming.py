"""One loop for every streaming format: everything that is ready is sent as one message."""

import logging
import random
from collections.abc import Awaitable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from pydantic_core import to_json

from yieldwire.asgi.disconnect import check_connected
from yieldwire.asgi.exchange import NO_STORE, BrokenOff, Exchange, Headers, within
from yieldwire.asgi.sending import StreamOutlet
from yieldwire.codecs import Encoder
from yieldwire.errors import ForeignCursor, NotFound, StoreError
from yieldwire.log.cursor import Cursor, mark_of
from yieldwire.log.events import Block, EventType, one_line
from yieldwire.runs.reader import Reader
from yieldwire.runs.standing import FollowedRun

logger: Final = logging.getLogger("yieldwire.asgi")

_NOTHING: Final = nullcontext()
RETRY_MS: Final = (500, 1500)
"""A reader that is asked to reconnect does so after a random time between these."""


def retry_ms() -> int:
    """Return after how long a reader reconnects, so that not all do at the same time."""
    return random.randint(*RETRY_MS)  # noqa: S311


def stream_head(encoder: Encoder, headers: Headers = ()) -> Headers:
    """Return the headers of a stream."""
    kind = (b"content-type", encoder.media_type.encode())
    return [kind, NO_STORE, (b"x-accel-buffering", b"no"), *headers]


class Streaming:
    """One response that follows one run."""

    __slots__ = (
        "_ahead",
        "_encoder",
        "_followed",
        "_keepalive",
        "_mark",
        "_reader",
        "_receive",
        "_send_message",
        "_sending",
        "_stall_timeout",
        "_ticked",
    )

    def __init__(
        self,
        exchange: Exchange,
        reader: Reader,
        encoder: Encoder,
        place: Cursor,
        keepalive: float,
        followed: FollowedRun | None,
    ) -> None:
        # The exchange is not kept: a stream can be open for long, and needs no more of it.
        self._send_message, self._receive = exchange.send, exchange.receive
        self._stall_timeout, self._keepalive = exchange.stall_timeout, keepalive
        self._reader, self._encoder = reader, encoder
        self._sending = StreamOutlet(exchange, encoder, reader.caller, place.seq)
        self._mark = place.mark
        """The mark of the event before the next one, if the run can wait."""
        self._ahead = b""
        """What is sent before the next event."""
        self._ticked = place.seq
        """The last seq that was sent before the last tick."""
        self._followed = followed
        """The run, if it can wait in a queue or for its time."""
        # What a run that can wait tells before its events is for this task.
        is_direct = followed is None and exchange.sends_from_any_task
        reader.begin(place.seq, self._sending if is_direct else None, mark=place.mark)

    async def begin(self, opening: bytes, page: Sequence[Block]) -> bool:
        """Send what there is if that is all, and return whether it was; else `follow` sends it.

        ``opening`` is sent before the first event, and ``page`` is what the reader has read first.

        Raises:
            BrokenOff: If the format cannot say how the run ended, and it did not complete.
        """
        end = page[-1].end if page else None
        if end is None or self._has_no_access():
            self._ahead = opening
            return False
        await self._end(opening + self._encode(page), end)
        return True

    async def follow(
        self, slot: AbstractContextManager[object], presence: AbstractContextManager[None]
    ) -> None:
        """Send everything until the run ends, within ``slot`` and ``presence``, and leave.

        An open stream waits in this frame and the reader's, which keep nothing that was sent.

        Raises:
            BrokenOff: If the format cannot say how the run ended, and it did not complete.
            Disconnected: If the connection is closed.
        """
        reader = self._reader
        try:
            with slot, presence, self._followed or _NOTHING:
                try:
                    while await self._sends(await reader.next(self._keepalive)):
                        pass
                except NotFound:
                    # Purged during the read: never a plain end, which would look like success.
                    self._ahead += self._encoder.reset(reader.run_id, self._sending.sent + 1)
                    await self._say_farewell()
                except (StoreError, ForeignCursor) as exc:
                    # The reader reconnects for the rest, or to be told that its place is lost.
                    extra = {"run_id": reader.run_id}
                    logger.warning("a stream ends early: %s", exc, extra=extra)
                    await self._say_farewell()
        finally:
            if self._sending.rest is not None:
                self._sending.rest.close()  # it can hold up others, who share its connection
            await reader.close()

    async def _sends(self, page: Sequence[Block] | None) -> bool:
        """Send what the reader has returned, and return whether the stream continues."""
        sending = self._sending
        if page is not None and sending.rest is not None:
            rest, sending.rest = sending.rest, None
            await within(self._stall_timeout, rest)
        if page is None or self._has_no_access():
            await self._say_farewell()
            return False
        if self._followed is not None:
            self._ahead += self._news(self._followed, page)
        body, self._ahead = self._ahead + self._encode(page), b""
        if page and page[-1].end is not None:
            await self._end(body, page[-1].end)
            return False
        if body:
            await self._send(body)
        return True

    async def _say_farewell(self) -> None:
        farewell = self._encoder.farewell(retry_ms())
        if farewell is None:
            raise BrokenOff("The stream ends before the run does.")
        await self._send(self._ahead + farewell, more=False)

    def _has_no_access(self) -> bool:
        return self._reader.is_revoked or self._reader.caller.has_expired

    def _news(self, followed: FollowedRun, page: Sequence[Block]) -> bytes:
        """Return the frame before ``page`` that tells where the run waits, if that has changed."""
        if page:
            followed.see(page)
        news = followed.news()
        mark, self._mark = self._mark, mark_of(page[-1].newest_at) if page else self._mark
        if news is None:
            return b""
        place = Cursor(self._reader.run_id, self._sending.sent, mark)
        return self._encoder.state(place, one_line(to_json(news)))

    def _encode(self, page: Sequence[Block]) -> bytes:
        if not page:
            check_connected(self._receive)
            is_quiet = not self._ahead and self._sending.sent == self._ticked
            self._ticked = self._sending.sent
            return self._encoder.keepalive() if is_quiet else b""
        is_cut = page[0].first > self._sending.sent + 1
        body = b"".join(map(self._sending.frames, page))
        return self._encoder.reset(self._reader.run_id, page[0].first) + body if is_cut else body

    async def _end(self, body: bytes, end: EventType) -> None:
        if end is EventType.DONE or self._encoder.carries_end:
            await self._send(body, more=False)
            return
        if body:
            await self._send(body)
        raise BrokenOff(f"The run's last event is {end.value!r}, which plain text cannot express.")

    def _send(self, body: bytes, *, more: bool = True) -> Awaitable[None]:
        message = {"type": "http.response.body", "body": body, "more_body": more}
        return within(self._stall_timeout, self._send_message(message))
