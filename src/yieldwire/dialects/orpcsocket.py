"""What `RPCLink` of ``@orpc/client/websocket`` says over a socket, and what it is told."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic_core import to_json

from yieldwire.asgi.jsontext import parse_json
from yieldwire.asgi.websocket.message import Asked, BadMessage, Leaving, Said
from yieldwire.dialects.channel import ForeignChannel, fields_of, own_headers, unreadable
from yieldwire.errors import Json, ParseError

_PROTOCOL: Final = "oRPC"
_DEPTH: Final = 40
"""How deep a message can nest; the limit of an input is checked with it."""
_TARGET: Final = re.compile(r"/[!-~]*", re.ASCII)
_BLOB: Final = b"\xff"
"""What separates a message's JSON from a file."""
_FILES: Final = "multipart/form-data"
_OWN: Final = ("authorization", "idempotency-key", "last-event-id")
"""The headers that a request can have in addition to those of the handshake."""
_EVENT, _ABORT = 3, 4
"""The types of messages that are not requests."""


def read_orpc(message: str | bytes) -> Sequence[Said]:
    """Return what a message says.

    Raises:
        BadMessage: If it is not one of the protocol.
    """
    text, _, blob = (message.encode() if isinstance(message, str) else message).partition(_BLOB)
    try:
        said = parse_json(text, _DEPTH)
    except ParseError as exc:
        raise BadMessage(exc, None) from exc
    match said:
        case {"i": str(id_), "t": int(kind)} if kind == _ABORT:
            return [Leaving(id_)]
        case {"t": int(kind)} if kind == _EVENT:
            return []
        case {"i": str(id_), "p": {"u": str(target), **rest}} if _TARGET.fullmatch(target):
            return [_asked(id_, target, rest, has_files=bool(blob))]
        case _:
            raise unreadable(_PROTOCOL)


def _asked(id: str, target: str, sent: Mapping[object, Json], *, has_files: bool) -> Asked:
    headers = own_headers(sent.get("h"), *_OWN)
    if has_files or own_headers(sent.get("h"), "content-type"):
        headers["content-type"] = _FILES  # refused as over HTTP, and so is a stream of the client's
    body = to_json(sent["b"]) if sent.get("b") is not None else b""
    method = "GET" if sent.get("m") == "GET" else "POST"
    return Asked(id=id, method=method, target=target, headers=headers, body=body, credit=0)


class ORPCChannel(ForeignChannel):
    """A call, which is answered with a value or an event iterator."""

    def begun(self) -> bytes:
        """Return that the answer is an event iterator."""
        return self._told(b'"p":{"h":{"content-type":"text/event-stream"}}')

    def framed(self, frame: bytes) -> bytes:
        """Return an event of the iterator."""
        fields = fields_of(frame)
        if b"event" not in fields:
            return b""
        place = fields.get(b"id")
        meta = b"" if place is None else b',"m":{"id":%b}' % to_json(place.decode())
        event = b'"e":%b,"d":%b%b' % (to_json(fields[b"event"].decode()), fields[b"data"], meta)
        return self._told(b'"t":3,"p":{%b}' % event)

    def answered(self, status: int, body: bytes) -> bytes:
        """Return the value of a call, or the error that it throws."""
        told = b"" if status == 200 else b'"s":%d,' % status  # noqa: PLR2004 - OK
        return self._told(b'"p":{%b"b":%b}' % (told, body))

    def _told(self, members: bytes) -> bytes:
        return b'{"i":%b,%b}' % (to_json(self.id), members)
