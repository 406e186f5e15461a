"""An ASGI application called by hand, in process: any bytes in, every answer out.

Nothing is normalised on the way, so that a request can be as hostile as a socket's could be.
"""

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterable,
    MutableMapping,
    Sequence,
)
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any, Final
from urllib.parse import unquote

from pydantic_core import to_json
from starlette.types import ASGIApp

from tests.support.wire import Answer

Message = MutableMapping[str, Any]
Fields = Sequence[tuple[str, str]]

JSON: Final = ("content-type", "application/json")
SERVER: Final = ("127.0.0.1", 8000)
CLIENT: Final = ("127.0.0.1", 50_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as a server would hand it to an application.

    ``body`` is what comes, piece by piece; one that ``stalls`` never comes to its end.
    """

    method: str
    target: str
    headers: Fields = ()
    body: Sequence[bytes] = ()
    stalls: bool = False
    host: str | None = "127.0.0.1:8000"
    server: tuple[str, int | None] = SERVER
    client: tuple[str, int] = CLIENT
    root_path: str = ""

    def scope(self) -> dict[str, Any]:
        """Return the ASGI scope."""
        path, _, query = self.target.partition("?")
        host = [("host", self.host)] if self.host is not None else []
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.root_path + unquote(path),
            "raw_path": (self.root_path + path).encode(),
            "query_string": query.encode(),
            "root_path": self.root_path,
            "headers": [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in [*host, *self.headers]
            ],
            "client": self.client,
            "server": self.server,
        }


def get(target: str, headers: Fields = (), **other: Any) -> Call:  # noqa: ANN401 - a Call's own
    """Return a GET."""
    return Call(method="GET", target=target, headers=headers, **other)


def post(
    target: str,
    value: object = None,
    headers: Fields = (),
    **other: Any,  # noqa: ANN401 - a Call's own
) -> Call:
    """Return a POST of JSON."""
    body = [to_json({} if value is None else value)]
    return Call(method="POST", target=target, headers=[JSON, *headers], body=body, **other)


@dataclass(slots=True)
class _Exchange:
    call: Call
    left: asyncio.Event = field(default_factory=asyncio.Event)
    head: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    pieces: asyncio.Queue[bytes | None] = field(default_factory=asyncio.Queue)
    error: Exception | None = None

    async def run(self, app: ASGIApp) -> None:
        body = list(self.call.body)

        async def receive() -> Message:
            if body:
                piece = body.pop(0)
                more = bool(body) or self.call.stalls
                return {"type": "http.request", "body": piece, "more_body": more}
            await self.left.wait()
            return {"type": "http.disconnect"}

        try:
            if not body:
                body.append(b"")
            await app(self.call.scope(), receive, self._send)
        except Exception as exc:  # noqa: BLE001 - a server survives what its application raises
            self.error = exc
        finally:
            self.head.set()
            self.pieces.put_nowait(None)

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = joined(message.get("headers", ()))
            self.head.set()
            return
        if message.get("body"):
            self.pieces.put_nowait(message["body"])
        if not message.get("more_body", False):
            self.left.set()


class Stream:
    """An answer that is read as it comes."""

    def __init__(self, exchange: _Exchange) -> None:
        self._exchange = exchange
        self.status: Final = exchange.status
        self.headers: Final = exchange.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield what the application sends, until it returns or raises."""
        while (piece := await self._exchange.pieces.get()) is not None:
            yield piece

    async def read(self) -> bytes:
        """Return the next piece, or nothing at the end."""
        return await anext(self.pieces(), b"")

    async def rest(self) -> bytes:
        """Return all that is still to come."""
        return b"".join([piece async for piece in self.pieces()])

    @property
    def error(self) -> Exception | None:
        """What the application raised, which breaks the body off."""
        return self._exchange.error


@asynccontextmanager
async def stream(app: ASGIApp, call: Call) -> AsyncGenerator[Stream, None]:
    """Send a request and give its answer when the head has come; leaving disconnects."""
    async with asyncio.TaskGroup() as group:
        exchange = _Exchange(call)
        group.create_task(exchange.run(app))
        await exchange.head.wait()
        try:
            yield Stream(exchange)
        finally:
            exchange.left.set()


async def send(app: ASGIApp, call: Call) -> Answer:
    """Send a request and return its whole answer.

    Raises:
        Exception: Whatever the application raises, before or after its head.
    """
    async with stream(app, call) as response:
        body = await response.rest()
        if response.error is not None:
            raise response.error
        return Answer(status=response.status, headers=response.headers, body=body)


def joined(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers by name, those of one name joined as RFC 9110, 5.3, joins them."""
    fields: dict[str, str] = {}
    for raw, value in headers:
        name = raw.decode("latin-1")
        text = value.decode("latin-1")
        fields[name] = f"{fields[name]}, {text}" if name in fields else text
    return fields


def uvicorns_own(method: Callable[..., Any], name: str = "send") -> FunctionType:
    """Return a method like ``method`` that is taken for the one of this name in uvicorn's class."""
    return _as(method, "uvicorn.protocols.http.h11_impl", f"RequestResponseCycle.{name}")


def uvicorns_own_socket(method: Callable[..., Any]) -> FunctionType:
    """Return a method like ``method`` that is taken for the ``send`` of uvicorn's WebSockets."""
    module = "uvicorn.protocols.websockets.websockets_sansio_impl"
    return _as(method, module, "WebSocketsSansIOProtocol.send")


def _as(method: Callable[..., Any], module: str, name: str) -> FunctionType:
    assert isinstance(method, FunctionType)
    named = {**method.__globals__, "__name__": module}
    own = FunctionType(method.__code__, named, closure=method.__closure__)
    own.__qualname__ = name
    return own
