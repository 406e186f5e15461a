"""A reader that keeps what it has read, over as many connections as it takes."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any, Final

from tests.conversation.ways import TERMINAL, Refused
from tests.support.story import Log
from tests.support.wire import Broken
from yieldwire.errors import Json

PAUSE: Final = 0.05
"""Seconds until a lost connection is made again."""

Entry = tuple[int, str, Any]


class EventReading(ABC):
    """A reader of events, that trusts nothing: what it has read is what has come."""

    def __init__(self, run_id: str, cursor: str | None = None) -> None:
        self.id: Final = run_id
        self.cursor = f"{run_id}.0" if cursor is None else cursor
        self.last: Entry | None = None
        self._entries: AsyncGenerator[Entry, None] | None = None

    @abstractmethod
    def entries(self) -> AsyncGenerator[Entry, None]:
        """Connect, and yield the events after the cursor, which is moved with each of them.

        Raises:
            Broken: If the connection is lost; the end is a lost connection too.
            Refused: If the caller is not allowed to read.
        """

    @property
    def has_ended(self) -> bool:
        """Whether the terminal event has come."""
        return self.last is not None and self.last[1] in TERMINAL

    async def read(self, log: Log) -> Log:
        """Return as many events as ``log`` has, or fewer if the run ends before."""
        read: Log = []
        while len(read) < len(log) and not self.has_ended:
            read.append(await self._next())
        return read

    async def _next(self) -> Entry:
        while True:
            self._entries = self._entries or self.entries()
            try:
                self.last = await anext(self._entries)
            except (Broken, StopAsyncIteration):
                self._entries = None
                await asyncio.sleep(PAUSE)
            else:
                return self.last

    async def result(self) -> Json:
        """Read to the end, and return the result that the last event has."""
        while not self.has_ended:
            await self._next()
        assert self.last is not None
        _, kind, data = self.last
        if kind != "done":
            raise Refused(data)
        return data.get("result")

    async def leave(self) -> None:
        """Close the connection."""
        entries, self._entries = self._entries, None
        if entries is not None:
            async with aclosing(entries):
                pass
