"""Quart as a host: one line mounts actions. The one module that imports Quart."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from inspect import isawaitable
from typing import Any

from starlette.requests import HTTPConnection

from yieldwire.asgi import Actions
from yieldwire.asgi.host import Known
from yieldwire.errors import MissingDependency, UsageError
from yieldwire.integrations.mounting import PATH, Find, PathPrefix, checked, hosted

try:
    from quart import Quart
    from werkzeug.datastructures import Headers
except ImportError as _exc:
    raise MissingDependency("quart", "quart", "yieldwire.integrations.quart") from _exc


def mount(
    app: Quart,
    actions: Actions,
    path: str = PATH,
    *,
    identify: Callable[[], Known | Awaitable[Known]] | None = None,
) -> None:
    """Mount ``actions`` in ``app``, and add their lifespan to its own.

    Args:
        app: The host application.
        actions: The actions.
        path: The path prefix for the actions.
        identify: Returns the owner: a name, an `Identity`, or ``None`` for an anonymous caller. It
            is called within Quart's request context, so it reads ``session``, ``request`` and
            ``current_user`` as a route does, and can ``abort(401)``.

    Raises:
        UsageError: If something cannot be mounted there, or there are two ``identify``.
    """
    if not isinstance(app, Quart):  # pyright: ignore[reportUnnecessaryIsInstance] - a mistake
        raise UsageError(f"mount takes a Quart() first, not {type(app).__name__}.")
    find = None if identify is None else _finding(app, identify)
    own: Any = app.asgi_app  # its types of scopes are other ones
    dispatch = PathPrefix(own, checked(actions, path), hosted(actions, find))
    app.asgi_app = dispatch  # type: ignore[method-assign, assignment]

    @app.while_serving
    async def lifespan() -> AsyncGenerator[None, None]:
        async with actions.lifespan():
            yield


def _finding(app: Quart, identify: Callable[[], Known | Awaitable[Known]]) -> Find:
    async def find(connection: HTTPConnection) -> Known:
        scope: Any = connection.scope
        request = app.request_class(
            scope["method"],
            scope["scheme"],
            scope["path"],
            scope["query_string"],
            Headers(connection.headers.items()),
            scope.get("root_path", ""),
            scope["http_version"],
            scope,
            send_push_promise=_push,
        )
        async with app.request_context(request):
            known = identify()
            return await known if isawaitable(known) else known

    return find


async def _push(path: str, headers: Headers) -> None:
    """Ignore what a request would push, as servers without that do."""
