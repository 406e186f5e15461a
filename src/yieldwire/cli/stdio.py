"""A client of the Model Context Protocol at stdin and stdout, answered as over HTTP.

Theory of operation. Each line of stdin is a message. It becomes the request that the same client
would send over HTTP, to the dialect in this process; the messages of the answer become lines. So a
tool, its errors, questions and tasks are those of HTTP. A request that the client cancels, or whose
client has gone, is left, as a closed connection would leave it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic_core import from_json, to_json
from starlette.types import ASGIApp, Message, Scope

from yieldwire.asgi.exchange import BrokenOff
from yieldwire.dialects.mcpwire import header_of

_META_VERSION: Final = "io.modelcontextprotocol/protocolVersion"
_SESSION: Final = b"mcp-session-id"
_CANCELLED: Final = "notifications/cancelled"
_CLOSED: Final = -32000
_OK: Final = 200


class Messages:
    """The messages of one client, which ``app`` answers; ``write`` takes a line at a time."""

    def __init__(
        self, app: ASGIApp, headers: Mapping[str, str], write: Callable[[bytes], object]
    ) -> None:
        self._app, self._write = app, write
        self._headers: Final = [
            (name.lower().encode(), value.encode()) for name, value in headers.items()
        ]
        self._session = self._version = b""
        self._open: dict[str | int, _Exchange] = {}

    async def answer_all(self, lines: asyncio.Queue[bytes]) -> None:
        """Answer each line, at the same time, until an empty one; then leave open calls."""
        async with asyncio.TaskGroup() as tasks:
            while line := await lines.get():
                if line.strip():
                    await self._take(line, tasks)
            for exchange in self._open.values():
                exchange.leave()

    async def _take(self, line: bytes, tasks: asyncio.TaskGroup) -> None:
        message: Any = None
        with suppress(ValueError):
            message = from_json(line)
        message = message if isinstance(message, dict) else {}
        id_, method = message.get("id"), message.get("method")
        if not isinstance(id_, (str, int)) or not isinstance(method, str):
            tasks.create_task(self._pass_on(line, message))
            return
        exchange = _Exchange(line, self._told)
        self._open[id_] = exchange
        if method == "initialize":
            await self._begin(message, exchange)  # what follows needs its session
        else:
            tasks.create_task(self._answer(message, exchange))

    async def _pass_on(self, line: bytes, message: dict[str, Any]) -> None:
        """Pass on a notification or a response, and answer only what is not a message."""
        exchange = _Exchange(line, _ignore if message else self._told)
        await self._send(message, exchange)
        cancelled = message.get("params") if message.get("method") == _CANCELLED else None
        if isinstance(cancelled, dict) and isinstance(cancelled.get("requestId"), (str, int)):
            open_ = self._open.get(cancelled["requestId"])
            if open_ is not None:
                open_.leave()

    async def _begin(self, message: dict[str, Any], exchange: "_Exchange") -> None:
        await self._answer(message, exchange)
        self._session = exchange.headers.get(_SESSION, b"")
        told = exchange.last.get("result", {})
        self._version = str(told.get("protocolVersion", "")).encode()

    async def _answer(self, message: dict[str, Any], exchange: "_Exchange") -> None:
        id_ = message["id"]
        try:
            await self._send(message, exchange)
        except BrokenOff:
            error = {"code": _CLOSED, "message": "The server stopped before the call ended."}
            await self._told({"jsonrpc": "2.0", "id": id_, "error": error})
        finally:
            if self._open.get(id_) is exchange:
                del self._open[id_]

    async def _send(self, message: dict[str, Any], exchange: "_Exchange") -> None:
        exchange.id = message.get("id")
        await self._app(self._scope(message), exchange.receive, exchange.send)

    def _scope(self, message: dict[str, Any]) -> Scope:
        params = message.get("params")
        meta = params.get("_meta") if isinstance(params, dict) else None
        version = meta.get(_META_VERSION) if isinstance(meta, dict) else None
        known = str(version).encode() if version else self._version
        fields = [
            *self._headers,
            (b"accept", b"application/json, text/event-stream"),
            (b"content-type", b"application/json"),
            (b"mcp-method", str(message.get("method", "")).encode()),
            (b"mcp-name", header_of(message).encode()),
            *([(b"mcp-protocol-version", known)] if known else []),
            *([(_SESSION, self._session)] if self._session and not version else []),
        ]
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/",
            "raw_path": b"/",
            "query_string": b"",
            "root_path": "",
            "headers": fields,
            "client": ("127.0.0.1", 0),
            "server": ("127.0.0.1", 80),
        }

    async def _told(self, message: dict[str, Any]) -> None:
        self._write(to_json(message) + b"\n")


async def _ignore(message: dict[str, Any]) -> None:
    pass


class _Exchange:
    """One message as a request, and the messages of its answer."""

    def __init__(self, body: bytes, tell: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        self._body: bytes | None = body
        self._tell = tell
        self._rest, self._is_stream, self._is_refused = b"", False, False
        self._has_left, self._left = False, asyncio.Event()
        self.id: str | int | None = None
        self.headers: dict[bytes, bytes] = {}
        self.last: dict[str, Any] = {}
        """The newest message of the answer."""

    async def receive(self) -> Message:
        """Return the message, and then wait until the client leaves."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._left.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        """Close the stream of the answer, if it is one; a whole answer comes soon."""
        self._has_left = True
        if self._is_stream:
            self._left.set()

    async def send(self, message: Message) -> None:
        """Take a part of the answer, and tell the messages that are in it."""
        if message["type"] == "http.response.start":
            self.headers = dict(message["headers"])
            self._is_refused = message["status"] != _OK
            type_ = self.headers.get(b"content-type", b"")
            self._is_stream = type_.startswith(b"text/event-stream")
            if self._has_left:
                self.leave()
            return
        self._rest += message.get("body", b"")
        if self._is_stream:
            *frames, self._rest = self._rest.split(b"\n\n")
            for line in b"\n".join(frames).split(b"\n"):
                if line.startswith(b"data: {"):
                    await self._pass(line.removeprefix(b"data: "))
        elif not message.get("more_body", False) and self._rest:
            await self._pass(self._rest)

    async def _pass(self, json: bytes) -> None:
        told: dict[str, Any] = from_json(json)
        if self._is_refused and told.get("id") is None:
            told["id"] = self.id  # refused before it was read
        self.last = told
        if not self._left.is_set():
            await self._tell(told)
