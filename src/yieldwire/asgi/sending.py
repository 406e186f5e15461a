"""Sends the blocks of one run to one response, where they are appended."""

from contextvars import copy_context
from typing import Final

from yieldwire.asgi.exchange import BrokenOff, Exchange
from yieldwire.asgi.servers import chunked_transport_of, write_chunk
from yieldwire.codecs import Encoder
from yieldwire.deadline import Unfinished, rest_of
from yieldwire.log.events import Block, EventType
from yieldwire.runs.access import Caller
from yieldwire.runs.outlet import Outlet

_newest: Final[list[tuple[Block | None, object, bytes]]] = [(None, None, b"")]
"""The last block, what encoded it, and its frames, as in `servers`."""


class StreamOutlet(Outlet):
    """The outlet of a stream. It encodes blocks for the stream's own task as well."""

    __slots__ = (
        "_carries_end",
        "_context",
        "_encode",
        "_expiring",
        "_send",
        "_text_seq",
        "_transport",
        "rest",
        "sent",
    )

    def __init__(self, exchange: Exchange, encoder: Encoder, caller: Caller, seq: int) -> None:
        """Begin after ``seq``. The head of the response was sent."""
        super().__init__()
        self._encode, self._carries_end = encoder.encode, encoder.carries_end
        self._expiring = None if caller.expires_at is None else caller
        self._send, self._context = exchange.send, copy_context()
        self._transport = chunked_transport_of(exchange.send) if encoder.carries_end else None
        """The connection, if blocks can be written to it as they are."""
        self._text_seq = seq
        """The place behind which nothing was sent, in a format that cannot take anything back."""
        self.sent: int = seq
        """The last seq that was sent, or the place at which the stream began."""
        self.rest: Unfinished | None = None
        """The rest of a send that has to wait. The stream's task awaits it."""

    def frames(self, block: Block) -> bytes:
        """Return the frames of a block, which is sent next.

        Raises:
            BrokenOff: If the format cannot express it.
        """
        known, encoder, frames = _newest[0]
        if block is not known or encoder is not self._encode:
            frames = self._encode(block)
            _newest[0] = block, self._encode, frames
        if not self._carries_end:
            if block.has(EventType.RESTARTED):
                self._check_kept(block)
            if frames:
                self._text_seq = block.last
        self.sent = block.last
        return frames

    def _check_kept(self, block: Block) -> None:
        sent = self._text_seq
        for event in block.events():
            if event.type is EventType.CHUNK:
                sent = event.seq
            elif event.type is EventType.RESTARTED and event.value.get("keep", 0) < sent:
                # The text before it is not the run's text.
                raise BrokenOff("The run restarted, which plain text cannot express.")

    def send(self, block: Block) -> bool:
        """Send a block at once, unless the caller must be identified again."""
        if self._expiring is not None and self._expiring.has_expired:
            return False
        transport = self._transport
        if transport is not None and write_chunk(transport, block, self._encode):
            self.sent = block.last
            return True
        body = self.frames(block)
        if body:
            message = {"type": "http.response.body", "body": body, "more_body": True}
            self.rest = self._context.run(rest_of, self._send(message))
            if self.rest is not None:
                self.wake()
        return True
