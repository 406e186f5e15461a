"""An ASGI application called in process, whose answers arrive as they are sent.

The in-process transports of httpx and Starlette return a body only as a whole, so a stream
seems to arrive all at its end, and a test of an endless stream never returns. This one passes
each piece on when it is sent, as a socket would: a sender waits until its piece is taken, and
when a reader leaves, the application gets ``http.disconnect``.
"""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import unquote

from starlette.types import ASGIApp, Message

from yieldwire.errors import MissingDependency

try:
    import httpx2
except ImportError as _exc:
    raise MissingDependency("httpx2", "client", "The streaming test transport") from _exc

GRACE: Final = 5.0
"""Seconds that requests can take to end when the transport closes, before they are cancelled."""


class StreamingTransport(httpx2.AsyncBaseTransport):
    """Calls an ASGI application, one task per request; for httpx2's ``AsyncClient(transport=…)``.

    Entering it starts the application's lifespan, leaving it disconnects every reader, waits
    for the requests to end and shuts the application down. An error of the application before
    its response starts is raised to the sender of the request; a later error breaks the body
    off.

    Args:
        client: The address from which the requests come.
        server: The address of the server; ``None``: from each URL.
        root_path: Where the application is mounted.

    Example:
        >>> async with httpx2.AsyncClient(transport=StreamingTransport(app)) as http:
        ...     async with http.stream("GET", "http://localhost/") as response:
        ...         async for piece in response.aiter_raw():
        ...             ...
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        client: tuple[str, int] = ("127.0.0.1", 50_000),
        server: tuple[str, int] | None = None,
        root_path: str = "",
    ) -> None:
        self._app, self._client, self._server, self._root_path = app, client, server, root_path
        self._tasks: asyncio.TaskGroup | None = None
        self._exchanges: dict[asyncio.Task[None], _ServerCall] = {}
        self._lifespan = _Lifespan(app)
        self.errors: Final[list[Exception]] = []
        """Errors of responses, raised by the application or not reported, in order."""

    async def __aenter__(self) -> Self:
        self._tasks = await asyncio.TaskGroup().__aenter__()
        try:
            await self._lifespan.start(self._tasks)
        except BaseException:
            self._lifespan.cancel()
            await self._tasks.__aexit__(None, None, None)
            self._tasks = None
            raise
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        tasks, self._tasks = self._tasks, None
        if tasks is None:
            return
        try:
            for exchange in self._exchanges.values():
                exchange.end()
            await self.wait_idle(timeout=GRACE)
            for task in list(self._exchanges):
                task.cancel()
            await self._lifespan.stop()
        finally:
            await tasks.__aexit__(None, None, None)

    async def wait_idle(self, *, timeout: float | None = None) -> None:
        """Return when the application has finished every request, or after ``timeout``."""
        if self._exchanges:
            await asyncio.wait(set(self._exchanges), timeout=timeout)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send ``request``, and return the response when its head has come.

        Raises:
            RuntimeError: If the transport was not entered.
        """
        if self._tasks is None:
            raise RuntimeError(
                "Enter the transport, or the client it belongs to, with `async with`."
            )
        exchange = _ServerCall(request)
        task = self._tasks.create_task(exchange.run(self._app, self._scope(request)))
        self._exchanges[task] = exchange
        task.add_done_callback(self._forget)
        try:
            status, headers = await exchange.head
        except BaseException:
            exchange.end()
            raise
        return httpx2.Response(status, headers=headers, stream=exchange)

    def _forget(self, task: asyncio.Task[None]) -> None:
        error = self._exchanges.pop(task).error
        if error is not None:
            self.errors.append(error)

    def _scope(self, request: httpx2.Request) -> dict[str, Any]:
        url = request.url
        path, _, _ = url.raw_path.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": request.method,
            "scheme": url.scheme,
            "path": self._root_path + unquote(path.decode("ascii")),
            "raw_path": self._root_path.encode() + path,
            "query_string": url.query,
            "root_path": self._root_path,
            "headers": [(name.lower(), value) for name, value in request.headers.raw],
            "client": self._client,
            "server": self._server or (url.host, url.port or _PORTS.get(url.scheme)),
        }


