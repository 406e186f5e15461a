"""One answer over a client's WebSocket, with the credit of both directions."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, Final, TypeAlias

from yieldwire.errors import Json

CREDIT_BYTES: Final = 262_144
"""Bytes of one answer that are received before they are read."""

Say: TypeAlias = Callable[[Mapping[str, Json]], Awaitable[None]]
"""Sends the head of a message."""


class TransportError(Exception):
    """The socket was lost; named as such errors of HTTP clients are."""


class ConnectError(TransportError):
    """No socket could be opened, so nothing was sent."""


class ConnectTimeout(ConnectError):
    """No socket could be opened in time."""


class SocketAnswer:
    """One answer, whose body is read as it comes."""

    def __init__(self, number: int, say: Say, forget: Callable[[int], None]) -> None:
        self.id: Final = number
        self._say, self._forget = say, forget
        self.status_code: int = 0
        self.reason_phrase = ""
        self.headers: Mapping[str, str] = {}
        self._pieces: list[bytes] = []
        self._has_news = asyncio.Event()
        self._room = 0
        self._read = 0
        """Bytes that were read since the last credit."""
        self._has_ended = False
        self._fault: str | None = None

    def take(self, told: Mapping[str, Any], body: bytes) -> None:
        """Take a message of the server."""
        if "status" in told:
            self.status_code, self.headers = told["status"], told.get("headers", {})
        self._room += told.get("credit", 0)
        if body:
            self._pieces.append(body)
        if "aborted" in told:
            self.lose("the server aborted the answer")
        elif "end" in told:
            self._end()
        self._has_news.set()

    def lose(self, why: str) -> None:
        """The rest of the answer will not come."""
        self._fault = why
        self._end()
        self._has_news.set()

    def _end(self) -> None:
        self._has_ended = True
        self._forget(self.id)

    async def _news(self) -> None:
        self._has_news.clear()
        await self._has_news.wait()

    async def has_head(self) -> None:
        """Return when the head has come.

        Raises:
            TransportError: If it will not come.
        """
        while not self.status_code and not self._has_ended:
            await self._news()
        if not self.status_code:
            raise TransportError(self._fault)

    async def has_room_for(self, size: int) -> bool:
        """Wait until ``size`` bytes of the body can be sent; return whether they are needed.

        Raises:
            TransportError: If the socket is lost.
        """
        while self._room < size and not (self.status_code or self._has_ended):
            await self._news()
        if self._fault is not None:
            raise TransportError(self._fault)
        self._room -= size
        return not self.status_code

    async def aiter_bytes(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes.

        Raises:
            TransportError: If it was aborted.
        """
        while True:
            pieces, self._pieces = self._pieces, []
            for piece in pieces:
                await self._grant(len(piece))
                yield piece
            if self._pieces:
                continue
            if self._fault is not None:
                raise TransportError(self._fault)
            if self._has_ended:
                return
            await self._news()

    async def _grant(self, size: int) -> None:
        self._read += size
        if self._read > CREDIT_BYTES // 2 and not self._has_ended:
            credit, self._read = self._read, 0
            await self._say({"id": self.id, "credit": credit})

    async def aclose(self) -> None:
        """Leave the answer, if more of it would come."""
        if not self._has_ended:
            self._end()
            with suppress(TransportError):
                await self._say({"id": self.id, "leave": True})
