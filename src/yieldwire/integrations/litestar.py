"""Litestar as a host: a plugin mounts actions. The one module that imports Litestar."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final
from urllib.parse import unquote

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from yieldwire.asgi import Actions
from yieldwire.asgi.host import Known
from yieldwire.errors import MissingDependency
from yieldwire.integrations.mounting import PATH, Find, checked, hosted

try:
    from litestar import asgi
    from litestar.config.app import AppConfig
    from litestar.connection import ASGIConnection
    from litestar.handlers import BaseRouteHandler
    from litestar.plugins import InitPlugin
except ImportError as _exc:
    raise MissingDependency("litestar", "litestar", "yieldwire.integrations.litestar") from _exc

_Connection = ASGIConnection[Any, Any, Any, Any]
_Guard = Callable[[_Connection, BaseRouteHandler], Awaitable[None] | None]
"""Litestar's own has arguments of unknown types."""


class ActionsPlugin(InitPlugin):
    """Mounts actions in a Litestar application, and adds their lifespan to its own.

    Args:
        actions: The actions.
        path: The path prefix for the actions.
        identify: Returns the owner for a connection of Litestar, of which middleware has set the
            ``user``: a name, an `Identity`, or ``None`` for an anonymous caller. It can raise
            ``NotAuthorizedException``.
        guards: Litestar's guards of the mount.

    Raises:
        UsageError: If something cannot be mounted there, or there are two ``identify``.

    Example:
        >>> Litestar(
        ...     plugins=[ActionsPlugin(actions, identify=lambda c: c.user.name)]
        ... )  # doctest: +SKIP
    """

    def __init__(
        self,
        actions: Actions,
        path: str = PATH,
        *,
        identify: Callable[[_Connection], Known | Awaitable[Known]] | None = None,
        guards: Sequence[_Guard] = (),
    ) -> None:
        self._path, self._guards, self._actions = checked(actions, path), list(guards), actions
        find: Find | None = None
        if identify is not None:
            find = _finding(identify)
        self._mounted = _Mounted(hosted(actions, find))

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the mount and the lifespan to the application."""
        route = asgi(self._path, is_mount=True, copy_scope=True, guards=self._guards)
        app_config.route_handlers.append(route(self._mounted))
        app_config.lifespan.append(self._actions.lifespan)
        return app_config


def _finding(identify: Callable[[_Connection], Known | Awaitable[Known]]) -> Find:
    def find(request: HTTPConnection) -> Known | Awaitable[Known]:
        return identify(ASGIConnection(request.scope))  # type: ignore[arg-type]

    return find


class _Mounted:
    """Actions with a scope as mounted applications have it.

    Litestar removes the prefix from the path, adds a slash, and does not name a root path.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app: Final = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root, whole = scope.get("root_path", ""), unquote(scope["raw_path"].partition(b"?")[0])
        if not whole.startswith(root):
            whole = root + whole
        base = whole.rstrip("/").removesuffix(scope["path"].rstrip("/"))
        await self.app({**scope, "path": whole, "root_path": base}, receive, send)
