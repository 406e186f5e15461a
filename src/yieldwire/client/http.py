"""What is needed of an HTTP client: httpx2's, or httpx's, which has the same shape."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final, Protocol, TypeAlias

from yieldwire.errors import MissingDependency

Timeouts: TypeAlias = tuple[float | None, float | None, float | None, float | None]

TIMEOUTS: Final[Timeouts] = (10.0, None, 60.0, None)
"""Seconds to connect, to read, to write and to get a connection. How long nothing may be
read is looked after above, where it is known what is being read."""

_NOT_CONNECTED: Final = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})
_NEVER_SENT: Final = frozenset({"LocalProtocolError", "UnsupportedProtocol"})


class Answer(Protocol):
    """A response whose body is read as it comes."""

    @property
    def status_code(self) -> int:
        """The HTTP status."""
        ...

    @property
    def reason_phrase(self) -> str:
        """What HTTP/1.1 says beside the status."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, whose names ignore case."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Return the body, piece by piece, without its content encoding."""
        ...

    async def aread(self) -> bytes:
        """Return the whole body."""
        ...

    async def aclose(self) -> None:
        """Let the connection go."""
        ...


class Http(Protocol):
    """An HTTP client: ``httpx2.AsyncClient``, or ``httpx.AsyncClient``."""

    def build_request(
        self,
        method: str,
        url: str,
        *,
        content: bytes | AsyncIterator[bytes] | None,
        headers: Mapping[str, str],
        timeout: Timeouts,
    ) -> Any:  # noqa: ANN401 - two libraries' own class
        """Return a request."""
        ...

    async def send(self, request: Any, *, stream: bool) -> Answer:  # noqa: ANN401 - the same
        """Send a request, and return its response when the head has come."""
        ...

    async def aclose(self) -> None:
        """Close every connection."""
        ...


def new_http() -> Http:
    """Return an HTTP client that holds as many streams open as are asked for.

    Raises:
        MissingDependency: If httpx2 is not installed.
    """
    try:
        import httpx2  # noqa: PLC0415 - whoever brings an HTTP client of their own does without
    except ImportError as exc:
        raise MissingDependency("httpx2", "client", "The client") from exc
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx2.AsyncClient(limits=limits)


def was_sent(error: Exception) -> bool:
    """Whether a request on which the network failed may have reached its server."""
    return not {kind.__name__ for kind in type(error).__mro__} & _NOT_CONNECTED


def is_lost(error: Exception) -> bool:
    """Whether the network failed, as httpx2 and httpx say it."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return "TransportError" in names and not names & _NEVER_SENT
