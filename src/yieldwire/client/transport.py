"""How a client's requests travel: over HTTP, or over one WebSocket."""

from typing import Literal, TypeAlias

from yieldwire.client.http import Http, new_http
from yieldwire.errors import UsageError

TransportName: TypeAlias = Literal["http", "websocket"]
"""How a client's requests travel."""


def http_over(transport: TransportName, url: str, http: Http | None) -> Http:
    """Return what sends a client's requests.

    Raises:
        MissingDependency: If its library is not installed.
        UsageError: If there is an ``http`` that would not be used.
    """
    if transport == "http":
        return http or new_http()
    if http is not None:
        raise UsageError("A client over WebSocket uses no http=; leave one of them out.")
    from yieldwire.client.websocket import SocketHttp  # noqa: PLC0415 - not needed over HTTP

    return SocketHttp(url)
