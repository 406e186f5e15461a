"""What a client's text message says. Pure: it knows no socket and no application."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from yieldwire.asgi.jsontext import parse_json
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.codecs.websocket import (
    CREDIT,
    MAX_ID,
    REQUEST_HEADERS,
    head_and_body,
    number_and_piece,
)
from yieldwire.errors import Json, ParseError, PayloadTooLarge

MAX_BODY_BYTES: Final = 65_536
"""Bytes of a body in the message of its request; a larger one comes in binary messages."""
MAX_CREDIT: Final = 2**40
"""Bytes of credit that a request can have."""
_HEAD_DEPTH: Final = 8
_METHODS: Final = ("GET", "POST", "DELETE")
_PATH: Final = re.compile(r"/[!-~]{0,8191}", re.ASCII)
RequestId: TypeAlias = int | str
"""What a client calls a request; in the native protocol a number."""
VALUE: Final = re.compile(r"[\t -~\x80-\xff]*")
"""A header's value, RFC 9110 5.5."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request.

    Attributes:
        id: What the client calls it.
        method: Its method.
        target: Its path below the application's base, with the query.
        headers: Its own headers, with lower-case names.
        body: Its body, or ``None`` if that comes in binary messages.
        credit: How many bytes of the answer can be sent.
    """

    id: RequestId
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes | None
    credit: int


@dataclass(frozen=True, slots=True)
class Granted:
    """More credit for an answer."""

    id: RequestId
    credit: int


@dataclass(frozen=True, slots=True)
class Leaving:
    """The client does not need an answer any more."""

    id: RequestId


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the body of request ``id``."""

    id: RequestId
    data: bytes


@dataclass(frozen=True, slots=True)
class Echo:
    """A sign of life, which is answered with ``text``."""

    text: str


@dataclass(frozen=True, slots=True)
class NewToken:
    """The bearer token of the following requests."""

    token: str


Said: TypeAlias = Asked | Echo | Granted | Leaving | NewToken | Piece


class BadMessage(Exception):
    """A message that cannot be read; ``id`` is the request to which it belongs, if it has one."""

    def __init__(self, error: ParseError | PayloadTooLarge, id: RequestId | None) -> None:
        super().__init__(str(error))
        self.error = error
        self.id = id


def read_native(message: str | bytes) -> Sequence[Said]:
    """Return what a message of the native protocol says.

    Raises:
        BadMessage: If a text message cannot be read.
        ProtocolError: If a binary message has no number.
    """
    if isinstance(message, str):
        return [read(message)]
    return [Piece(*number_and_piece(message))]


def read(text: str) -> Said:
    """Return what a text message says. Unknown members of its head are ignored.

    Raises:
        BadMessage: If it cannot be read.
    """
    number: int | None = None
    try:
        line, body = head_and_body(text)
        head = parse_json(line.encode(), _HEAD_DEPTH)
        if not isinstance(head, dict):
            raise ParseError("The head of a message is a JSON object.")
        if "token" in head:
            return _new_token(head)
        number = _id(head)
        if "method" in head:
            return _asked(number, head, body.encode())
        if head.get("leave") is True:
            return Leaving(number)
        return Granted(number, _credit(head))
    except (ParseError, PayloadTooLarge) as exc:
        raise BadMessage(exc, number) from exc


def _id(head: dict[str, Json]) -> int:
    number = head.get("id")
    if type(number) is not int or not 0 < number <= MAX_ID:
        raise ParseError(f"The id of a request is a whole number from 1 to {MAX_ID}.")
    return number


def _credit(head: dict[str, Json], default: int | None = None) -> int:
    credit = head.get("credit", default)
    if type(credit) is not int or not 0 <= credit <= MAX_CREDIT:
        raise ParseError("The credit of an answer is a number of bytes.")
    return credit


def _new_token(head: dict[str, Json]) -> NewToken:
    token = head["token"]
    if not isinstance(token, str) or VALUE.fullmatch(token) is None:
        raise ParseError("A token is a string that a header can carry.")
    return NewToken(token)


def _asked(number: int, head: dict[str, Any], body: bytes) -> Asked:
    method, target, pieces = head["method"], head.get("path"), head.get("pieces", False)
    if method not in _METHODS:
        raise ParseError(f"The method of a request is one of {', '.join(_METHODS)}.")
    if not isinstance(target, str) or _PATH.fullmatch(target) is None:
        raise ParseError("The path of a request begins with a slash, and is percent-encoded.")
    if type(pieces) is not bool or (pieces and body):
        raise ParseError("A request has its body in its own message, or in pieces.")
    if len(body) > MAX_BODY_BYTES:
        raise PayloadTooLarge(
            f"A body of more than {MAX_BODY_BYTES} bytes is sent in pieces, as binary messages."
        )
    return Asked(
        id=number,
        method=method,
        target=target,
        headers=_headers(head.get("headers", {})),
        body=None if pieces else body,
        credit=_credit(head, CREDIT),
    )


def _headers(told: Json) -> dict[str, str]:
    if not isinstance(told, dict):
        raise ParseError("The headers of a request are an object.")
    headers = {"accept": NDJSONEncoder.media_type}
    for name, value in told.items():
        if not isinstance(value, str) or VALUE.fullmatch(value) is None:
            raise ParseError(f"The header {name[:80]!r} does not have the value of a header.")
        if name.lower() in REQUEST_HEADERS:
            headers[name.lower()] = value
    if "html" in headers["accept"].lower():
        raise ParseError("Pages are not sent over a socket; accept another type.")
    return headers
