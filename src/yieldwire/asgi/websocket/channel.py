"""One request over a socket, and its answer, as an ASGI connection of its own.

Each direction has its credit: of the answer only as much is sent as the client has granted, and of
a body in pieces only as much comes as was granted to the client. So a request that
is not read holds a page at most, and holds up no other.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, TypeAlias

from starlette.types import Message

from yieldwire.asgi.requestlimits import Allowance
from yieldwire.asgi.websocket.message import Asked
from yieldwire.codecs.websocket import text_of
from yieldwire.errors import Json

Write: TypeAlias = Callable[[str], Awaitable[None]]
"""Sends a text message, in its turn."""

PIECES_BYTES: Final = 65_536
"""Bytes of a body in pieces that a client can always be ahead."""
MORE_BYTES: Final = 4 * PIECES_BYTES
"""The same while its socket has room for it."""
_STREAMS: Final = ("text/event-stream", "application/x-ndjson", "text/plain")
_TOLD: Final = frozenset(
    {
        b"allow",
        b"content-type",
        b"etag",
        b"location",
        b"preference-applied",
        b"retry-after",
        b"run-id",
    }
)
"""The headers of an answer that have a meaning over a socket."""


class Channel:
    """One request: what its handler receives, and what becomes of the answer."""

    def __init__(self, asked: Asked, write: Write, room: Allowance) -> None:
        self.id: Final = asked.id
        self._line: Final = text_of({"id": asked.id}) + "\n"
        self._write = write
        self._credit = asked.credit
        self._has_credit = asyncio.Event()
        self._head: dict[str, Json] = {}
        self._is_stream = False
        self._whole: list[bytes] = []
        self.has_ended: bool = False
        """Whether the answer is complete."""
        self.has_left: bool = False
        """Whether the client does not need the answer any more."""
        self._body = _Body(asked, self._grant, room)

    async def receive(self) -> Message:
        """Return the next part of the body, then nothing until the client leaves."""
        return await self._body.receive()

    async def send(self, message: Message) -> None:
        """Send a part of the answer, as soon as there is credit for it."""
        if message["type"] == "http.response.start":
            await self._begin(message)
            return
        body: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        if self._is_stream and body and more and self._credit > 0 and not self._head:
            self._credit -= len(body)
            if not self.has_left:
                await self._write(self._line + body.decode())
            return
        if not self._is_stream:
            # Not in pieces: each of them would end anywhere, also within a character.
            self._whole.append(body)
            if more:
                return
            body, self._whole = b"".join(self._whole), []
        await self._send(body, is_last=not more)

    async def _begin(self, message: Message) -> None:
        headers = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in message["headers"]
            if name in _TOLD
        }
        self._head = {"status": message["status"], "headers": headers}
        self._is_stream = headers.get("content-type", "").startswith(_STREAMS)
        if self._is_stream:
            await self._send(b"", is_last=False)

    async def _send(self, body: bytes, *, is_last: bool) -> None:
        while body and self._credit <= 0 and not self.has_left:
            self._has_credit.clear()
            await self._has_credit.wait()
        head: dict[str, Json] = {"id": self.id, **self._head}
        if is_last:
            head["end"] = self.has_ended = True
        elif not (body or self._head):
            return
        self._head = {}
        self._credit -= len(body)
        await self._tell(head, body)

    async def _tell(self, head: dict[str, Json], body: bytes = b"") -> None:
        if not self.has_left:
            await self._write(text_of(head, body))

    async def _grant(self, credit: int) -> None:
        await self._tell({"id": self.id, "credit": credit})

    async def abort(self) -> None:
        """Say that no more comes of an answer that is not complete."""
        self.has_ended = True
        await self._tell({"id": self.id, "aborted": True})

    # What the client says.

    def grant(self, credit: int) -> None:
        """Take more credit for the answer."""
        self._credit += credit
        self._has_credit.set()

    def take(self, piece: bytes) -> bool:
        """Take a piece of the body, and return whether that was granted."""
        return self._body.take(piece)

    def leave(self) -> None:
        """The client does not need the answer any more, or is gone."""
        self.has_left = True
        self._has_credit.set()
        self._body.leave()


class _Body:
    """A request's body: what came with the request, or pieces that were granted."""

    def __init__(
        self, asked: Asked, grant: Callable[[int], Awaitable[None]], room: Allowance
    ) -> None:
        self._is_open = asked.body is None
        """Whether pieces still come."""
        self._pieces = deque([asked.body or b""] if not self._is_open else [])
        self._grant, self._room = grant, room
        self._window = self._ahead = self._taken = 0
        self._news = asyncio.Event()
        self._has_left = self._is_read = False

    async def receive(self) -> Message:
        while not self._has_left:
            if self._pieces:
                return await self._next()
            if self._is_open and not self._window:
                await self._open()
            self._news.clear()
            await self._news.wait()
        self._close()
        return {"type": "http.disconnect"}

    async def _next(self) -> Message:
        piece = self._pieces.popleft()
        has_more = self._is_open or bool(self._pieces)
        if not has_more:
            self._close()
        elif self._window and piece:
            self._ahead -= len(piece)
            await self._grant(len(piece))
        return {"type": "http.request", "body": piece, "more_body": has_more}

    async def _open(self) -> None:
        # Not before somebody reads: a request that is refused costs no body.
        self._taken = MORE_BYTES if self._room.take(MORE_BYTES) else 0
        self._window = PIECES_BYTES + self._taken
        await self._grant(self._window)

    def take(self, piece: bytes) -> bool:
        self._ahead += len(piece)
        if not self._is_open or self._ahead > self._window:
            return False
        self._is_open = bool(piece)
        self._pieces.append(piece)
        self._news.set()
        return True

    def leave(self) -> None:
        self._has_left = True
        self._close()
        self._news.set()

    def _close(self) -> None:
        self._room.give_back(self._taken)
        self._taken = 0
