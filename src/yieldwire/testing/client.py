"""The client, connected to an application in the same process."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from starlette.types import ASGIApp

from yieldwire.client import AsyncClient, Patience
from yieldwire.testing.transport import http_of

PATIENCE: Final = Patience(tries=3, backoff=0.0, backoff_max=0.0, longest_wait=0.0)
"""Retries at once, and raises if the server asks for a wait: a test does not wait."""


@asynccontextmanager
async def connect(
    actions: ASGIApp, path: str = "", /, **headers: str
) -> AsyncGenerator[AsyncClient, None]:
    """Open an application and return a client of it, without a network.

    Args:
        actions: The application, or another one in which it is mounted.
        path: The path at which it is mounted there.
        headers: Sent with every request; ``x_user="u1"`` is ``X-User: u1``.

    Example:
        >>> async with connect(actions, authorization="Bearer t") as client:
        ...     assert await client.call("add", {"a": 1, "b": 2}) == 3
    """
    url = f"http://localhost{path}"
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        http_of(actions) as http,
        AsyncClient(url, headers=named, http=http, patience=PATIENCE) as client,
    ):
        yield client
