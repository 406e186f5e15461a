"""What was seen of a server: the data of which the checks make findings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic_core import from_json

from yieldwire.errors import Json

OK: Final = 200
BODY_BYTES: Final = 1024 * 1024
"""Bytes that are read of an answer at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One answer.

    Attributes:
        status: The HTTP status; 0: none came.
        headers: Its headers, with lower-case names.
        body: The beginning of its body.
        asked_at: When the request was sent, by this machine's clock, in seconds since the epoch.
        seconds: The time until the head came.
        failure: Why none came.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    asked_at: float = 0.0
    seconds: float = 0.0
    failure: str = ""

    @property
    def json(self) -> Json:
        """The body as JSON, or ``None``."""
        try:
            return from_json(self.body)
        except ValueError:
            return None

    @property
    def error(self) -> Mapping[str, Any] | None:
        """The error object of a Yieldwire server, if it is one."""
        told = self.json
        error = told.get("error") if isinstance(told, dict) else None
        is_ours = isinstance(error, dict) and {"code", "retryable", "errorId"} <= error.keys()
        return error if is_ours else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A frame of a test stream, or a keepalive, and when it came, in seconds since the request.

    Attributes:
        at: When it was complete here.
        frame: Its number; 0 for a keepalive.
        sent: When the server sent it, by the server's clock; 0 for a keepalive.
        keepalive: Seconds after which a stream of the server sends a keepalive.
    """

    at: float
    frame: int = 0
    sent: float = 0.0
    keepalive: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenStream:
    """A test stream.

    Attributes:
        head: Its head; the body is empty unless it is not a stream.
        arrivals: What came, in order.
        has_farewell: Whether the server has asked to reconnect, because it stops.
        ended: When it ended, in seconds since the request.
        silence: How many seconds of silence were asked for.
    """

    head: Seen
    arrivals: Sequence[Arrival] = ()
    has_farewell: bool = False
    ended: float = 0.0
    silence: float = 0.0

    @property
    def frames(self) -> Sequence[Arrival]:
        """The frames."""
        return [each for each in self.arrivals if each.frame]

    @property
    def keepalives(self) -> Sequence[Arrival]:
        """The keepalives."""
        return [each for each in self.arrivals if not each.frame]


def arrivals_in(pieces: Sequence[tuple[float, bytes]]) -> Sequence[Arrival]:
    """Return the frames and keepalives in a body that came in ``pieces``, each with its time."""
    found, open_ = list[Arrival](), b""
    for at, piece in pieces:
        *blocks, open_ = (open_ + piece).replace(b"\r\n", b"\n").split(b"\n\n")
        for block in blocks:
            if block.startswith(b":"):
                found.append(Arrival(at=at))
            elif (frame := _frame(at, block)) is not None:
                found.append(frame)
    return found


def _frame(at: float, block: bytes) -> Arrival | None:
    try:
        facts = from_json(block.partition(b"data: ")[2])
        return Arrival(
            at=at,
            frame=facts["frame"],
            sent=facts["atMs"] / 1000,
            keepalive=facts["keepaliveMs"] / 1000,
        )
    except (ValueError, TypeError, KeyError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenTLS:
    """A TLS connection, or why there is none.

    Attributes:
        version: The version, such as ``TLSv1.3``.
        protocol: What ALPN agreed on, such as ``h2``; empty: nothing.
        ends_at: When the certificate ends, in seconds since the epoch.
        fault: Why the certificate was refused, or the handshake failed; empty: it was not.
        fault_code: OpenSSL's number of the certificate's fault; 0: it is not the certificate.
    """

    version: str = ""
    protocol: str = ""
    ends_at: float = 0.0
    fault: str = ""
    fault_code: int = 0
