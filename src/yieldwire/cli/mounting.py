"""Mounts an application at a path, for ``dev`` and ``serve``."""

from typing import Final

from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Mount, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from yieldwire.asgi import Actions
from yieldwire.errors import ErrorObject

BASE: Final = "/api/_actions"
"""Where an application is mounted by convention."""


def mounted(app: Actions, base: str, *, redirects: bool) -> ASGIApp:
    """Return ``app`` as it answers below ``base``.

    ``redirects`` makes ``/`` redirect to the page there.
    """
    base = base.rstrip("/")
    routes: list[Mount | Route] = [Mount(base, app)]
    if redirects and base:
        routes.append(Route("/", lambda request: _to_page(request.scope, base)))

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        message = f"There is nothing at this URL; the actions are below {base}/."
        error = ErrorObject(code="NOT_FOUND", message=message, status=404)
        await JSONResponse({"error": error.to_dict()}, 404)(scope, receive, send)

    # Without Starlette's own middleware, which would add work for each piece of a stream.
    return Router(routes, default=nothing, lifespan=app.lifespan)


def _to_page(scope: Scope, base: str) -> RedirectResponse:
    return RedirectResponse(f"{scope.get('root_path', '')}{base}/")
