"""What the mounts of all host frameworks have in common."""

from collections.abc import Awaitable, Callable, Mapping
from collections.abc import Set as AbstractSet
from inspect import isawaitable
from typing import Any, Final

from starlette.requests import HTTPConnection, Request
from starlette.routing import Match, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from yieldwire.actions.action import Action
from yieldwire.asgi import Actions
from yieldwire.asgi.host import (
    HOST,
    HostFailure,
    HostFramework,
    Identify,
    Known,
    unresolved,
)
from yieldwire.errors import Forbidden, Unauthorized, UsageError, YieldwireError

PATH: Final = "/api/_actions"
"""Where actions are mounted by convention."""

Find = Callable[[HTTPConnection], Known | Awaitable[Known]]
"""Returns the owner of a request, as the host knows it."""


def checked(actions: object, path: str) -> str:
    """Return the path prefix of a mount without a slash at its end.

    Raises:
        UsageError: If ``actions`` cannot be mounted there.
    """
    if not isinstance(actions, Actions):
        raise UsageError(f"This takes an Actions() to mount, not {type(actions).__name__}.")
    if not path.strip("/") or not path.startswith("/"):
        raise UsageError(f"The path of a mount is one such as {PATH!r}, not {path!r}.")
    return path.rstrip("/")


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


class IdentifyingHost:
    """A host that says who sends a request.

    Args:
        find: Returns the owner. What it raises with the status 401 or 403 refuses the request;
            any other error is the host's.
    """

    def __init__(self, find: Find) -> None:
        self._find = find

    @property
    def identify(self) -> Identify | None:
        """Identifies the sender of a request."""
        return self._identify

    async def _identify(self, request: HTTPConnection) -> Known:
        try:
            known = self._find(request)
            return await known if isawaitable(known) else known
        except YieldwireError:
            raise
        except Exception as exc:
            match _status_of(exc):
                case 401:
                    raise Unauthorized from exc
                case 403:
                    raise Forbidden from exc
                case _:
                    raise HostFailure from exc

    def reads_of_query(self, _: Action[..., Any, Any], /) -> AbstractSet[str]:
        """Return no names."""
        return frozenset()

    async def resolve(
        self, request: Request, action: Action[..., Any, Any], /
    ) -> Mapping[str, object]:
        """Raise, because this host resolves no dependencies."""
        raise unresolved(action)


def _status_of(exc: Exception) -> object:
    # The names in the errors of Starlette and Litestar, of aiohttp, and of Werkzeug.
    names = ("status_code", "status", "code")
    return next((getattr(exc, name) for name in names if hasattr(exc, name)), None)


def hosted(actions: Actions, find: Find | None) -> ASGIApp:
    """Return ``actions`` as they are mounted, with what identifies their callers.

    Raises:
        UsageError: If there are two ``identify``.
    """
    if find is None:
        return actions
    if actions.site.identify is not None:
        raise UsageError("Give identify= to Actions() or to the mount, not to both.")
    return Hosted(actions, IdentifyingHost(find))


class PathPrefix:
    """Sends what is below a path to the actions, and everything else to the host.

    Args:
        app: The host's application.
        path: The path prefix.
        inner: What answers below it.
    """

    def __init__(self, app: ASGIApp, path: str, inner: ASGIApp) -> None:
        self.app: Final = app
        self._mount = Mount(path, inner)
        self.routes: Final = [self._mount]
        """As applications with routes have them, so that the actions are found."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or a part of the lifespan."""
        if scope["type"] in {"http", "websocket"}:
            match, child = self._mount.matches(scope)
            if match is Match.FULL:
                await self._mount.handle({**scope, **child}, receive, send)
                return
        await self.app(scope, receive, send)
