"""One request of a foreign client over a socket: its answer is that over HTTP, as messages.

A message of the client becomes the request that the same client would send over HTTP, with the
handshake's headers; each frame of the answer becomes a message. So callers, origins, limits and
ownership are those of HTTP. An answer is sent as fast as the socket takes it: these protocols have
no credit.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from starlette.types import Message

from yieldwire.asgi.requestlimits import Allowance
from yieldwire.asgi.websocket.channel import Channel, Write
from yieldwire.asgi.websocket.message import VALUE, Asked, BadMessage, RequestId
from yieldwire.errors import Json, ParseError

_STREAM = b"text/event-stream"


class ForeignChannel(Channel):
    """One request, and the messages made of its answer."""

    frame_end: ClassVar[bytes] = b"\n\n"
    """What follows each frame of a stream."""

    def __init__(self, asked: Asked, write: Write, room: Allowance) -> None:
        super().__init__(asked, write, room)
        self._status, self._streams = 0, False
        self._rest = b""

    @abstractmethod
    def begun(self) -> bytes:
        """Return the message at the start of a stream."""

    @abstractmethod
    def framed(self, frame: bytes) -> bytes:
        """Return the message of a frame; nothing if the client is not told of it."""

    @abstractmethod
    def answered(self, status: int, body: bytes) -> bytes:
        """Return the message of a whole answer."""

    async def send(self, message: Message) -> None:
        """Send what a part of the answer says."""
        if message["type"] == "http.response.start":
            headers = dict(message["headers"])
            self._status = message["status"]
            is_whole = b"content-length" in headers
            self._streams = headers.get(b"content-type", b"").startswith(_STREAM) and not is_whole
            if self._streams:
                await self._say(self.begun())
            return
        self._rest += message.get("body", b"")
        if self._streams:
            *frames, self._rest = self._rest.split(self.frame_end)
            for frame in frames:
                await self._say(self.framed(frame))
        if not message.get("more_body", False):
            self.has_ended = True
            if not self._streams:
                await self._say(self.answered(self._status, self._rest))

    async def _say(self, text: bytes) -> None:
        if text and not self.has_left:
            await self._write(text.decode())


def fields_of(frame: bytes) -> dict[bytes, bytes]:
    """Return the fields of a server-sent event; a comment is a field without a name."""
    return dict(line.split(b": ", 1) for line in frame.split(b"\n") if b": " in line)


def own_headers(sent: Json, *names: str) -> dict[str, str]:
    """Return those of a request's own headers that it can have over a socket."""
    sent = sent if isinstance(sent, Mapping) else {}
    found = {name: sent.get(name) for name in names}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and VALUE.fullmatch(value)
    }


def unreadable(protocol: str, id: RequestId | None = None) -> BadMessage:
    """Return what is raised for a message that is not one of the protocol."""
    return BadMessage(ParseError(f"This is not a message of {protocol}."), id)
