"""The AI SDK's `WebSocketChatTransport`: its chats over one socket, each as over HTTP.

Theory of operation. A message of the client becomes the request that the same client would send
over HTTP, with the handshake's headers; the frames of its answer become messages. So callers,
origins, limits and ownership are those of HTTP. Only ``abort`` says more than HTTP can: it is a
stop, and never a reload.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final
from urllib.parse import quote

from pydantic_core import to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yieldwire.asgi.exchange import BrokenOff
from yieldwire.asgi.jsontext import parse_json
from yieldwire.asgi.site import Site
from yieldwire.asgi.websocket.handshake import Handshake, check_origin
from yieldwire.asgi.websocket.message import VALUE, Asked
from yieldwire.codecs.websocket import CloseCode
from yieldwire.errors import CallError, Json, ParseError

_END: Final = b"data: [DONE]"
_RUN: Final = b"x-workflow-run-id"


class ChatSocket:
    """One socket, whose requests ``app`` answers as HTTP."""

    def __init__(
        self, app: ASGIApp, site: Site, scope: Scope, receive: Receive, send: Send
    ) -> None:
        self._app, self._site, self._handshake = app, site, Handshake(scope)
        self._path: str = scope["path"].removeprefix(scope.get("root_path", "")) or "/"
        self._receive, self._send = receive, send
        self._answers: dict[str, _Answer] = {}

    async def run(self) -> None:
        """Accept the socket if its caller can be answered, and answer until the client leaves."""
        await self._receive()  # `websocket.connect`
        known = _Answer("", self._tell)
        request = self._handshake.request()
        exchange = self._site.exchange(request, known.receive, known.send)
        with suppress(CallError):
            check_origin(self._site, exchange)
            await self._call(known, "HEAD", self._path)
        if known.status != 200:  # noqa: PLR2004 - OK
            await self._send({"type": "websocket.close", "code": 1008})
            return
        await self._send({"type": "websocket.accept"})
        async with asyncio.TaskGroup() as tasks:
            while (message := await self._receive())["type"] == "websocket.receive":
                fault = self._take(message, tasks)
                if fault is not None:
                    await self._send({"type": "websocket.close", "code": int(fault)})
                    break
            for answer in self._answers.values():
                answer.leave()

    def _take(self, message: Message, tasks: asyncio.TaskGroup) -> CloseCode | None:
        """Take a message, and return why the socket must be closed, if it must."""
        text = (message.get("text") or "").encode()
        if len(text) > self._site.request_limits.json_bytes:
            return CloseCode.TOO_LARGE
        try:
            said: Any = parse_json(text, self._site.request_limits.depth, around=1)
        except ParseError:
            return CloseCode.BAD_MESSAGE
        match said:
            case {"type": "abort", "requestId": str(request)}:
                if (answer := self._answers.get(request)) is not None:
                    tasks.create_task(self._stop(answer))
            case {"type": "send", "requestId": str(request), "body": dict(more), **other}:
                names = ("id", "messages", "trigger", "messageId")
                body = {**more, **{name: other[name] for name in names if name in other}}
                tasks.create_task(self._answer(request, "POST", self._path, said, body))
            case {"type": "resume", "requestId": str(request), "id": str(chat)}:
                path = self._stream_of(chat)
                tasks.create_task(self._answer(request, "GET", path, said))
            case _:
                return CloseCode.BAD_MESSAGE
        return None

    def _stream_of(self, id: str) -> str:
        return f"{self._path.rstrip('/')}/{quote(id, safe='')}/stream"

    async def _answer(
        self, request: str, method: str, path: str, said: dict[str, Json], body: Json = None
    ) -> None:
        answer = self._answers[request] = _Answer(request, self._tell)
        try:
            await self._call(answer, method, path, body, said.get("headers"))
        finally:
            self._answers.pop(request, None)

    async def _stop(self, answer: "_Answer") -> None:
        """Stop the run of an answer, and the answer."""
        if answer.run:
            await self._call(_Answer("", self._tell), "DELETE", self._stream_of(answer.run))
        answer.leave()

    async def _call(
        self, answer: "_Answer", method: str, path: str, body: Json = None, headers: Json = None
    ) -> None:
        sent = b"" if body is None else to_json(body)
        asked = Asked(id=0, method=method, target=path, headers={}, body=sent, credit=0)
        scope = self._handshake.scope(asked)
        token = headers.get("authorization") if isinstance(headers, dict) else None
        if isinstance(token, str) and VALUE.fullmatch(token):
            kept = [each for each in scope["headers"] if each[0] != b"authorization"]
            scope["headers"] = [*kept, (b"authorization", token.encode("latin-1"))]
        answer.body = sent
        try:
            await self._app(scope, answer.receive, answer.send)
            await answer.end()
        except BrokenOff:
            await answer.fail("The stream ended before its run did.")

    async def _tell(self, text: bytes) -> None:
        with suppress(OSError):  # the client has gone, and the next message says so
            await self._send({"type": "websocket.send", "text": text.decode()})


class _Answer:
    """One request of the client, as an HTTP exchange, and the messages made of its answer."""

    def __init__(self, request: str, tell: Callable[[bytes], Awaitable[None]]) -> None:
        self._request, self._tell = request, tell
        self.status, self.run, self.body = 0, "", b""
        self._rest, self._sequence = b"", 0
        self._is_read, self._is_over = False, asyncio.Event()

    async def receive(self) -> Message:
        """Return the request's body, and then wait until the client leaves."""
        if not self._is_read:
            self._is_read = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self._is_over.wait()
        return {"type": "http.disconnect"}

    def leave(self) -> None:
        """Tell the application that nobody reads any more."""
        self._is_over.set()

    async def send(self, message: Message) -> None:
        """Take a part of the answer, and send what it says."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.run = dict(message["headers"]).get(_RUN, b"").decode()
            if self.status == 200:  # noqa: PLR2004 - OK
                await self._say(b'"start"')
            return
        self._rest += message.get("body", b"")
        if self.status == 200:  # noqa: PLR2004 - OK
            *frames, self._rest = self._rest.split(b"\n\n")
            for frame in frames:
                await self._pass(frame)

    async def _pass(self, frame: bytes) -> None:
        if frame == _END:
            await self._finish(b'"end"')
        elif frame.startswith(b"data: "):
            chunk = frame.removeprefix(b"data: ")
            await self._say(b'"chunk","sequence":%d,"chunk":%b' % (self._sequence, chunk))
            self._sequence += 1

    async def end(self) -> None:
        """Send how the request ended, if that was not sent."""
        if self.status == 204:  # noqa: PLR2004 - No Content
            await self._finish(b'"no-active"')
        elif self.status != 200:  # noqa: PLR2004 - OK
            await self.fail(self._rest.decode())

    async def fail(self, text: str) -> None:
        """Send that the request failed."""
        await self._finish(b'"error","errorText":%b' % to_json(text))

    async def _finish(self, members: bytes) -> None:
        if not self._is_over.is_set():
            await self._say(members)

    async def _say(self, members: bytes) -> None:
        if self._request and not self._is_over.is_set():
            request = to_json(self._request)
            await self._tell(b'{"requestId":%b,"type":%b}' % (request, members))