def http_of(app: ASGIApp) -> httpx2.AsyncClient:
    """Return an HTTP client whose every request goes to ``app``; enter it to open both."""
    return httpx2.AsyncClient(transport=StreamingTransport(app), base_url="http://localhost")


BROKEN: Final = httpx2.RemoteProtocolError
"""What reading a body raises if the application broke it off."""
_PORTS: Final = {"http": 80, "https": 443}


class _ServerCall(httpx2.AsyncByteStream):
    """One request and its response: the application on one side, the reader on the other."""

    def __init__(self, request: httpx2.Request) -> None:
        self.head: asyncio.Future[tuple[int, list[tuple[bytes, bytes]]]]
        self.head = asyncio.get_running_loop().create_future()
        self.error: Exception | None = None
        self._request = request
        self._body: AsyncIterator[bytes] | None = None
        if isinstance(request.stream, httpx2.AsyncByteStream):
            self._body = aiter(request.stream)
        self._piece: bytes | None = None
        self._filled, self._taken = asyncio.Event(), asyncio.Event()
        self._taken.set()
        self._over = asyncio.Event()  # the reader left, or the response is complete

    # The application's side.

    async def run(self, app: ASGIApp, scope: dict[str, Any]) -> None:
        """Call the application, and keep its error for the reader of the response."""
        try:
            await app(scope, self._receive, self._send)
            if not self._over.is_set():
                self.error = self._broken("The application ended before its response did.")
        except asyncio.CancelledError:
            self.error = self._broken("The application was cancelled.")
            raise
        except Exception as exc:  # noqa: BLE001 - a server survives every error of its application
            self.error = exc
        finally:
            if not self.head.done():
                self.head.set_exception(self.error or self._broken("There is no response."))
                self.head.exception()  # the waiting sender can have left
            self.end()

    async def _receive(self) -> Message:
        if self._body is not None and not self._over.is_set():
            async for piece in self._body:
                if piece:
                    return {"type": "http.request", "body": piece, "more_body": True}
            self._body = None
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            if not self.head.done():
                self.head.set_result((message["status"], list(message.get("headers", ()))))
        elif not self._over.is_set():  # sending to a reader who left does nothing, as in uvicorn
            piece = message.get("body", b"")
            if piece and self._request.method != "HEAD":
                await self._hand_over(piece)
            if not message.get("more_body", False):
                self.end()

    async def _hand_over(self, piece: bytes) -> None:
        await self._taken.wait()  # a piece whose send was cancelled still has to be taken
        self._piece = piece
        self._taken.clear()
        self._filled.set()
        if self._over.is_set():
            self._taken.set()
        await self._taken.wait()

    def end(self) -> None:
        """Tell both sides that no more will be sent or taken."""
        for event in (self._over, self._filled, self._taken):
            event.set()

    # The reader's side.

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await self._filled.wait()
            piece, self._piece = self._piece, None
            if piece is None:
                break
            if not self._over.is_set():
                self._filled.clear()
            self._taken.set()
            yield piece
        if self.error is not None:
            raise self._broken("The body was cut off.") from self.error

    async def aclose(self) -> None:
        """Leave: the application gets a disconnect."""
        self.end()

    def _broken(self, message: str) -> Exception:
        return httpx2.RemoteProtocolError(message, request=self._request)


class _Lifespan:
    """The application's lifespan, if it has one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._inbox: asyncio.Queue[Message] = asyncio.Queue()
        self._outbox: asyncio.Queue[Message | None] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        self._task = tasks.create_task(self._run())
        await self._step("startup")

    async def stop(self) -> None:
        if self._task is not None and not self._task.done():
            await self._step("shutdown")

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _step(self, name: str) -> None:
        await self._inbox.put({"type": f"lifespan.{name}"})
        answer = await self._outbox.get()
        if answer is not None and answer["type"] == f"lifespan.{name}.failed":
            raise RuntimeError(f"The application's {name} failed: {answer.get('message', '')}")

    async def _run(self) -> None:
        scope = {"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}
        try:
            await self._app(scope, self._inbox.get, self._outbox.put)
        except Exception:  # noqa: BLE001, S110 - raising is how an application says it has none
            pass
        finally:
            await self._outbox.put(None)
