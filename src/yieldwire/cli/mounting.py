"""An application under a path, as ``dev`` and ``serve`` have it."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from pydantic_core import to_json

from yieldwire.errors import ErrorObject
from yieldwire.log.events import one_line

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApp: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

BASE: Final = "/api/_actions"
"""Where an application is mounted by convention."""


class Mounted:
    """An ASGI application that answers below ``base``.

    ``redirects`` sends whoever asks for ``/`` on to the page there.
    """

    def __init__(self, app: ASGIApp, base: str, *, redirects: bool) -> None:
        self._app, self._base, self._redirects = app, base.rstrip("/"), redirects

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Hand the request on, or answer that there is nothing here."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        root = scope.get("root_path", "")
        path = scope["path"].removeprefix(root)
        if path == self._base or path.startswith(f"{self._base}/"):
            await self._app({**scope, "root_path": root + self._base}, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close"})
        elif path == "/" and self._redirects:
            await _answer(send, 307, [(b"location", f"{root}{self._base}/".encode())])
        else:
            message = f"There is nothing at this address; the actions are below {self._base}/."
            error = ErrorObject(code="NOT_FOUND", message=message, status=404)
            content = [(b"content-type", b"application/json")]
            await _answer(send, 404, content, one_line(to_json({"error": error.to_dict()})))


async def _answer(
    send: Send, status: int, headers: list[tuple[bytes, bytes]], body: bytes = b""
) -> None:
    length = (b"content-length", b"%d" % len(body))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
