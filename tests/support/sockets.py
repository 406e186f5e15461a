"""A WebSocket by hand, in process: what a server would hand over, and what it would be given."""

import asyncio
from collections.abc import AsyncGenerator, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json, to_json
from starlette.types import ASGIApp

from tests.support.calls import CLIENT, SERVER, Fields, uvicorns_own_socket

Message = MutableMapping[str, Any]
SOON = 5.0
"""Seconds after which a test gives up."""


@dataclass(slots=True)
class Told:
    """A text message: its head, and the lines behind it."""

    head: dict[str, Any]
    body: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - JSON
        return from_json(self.body)

    @property
    def lines(self) -> list[Any]:
        return [from_json(line) for line in self.body.splitlines() if line.strip()]


@dataclass(slots=True)
class HandSocket:
    """The client's end. ``room`` is cleared to let the server wait before it can send."""

    to_server: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    from_server: asyncio.Queue[Message] = field(default_factory=asyncio.Queue)
    room: asyncio.Event = field(default_factory=asyncio.Event)
    subprotocol: str | None = None

    async def _take(self, message: Message) -> None:
        await self.room.wait()
        self.from_server.put_nowait(message)

    send = uvicorns_own_socket(_take)  # what most sockets are behind

    def say(self, head: object, body: bytes | None = None) -> None:
        text = to_json(head) + (b"" if body is None else b"\n" + body)
        self.say_text(text.decode())

    def say_text(self, text: str) -> None:
        self.to_server.put_nowait({"type": "websocket.receive", "text": text})

    def say_bytes(self, data: bytes) -> None:
        self.to_server.put_nowait({"type": "websocket.receive", "bytes": data})

    def ask(self, number: int, method: str, path: str, value: object = None, **head: Any) -> None:  # noqa: ANN401 - JSON
        body = None if value is None else to_json(value)
        self.say({"id": number, "method": method, "path": path, **head}, body)

    def leave(self) -> None:
        self.to_server.put_nowait({"type": "websocket.disconnect", "code": 1005})

    async def message(self, within: float = SOON) -> Message:
        async with asyncio.timeout(within):
            return await self.from_server.get()

    async def told(self, within: float = SOON) -> Told:
        """Return the next text message."""
        message = await self.message(within)
        assert message["type"] == "websocket.send", message
        head, _, body = message["text"].partition("\n")
        return Told(from_json(head), body)

    async def answer(self) -> Told:
        """Return a whole answer in one message."""
        told = await self.told()
        assert told.head["end"] is True, told
        return told

    async def rest(self, number: int) -> list[Any]:
        """Return the lines of the rest of an answer; other answers are dropped."""
        lines: list[Any] = []
        while True:
            told = await self.told()
            if told.head.get("id") != number:
                continue
            lines += told.lines
            if told.head.keys() & {"end", "aborted"}:
                return lines

    async def closed(self) -> int:
        """Return the code with which the server closes; messages before it are dropped."""
        while (message := await self.message())["type"] != "websocket.close":
            pass
        code: int = message["code"]
        return code


def scope_of(
    headers: Fields = (),
    path: str = "/ws",
    protocols: Sequence[str] = (),
    host: str = "127.0.0.1:8000",
    **other: Any,  # noqa: ANN401 - of ASGI
) -> dict[str, Any]:
    """Return the scope of a handshake."""
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (name.lower().encode(), value.encode("latin-1"))
            for name, value in [("host", host), ("upgrade", "websocket"), *headers]
        ],
        "subprotocols": list(protocols),
        "client": CLIENT,
        "server": SERVER,
        "extensions": {"websocket.http.response": {}},
        **other,
    }


@asynccontextmanager
async def socket_to(app: ASGIApp, headers: Fields = (), **scope: Any) -> AsyncGenerator[HandSocket]:  # noqa: ANN401 - of ASGI
    """Open a socket to an application; leaving disconnects."""
    hand = HandSocket()
    hand.room.set()

    async with asyncio.TaskGroup() as group:
        hand.to_server.put_nowait({"type": "websocket.connect"})
        group.create_task(_serve(app, scope_of(headers, **scope), hand))
        accepted = await hand.message()
        assert accepted["type"] == "websocket.accept", accepted
        hand.subprotocol = accepted["subprotocol"]
        try:
            yield hand
        finally:
            hand.room.set()
            hand.leave()


async def _serve(app: ASGIApp, scope: dict[str, Any], hand: HandSocket) -> None:
    await app(scope, hand.to_server.get, hand.send)


async def refused(app: ASGIApp, headers: Fields = (), **scope: Any) -> Message:  # noqa: ANN401 - of ASGI
    """Send a handshake that is refused; return the head of the answer, or the close."""
    hand = HandSocket()
    hand.room.set()
    hand.to_server.put_nowait({"type": "websocket.connect"})
    hand.leave()  # in case that it is accepted
    await app(scope_of(headers, **scope), hand.to_server.get, hand.send)
    return hand.from_server.get_nowait()
