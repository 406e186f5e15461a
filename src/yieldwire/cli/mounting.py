"""Mounts an application at a path, for ``dev`` and ``serve``."""

import os
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from yieldwire.asgi import Actions
from yieldwire.asgi.safety import Incoming
from yieldwire.errors import CallError, ErrorObject

BASE: Final = "/api/_actions"
"""Where an application is mounted by convention."""

_PRIVATE: Final = (".?*", "*.py", "*.pyc", "*.db*", "*.sqlite*", "*.pem", "*.key")
"""Names of files and folders that no page needs, and nobody else must see."""


def mounted(
    app: Actions, base: str, *, redirects: bool = False, static: Path | None = None
) -> ASGIApp:
    """Return ``app`` as it answers below ``base``.

    ``redirects`` makes ``/`` redirect to the page there. ``static`` is a folder whose files are
    served at ``/`` instead.
    """
    base = base.rstrip("/")

    async def to_page(request: Request) -> RedirectResponse:
        return RedirectResponse(f"{request.scope.get('root_path', '')}{base}/")

    routes: list[Mount | Route] = [Mount(base, app)]
    if redirects and base and static is None:
        routes.append(Route("/", to_page))

    async def nothing(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await WebSocketClose()(scope, receive, send)
            return
        message = f"There is nothing at this URL; the actions are below {base}/."
        error = ErrorObject(code="NOT_FOUND", message=message, status=404)
        await JSONResponse({"error": error.to_dict()}, 404)(scope, receive, send)

    default = nothing if static is None else _Files(static, app, nothing)
    # Without Starlette's own middleware, which would add work for each piece of a stream.
    return Router(routes, default=default, lifespan=app.lifespan)


class _Files(StaticFiles):
    """The files of a folder, to the requests that the application would answer as well."""

    def __init__(self, folder: Path, app: Actions, otherwise: ASGIApp) -> None:
        super().__init__(directory=folder, html=True, check_dir=False)
        self._check, self._otherwise = app.site.safety.check, otherwise

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["type"] == "http":
                self._check(Incoming.of_http(scope))
                await super().__call__(scope, receive, send)
                return
        except (CallError, HTTPException):
            pass
        await self._otherwise(scope, receive, send)

    def lookup_path(self, path: str) -> tuple[str, os.stat_result | None]:
        names = Path(path).parts
        if any(fnmatch(name, private) for name in names for private in _PRIVATE):
            return "", None
        return super().lookup_path(path)

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "no-cache"  # an edited file is shown at a reload
        return response
