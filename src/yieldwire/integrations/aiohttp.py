"""aiohttp as a host: a bridge between its requests and ASGI. The one module that imports it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Scope

from yieldwire.asgi import Actions
from yieldwire.asgi.host import Known
from yieldwire.errors import MissingDependency, UsageError
from yieldwire.integrations.mounting import PATH, Find, checked, hosted

try:
    from aiohttp import WSMsgType, web
    from multidict import CIMultiDict
except ImportError as _exc:
    raise MissingDependency("aiohttp", "aiohttp", "yieldwire.integrations.aiohttp") from _exc

_REQUEST: Final = "yieldwire.aiohttp"
"""Where a scope has its request of aiohttp."""
LOOK_EVERY: Final = 0.5
"""Seconds between two looks at whether a client is still there."""
_DENIAL: Final = "websocket.http.response"


def mount(
    app: web.Application,
    actions: Actions,
    path: str = PATH,
    *,
    identify: Callable[[web.Request], Known | Awaitable[Known]] | None = None,
) -> None:
    """Mount ``actions`` in ``app``, and add their lifespan to its own.

    Args:
        app: The host application.
        actions: The actions.
        path: The path prefix for the actions.
        identify: Returns the owner for a request of aiohttp: a name, an `Identity`, or ``None``
            for an anonymous caller. It can raise ``HTTPUnauthorized``.

    Raises:
        UsageError: If something cannot be mounted there, or there are two ``identify``.
    """
    if not isinstance(app, web.Application):  # pyright: ignore[reportUnnecessaryIsInstance] - a mistake
        raise UsageError(f"mount takes a web.Application() first, not {type(app).__name__}.")
    prefix = checked(actions, path)
    find: Find | None = None
    if identify is not None:
        find = _finding(identify)
    bridge = _Bridge(hosted(actions, find))
    app.router.add_route("*", prefix, bridge.answer)
    app.router.add_route("*", prefix + "/{tail:.*}", bridge.answer)

    async def lifespan(_: web.Application) -> AsyncIterator[None]:
        async with actions.lifespan():
            yield

    async def drain(_: web.Application) -> None:
        actions.drain()

    app.cleanup_ctx.append(lifespan)
    app.on_shutdown.append(drain)


def _finding(identify: Callable[[web.Request], Known | Awaitable[Known]]) -> Find:
    def find(connection: HTTPConnection) -> Known | Awaitable[Known]:
        return identify(connection.scope[_REQUEST])

    return find


class _Bridge:
    """Answers requests of aiohttp by an ASGI application.

    Args:
        app: The ASGI application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request, or one WebSocket."""
        is_socket = web.WebSocketResponse().can_prepare(request).ok
        call = _Socket(request) if is_socket else _Exchange(request)
        try:
            await self._app(call.scope, call.receive, call.send)
        except Exception:
            if call.response is None:
                raise
            if request.transport is not None:
                request.transport.close()  # so that nobody mistakes the end for a whole answer
        if call.response is None:
            raise web.HTTPInternalServerError
        return call.response


class _Exchange:
    """One request and its answer."""

    def __init__(self, request: web.Request) -> None:
        self.response: web.StreamResponse | None = None
        self._request, self._is_read = request, False

    @property
    def scope(self) -> Scope:
        request = self._request
        transport = request.transport
        facts: Any = (lambda _: None) if transport is None else transport.get_extra_info
        tail = request.match_info.get("tail", "")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": f"{request.version.major}.{request.version.minor}",
            "method": request.method,
            "scheme": request.scheme,
            "path": request.path,
            "raw_path": request.raw_path.partition("?")[0].encode(),
            "query_string": request.raw_path.partition("?")[2].encode(),
            "root_path": request.path.removesuffix(tail).rstrip("/"),
            "headers": [(name.lower(), value) for name, value in request.raw_headers],
            "client": _address(facts("peername")),
            "server": _address(facts("sockname")),
            "extensions": {},
            _REQUEST: request,
        }

    async def receive(self) -> Message:
        if not self._is_read:
            body = await self._request.content.readany()
            self._is_read = self._request.content.at_eof()
            return {"type": "http.request", "body": body, "more_body": not self._is_read}
        await self._wait_until_gone()
        return {"type": "http.disconnect"}

    async def _wait_until_gone(self) -> None:
        # aiohttp tells nobody that a client has gone, unless it is set to cancel the handler.
        while not self._is_gone():  # noqa: ASYNC110
            await asyncio.sleep(LOOK_EVERY)

    def _is_gone(self) -> bool:
        transport = self._request.transport
        return transport is None or transport.is_closing()

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.response = web.StreamResponse(status=message["status"], headers=_headers(message))
            with suppress(OSError):  # the client has gone
                await self.response.prepare(self._request)
        elif self.response is not None:
            with suppress(OSError):
                if body := message.get("body"):
                    await self.response.write(body)
                if not message.get("more_body"):
                    await self.response.write_eof()


class _Socket(_Exchange):
    """One WebSocket."""

    def __init__(self, request: web.Request) -> None:
        super().__init__(request)
        self._socket: web.WebSocketResponse | None = None
        self._is_connected = False

    @property
    def scope(self) -> Scope:
        offered = self._request.headers.getall("sec-websocket-protocol", [])
        return {
            **super().scope,
            "type": "websocket",
            "scheme": "wss" if self._request.secure else "ws",
            "subprotocols": [each.strip() for text in offered for each in text.split(",")],
            "extensions": {_DENIAL: {}},
        }

    async def receive(self) -> Message:
        if not self._is_connected:
            self._is_connected = True
            return {"type": "websocket.connect"}
        if self._socket is None:
            await self._wait_until_gone()
            return {"type": "websocket.disconnect", "code": 1006}
        said = await self._socket.receive()
        if said.type is WSMsgType.TEXT:
            return {"type": "websocket.receive", "text": said.data}
        if said.type is WSMsgType.BINARY:
            return {"type": "websocket.receive", "bytes": said.data}
        return {"type": "websocket.disconnect", "code": self._socket.close_code or 1006}

    async def send(self, message: Message) -> None:
        kind: str = message["type"]
        if kind.startswith(_DENIAL):
            await super().send({**message, "type": kind.removeprefix("websocket.")})
        elif kind == "websocket.accept":
            chosen = message.get("subprotocol")
            self.response = self._socket = web.WebSocketResponse(
                protocols=[chosen] if chosen else [], max_msg_size=0
            )
            await self._socket.prepare(self._request)
        elif self._socket is None:
            self.response = web.Response(status=403)  # closed before it was accepted
        elif kind == "websocket.close":
            await self._socket.close(code=message.get("code", 1000))
        elif (text := message.get("text")) is not None:
            await self._socket.send_str(text)
        else:
            await self._socket.send_bytes(message["bytes"])


def _headers(message: Message) -> CIMultiDict[str]:
    pairs = [
        (name.decode("latin-1"), value.decode("latin-1")) for name, value in message["headers"]
    ]
    return CIMultiDict(pairs)


def _address(name: object) -> tuple[str, int] | None:
    return (name[0], name[1]) if isinstance(name, tuple) else None
