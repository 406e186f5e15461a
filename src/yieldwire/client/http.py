"""The required interface of an HTTP client: httpx2's, or httpx's, which has the same methods."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from functools import partial
from typing import Any, Final, Protocol, TypeAlias

from yieldwire.errors import MissingDependency

Timeouts: TypeAlias = tuple[float | None, float | None, float | None, float | None]


def timeouts(connect: float = 10.0) -> Timeouts:
    """Return seconds to connect, to read, to write and to get a connection.

    The time without data is limited at a higher level, where it is known what is being read.
    """
    return (connect, None, 60.0, None)


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
        """The reason phrase of HTTP/1.1."""
        ...

    @property
    def headers(self) -> Mapping[str, str]:
        """The response's headers, with case-insensitive names."""
        ...

    def aiter_bytes(self) -> AsyncIterator[bytes]:
        """Return the body, piece by piece, without its content encoding."""
        ...

    async def aclose(self) -> None:
        """Release the connection."""
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
    """Return an HTTP client without a limit on open streams.

    Raises:
        MissingDependency: If httpx2 is not installed.
    """
    try:
        import httpx2  # noqa: PLC0415 - not needed with your own HTTP client
    except ImportError as exc:
        raise MissingDependency("httpx2", "client", "The client") from exc
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20)
    return httpx2.AsyncClient(limits=limits)


def single_http(purpose: str) -> Callable[[], Http]:
    """Return a function that returns an HTTP client without kept connections and proxies.

    Each request of such a client goes to the address in its URL, over a connection of its own.
    The certificates that it trusts are read once, by this call.

    Raises:
        MissingDependency: If httpx2 is not installed; ``purpose`` says what needs it.
    """
    try:
        import httpx2  # noqa: PLC0415 - most applications have no webhooks
    except ImportError as exc:
        raise MissingDependency("httpx2", "client", purpose) from exc
    trusted = httpx2.create_ssl_context(trust_env=False)
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    return partial(httpx2.AsyncClient, limits=limits, trust_env=False, verify=trusted)


def trusted_certificates() -> ssl.SSLContext:
    """Return what checks the certificates of servers, as every HTTP client here does.

    Raises:
        MissingDependency: If httpx2 is not installed.
    """
    try:
        import httpx2  # noqa: PLC0415 - not needed with your own HTTP client
    except ImportError as exc:
        raise MissingDependency("httpx2", "client", "The client") from exc
    return httpx2.create_ssl_context()


def direct_http() -> Http:
    """Return an HTTP client that keeps connections, and uses no proxy of this machine.

    Raises:
        MissingDependency: If httpx2 is not installed.
    """
    trusted = trusted_certificates()
    import httpx2  # noqa: PLC0415 - as above

    return httpx2.AsyncClient(
        limits=httpx2.Limits(max_connections=None), trust_env=False, verify=trusted
    )


def was_sent(error: Exception) -> bool:
    """Whether a request that failed on the network can have reached its server."""
    return not {kind.__name__ for kind in type(error).__mro__} & _NOT_CONNECTED


def is_not_connected_in_time(error: Exception) -> bool:
    """Whether no connection was made in time."""
    return "ConnectTimeout" in {kind.__name__ for kind in type(error).__mro__}


def is_lost(error: Exception) -> bool:
    """Whether the exception is a network failure of httpx2 or httpx."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return "TransportError" in names and not names & _NEVER_SENT
