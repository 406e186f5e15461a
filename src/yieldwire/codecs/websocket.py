"""Pure translation between the messages of a WebSocket and requests and answers, for both ends.

A text message is a *head*, a JSON object in one line, and after a line break the bytes of a body
as they are: nothing in a body is encoded again. A binary message is the id of a request, in four
bytes, and a piece of its body.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Final

from pydantic_core import to_json

from yieldwire.errors import Json, ProtocolError

SUBPROTOCOL: Final = "yieldwire"
"""The subprotocol that a client offers and a server selects."""
CREDIT: Final = 65_536
"""Bytes of an answer that can be sent before the client grants more."""
MAX_ID: Final = 2**31 - 1
"""The largest id of a request; the smallest is 1."""
MAX_HEAD_BYTES: Final = 65_536
"""Bytes of a head."""
REQUEST_HEADERS: Final = frozenset(
    {
        "accept",
        "content-length",
        "content-type",
        "idempotency-key",
        "if-none-match",
        "last-event-id",
        "prefer",
        "run-share",
        "upload-place",
        "webhook-url",
    }
)
"""The headers that belong to one request; all others are sent with the handshake."""
_TOKEN: Final = "yieldwire.token."  # noqa: S105 - what comes before one
_ID_BYTES: Final = 4


class CloseCode(IntEnum):
    """Why a server closes a socket. Codes below 3000 are those of RFC 6455."""

    GOING_AWAY = 1001
    TOO_LARGE = 1009
    RESTART = 1012
    IDLE = 4000
    BAD_MESSAGE = 4400
    UNAUTHORIZED = 4401
    STALLED = 4408


def text_of(head: Mapping[str, Json], body: bytes = b"") -> str:
    """Return the text message with this head, and a body if there is one."""
    line = to_json(head)
    return (line + b"\n" + body if body else line).decode()


def head_and_body(text: str) -> tuple[str, str]:
    """Return the two parts of a text message.

    Raises:
        ProtocolError: If the head is larger than `MAX_HEAD_BYTES`.
    """
    head, _, body = text.partition("\n")
    if len(head) > MAX_HEAD_BYTES:
        raise ProtocolError(f"The head of a message has more than {MAX_HEAD_BYTES} bytes.")
    return head, body


def message_of(number: int, piece: bytes) -> bytes:
    """Return the binary message with a piece of the body of request ``number``."""
    return number.to_bytes(_ID_BYTES, "big") + piece


def number_and_piece(message: bytes) -> tuple[int, bytes]:
    """Return the two parts of a binary message; an empty piece ends the body.

    Raises:
        ProtocolError: If it is too short.
    """
    if len(message) < _ID_BYTES:
        raise ProtocolError("A binary message begins with the four bytes of a request's id.")
    return int.from_bytes(message[:_ID_BYTES], "big"), message[_ID_BYTES:]


def protocol_with(token: str) -> str:
    """Return the subprotocol that carries ``token``, as browsers can send no header."""
    return _TOKEN + urlsafe_b64encode(token.encode()).decode().rstrip("=")


def token_in(protocols: Iterable[str]) -> str | None:
    """Return the token that one of the offered subprotocols carries, if any does."""
    for each in protocols:
        if each.startswith(_TOKEN):
            encoded = each.removeprefix(_TOKEN)
            try:
                return urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
            except (binascii.Error, ValueError):
                return None
    return None
