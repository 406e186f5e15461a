"""Starlette as a host: its lifespan opens and closes the actions that are mounted in it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.types import ASGIApp

from yieldwire.asgi import Actions
from yieldwire.errors import UsageError
from yieldwire.integrations.mounting import PATH, checked


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
    app.mount(checked(actions, path), inner)
    of_app = app.router.lifespan_context

    @asynccontextmanager
    async def lifespan(host: Any) -> AsyncGenerator[Any, None]:  # noqa: ANN401 - as Starlette's
        async with of_app(host) as state, actions.lifespan():
            yield state

    app.router.lifespan_context = lifespan
