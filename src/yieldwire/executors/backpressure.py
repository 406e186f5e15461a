"""How far a run is ahead of its fastest reader in this process."""

import asyncio
import sys
from typing import Final

MARKS: Final = 64
"""About how many marks there are, at most, between a run and its fastest reader."""


class Backpressure:
    """Holds a run back while it is too many bytes ahead of every reader it has here.

    With no reader it goes on: what was read before, or never will be, holds nothing up.
    """

    def __init__(self, ahead_bytes: int) -> None:
        self._limit = ahead_bytes
        self._mark_bytes = ahead_bytes // MARKS
        self._unread: list[tuple[int, int]] = []  # (last seq, bytes) of each block, or of several
        self._ahead = 0
        self._readers: dict[object, int] = {}
        self._furthest = 0
        """The last seq that some reader has sent on."""
        self._room: asyncio.Event | None = None

    @property
    def marks(self) -> int:
        """How many places are noted of what no reader has read."""
        return len(self._unread)

    def wrote(self, seq: int, size: int) -> bool:
        """Note a block that was appended, and return whether the run has to wait for a reader."""
        if not self._readers or seq <= self._furthest:
            if self._unread:
                self._unread.clear()
                self._ahead = 0
            return False
        self._ahead += size
        unread = self._unread
        if unread and (both := unread[-1][1] + size) <= self._mark_bytes:
            unread[-1] = seq, both  # small ones share a mark
        else:
            unread.append((seq, size))
        return self._ahead > self._limit

    def read(self, reader: object, seq: int) -> None:
        """Note that ``reader`` has sent on everything up to ``seq``."""
        self._readers[reader] = seq
        if seq <= self._furthest:
            return
        self._furthest = seq
        if self._unread:
            self._forget_read(seq)

    def _forget_read(self, seq: int) -> None:
        read = 0
        for last, size in self._unread:
            if last > seq:
                break
            self._ahead -= size
            read += 1
        del self._unread[:read]
        if self._ahead <= self._limit:
            self._release()

    def left(self, reader: object) -> None:
        """Note that ``reader`` is gone."""
        self._readers.pop(reader, None)
        if not self._readers:
            self._release()

    def close(self) -> None:
        """Hold the run back no more: its end waits for nobody."""
        self._limit = sys.maxsize
        self._release()

    def _release(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    async def wait_for_room(self) -> None:
        """Return when the run may write on."""
        while self._ahead > self._limit and self._readers:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()
