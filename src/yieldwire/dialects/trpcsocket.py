"""What `wsLink` of ``@trpc/client`` says over a socket, and what it is told.

The published client reconnects by itself, and sends its subscriptions again with the id of the last
value. It takes each value's id for the place, so a cut before the first one starts another run.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final
from urllib.parse import quote, urlencode

from pydantic_core import from_json, to_json

from yieldwire.asgi.jsontext import parse_json
from yieldwire.asgi.websocket.message import (
    VALUE,
    Asked,
    BadMessage,
    Echo,
    Leaving,
    NewToken,
    Said,
)
from yieldwire.dialects.channel import ForeignChannel, fields_of, own_headers, unreadable
from yieldwire.errors import Json, ParseError

_PROTOCOL: Final = "tRPC"
_DEPTH: Final = 40
"""How deep a message can nest; the limit of an input is checked with it."""
_TOKENS: Final = ("authorization", "token")
"""The connection parameters that are a bearer token."""


def read_trpc(message: str | bytes) -> Sequence[Said]:
    """Return what a message says, which can be several requests.

    Raises:
        BadMessage: If it is not one of the protocol.
    """
    if message == "PING":
        return [Echo("PONG")]
    if message == "PONG":
        return []
    if isinstance(message, bytes):
        raise unreadable(_PROTOCOL)
    try:
        said = parse_json(message.encode(), _DEPTH)
    except ParseError as exc:
        raise BadMessage(exc, None) from exc
    return [_said(one) for one in (said if isinstance(said, list) else [said])]


def _said(one: Json) -> Said:
    match one:
        case {"method": "connectionParams", **rest}:
            return NewToken(_token_of(rest.get("data")))
        case {"id": int() | str() as id_, "method": "subscription.stop"}:
            return Leaving(id_)
        case {
            "id": int() | str() as id_,
            "method": str(method),
            "params": {"path": str(path), **rest},
        }:
            return _asked(id_, method, "/" + quote(path, safe=""), rest)
        case _:
            raise unreadable(_PROTOCOL)


def _token_of(data: Json) -> str:
    tokens = own_headers(data, *_TOKENS)
    return next(iter(tokens.values()), "").removeprefix("Bearer ")


def _asked(id: int | str, method: str, path: str, params: Mapping[object, Json]) -> Asked:
    value = params.get("input")
    if method != "subscription":
        body = b"" if value is None else to_json(value)
        return Asked(id=id, method="POST", target=path, headers={}, body=body, credit=0)
    headers = {"accept": "text/event-stream"}
    place = params.get("lastEventId")
    if isinstance(place, str) and VALUE.fullmatch(place):
        headers["last-event-id"] = place
    query = "" if value is None else "?" + urlencode({"input": to_json(value).decode()})
    return Asked(id=id, method="GET", target=path + query, headers=headers, body=b"", credit=0)


class TRPCChannel(ForeignChannel):
    """A query, a mutation or a subscription."""

    frame_end: ClassVar[bytes] = b"\n\n\n"

    def begun(self) -> bytes:
        """Return that the subscription has started."""
        return self._told(b'"result":{"type":"started"}')

    def framed(self, frame: bytes) -> bytes:
        """Return a tracked value, an error or the end; a keepalive is a ping."""
        fields = fields_of(frame)
        data = fields.get(b"data", b"")
        match fields.get(b"event"):
            case None:
                place = to_json(fields[b"id"].decode())
                value = b'{"id":%b,"data":%b}' % (place, data)
                return self._told(b'"result":{"type":"data","id":%b,"data":%b}' % (place, value))
            case b"serialized-error":
                return self._told(b'"error":' + data)
            case b"return":
                return self._told(b'"result":{"type":"stopped"}')
            case b"ping":
                return b"PING"
            case _:
                return b""

    def answered(self, status: int, body: bytes) -> bytes:
        """Return the result of a call, or the error that refuses it."""
        if body.startswith(b"{"):
            told = from_json(body)
            if "result" in told:
                told["result"]["type"] = "data"
            return to_json({"id": self.id, **told})
        # A subscription is refused by a stream that ends at once.
        frames = body.split(self.frame_end)
        return b"".join(map(self.framed, frames[:-1]))

    def _told(self, members: bytes) -> bytes:
        return b'{"id":%b,%b}' % (to_json(self.id), members)
