"""Starlette as a host: its lifespan opens and closes the actions that are mounted in it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, Final

from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send

from yieldwire.asgi import Actions
from yieldwire.asgi.host import HOST, HostFramework
from yieldwire.errors import UsageError

PATH: Final = "/api/_actions"
"""Where actions are mounted by convention."""


def mount(app: Starlette, actions: Actions, path: str = PATH) -> None:
    """Mount ``actions`` in ``app``, and add their lifespan to its own.

    The actions open after what ``app`` opens, and close before it.

    Args:
        app: The host application.
        actions: The actions.
        path: The path prefix for the actions.

    Raises:
        UsageError: If something cannot be mounted there.
    """
    mount_in(app, actions, path, actions)


def mount_in(app: Starlette, actions: Actions, path: str, inner: ASGIApp) -> None:
    """Mount ``inner``, through which ``actions`` are reached, as `mount` does."""
    if not isinstance(app, Starlette):  # pyright: ignore[reportUnnecessaryIsInstance] - a mistake
        raise UsageError(
            f"mount takes the application first, and {type(app).__name__} is not one of Starlette."
        )
    if not isinstance(actions, Actions):  # pyright: ignore[reportUnnecessaryIsInstance] - a mistake
        raise UsageError(f"mount takes an Actions() second, not {type(actions).__name__}.")
    if not path.strip("/") or not path.startswith("/"):
        raise UsageError(f"The path of a mount is one such as {PATH!r}, not {path!r}.")
    app.mount(path.rstrip("/"), inner)
    of_app = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(host: Any) -> AsyncGenerator[Any, None]:  # noqa: ANN401 - as Starlette's
        async with of_app(host) as state, actions.lifespan():
            yield state

    app.router.lifespan_context = lifespan


class Hosted:
    """An application whose requests know their host.

    Args:
        app: The application.
        host: The host.
    """

    def __init__(self, app: ASGIApp, host: HostFramework) -> None:
        self.app: Final = app
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as the application does."""
        await self.app({**scope, HOST: self._host}, receive, send)
