"""Requests by hand over one WebSocket, any number at a time."""

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from pydantic_core import from_json, to_json
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from tests.conversation.ways import Place, Way
from tests.conversation.ways.http import Answer, Headers
from tests.conversation.ways.ndjson import Lines
from tests.support.wire import Broken

Message = tuple[dict[str, Any], bytes]
"""A head, and the part of a body behind it."""


class Socket:
    """Carries requests over a socket, which is opened again when it is lost."""

    def __init__(self, place: Place, caller: str) -> None:
        self._place, self._caller = place, caller
        self._socket: ClientConnection | None = None
        self._last_id = 0
        self._told: Final[defaultdict[int, deque[Message]]] = defaultdict(deque)
        self._hears = asyncio.Lock()

    async def _opened(self) -> ClientConnection:
        if self._socket is None:
            url = f"ws://127.0.0.1:{self._place.port}/ws"
            headers = {"Authorization": f"Bearer {self._caller}"}
            try:
                self._socket = await connect(url, additional_headers=headers, compression=None)
            except OSError as exc:
                raise Broken("no socket can be opened") from exc
        return self._socket

    async def close(self) -> None:
        """Close the socket."""
        if self._socket is not None:
            await self._socket.close()

    async def say(self, head: Mapping[str, object], body: bytes | None = None) -> None:
        """Send a message."""
        socket = await self._opened()
        await socket.send((to_json(head) + (b"" if body is None else b"\n" + body)).decode())

    async def hear(self, number: int) -> Message:
        """Return the next message for a request.

        Raises:
            Broken: If the socket is lost.
        """
        while not self._told[number]:
            async with self._hears:
                if not self._told[number]:
                    await self._hear_one()
        return self._told[number].popleft()

    async def _hear_one(self) -> None:
        if self._socket is None:
            raise Broken("the socket was lost")
        try:
            message = str(await self._socket.recv())
        except ConnectionClosed as exc:
            self._socket = None
            raise Broken("the socket is lost") from exc
        head, _, body = message.partition("\n")
        told = from_json(head)
        self._told[told.get("id", 0)].append((told, body.encode()))

    @asynccontextmanager
    async def exchange(
        self, method: str, path: str, headers: Headers, body: bytes | None
    ) -> AsyncGenerator[Answer, None]:
        self._last_id = number = self._last_id + 1
        head = {"id": number, "method": method, "path": path, "headers": dict(headers)}
        try:
            await self.say(head, body)
            answer = SocketAnswer(self, number, await self.hear(number))
        except ConnectionClosed as exc:
            self._socket = None
            raise Broken("the socket is lost") from exc
        try:
            yield answer
        finally:
            if not answer.is_over and self._socket is not None:
                await self.say({"id": number, "leave": True})


class SocketAnswer:
    """One answer over a socket."""

    def __init__(self, socket: Socket, number: int, first: Message) -> None:
        self._socket, self._number, self._next = socket, number, first
        self.status: int = first[0]["status"]
        self.headers: Headers = first[0]["headers"]
        self.is_over = False

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body as it comes, and grant again what was read."""
        while True:
            head, body = self._next
            self.is_over = bool(head.keys() & {"end", "aborted"})
            if body:
                yield body
            if "aborted" in head:
                raise Broken("the answer was aborted")
            if self.is_over:
                return
            await self._socket.say({"id": self._number, "credit": len(body)})
            self._next = await self._socket.hear(self._number)


@asynccontextmanager
async def enter(place: Place, caller: str) -> AsyncGenerator[Way, None]:
    """Come in by a socket, over which streams are lines."""
    async with AsyncExitStack() as stack:
        socket = Socket(place, caller)
        stack.push_async_callback(socket.close)
        yield Lines(socket, stack)
