"""How far a run is ahead of its fastest reader in this process.

Back-pressure ends at the process. A reader in another process reads from the store, at its own
pace, and is unknown here: a run whose readers are all in other processes does not wait, and one
with readers in both waits for those here only. Then the limits of its log bound the run:
``max_events`` and ``max_bytes``, or, for a feed, ``keep``.
"""

import asyncio
import sys
from typing import Final

MARKS: Final = 64
"""About the maximum of marks between a run and its fastest reader."""


class Backpressure:
    """Pauses a run while it is too many bytes ahead of all of its readers in this process.

    Without readers it continues: what was read before, or never will be, does not count.
    """

    def __init__(self, ahead_bytes: int) -> None:
        self._limit = ahead_bytes
        self._mark_bytes = ahead_bytes // MARKS
        self._unread: list[tuple[int, int]] = []  # (last seq, bytes) of each block, or of several
        self._ahead = 0
        self._readers: dict[object, int] = {}
        self._furthest = 0
        """The last seq that any reader has sent on."""
        self._room: asyncio.Event | None = None

    @property
    def marks(self) -> int:
        """The number of marks for blocks that no reader has read."""
        return len(self._unread)

    def wrote(self, seq: int, size: int) -> bool:
        """Record an appended block, and return whether the run must wait for a reader."""
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
        """Record that ``reader`` has sent everything up to ``seq``."""
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
        """Record that ``reader`` is gone."""
        self._readers.pop(reader, None)
        if not self._readers:
            self._release()

    def close(self) -> None:
        """Stop pausing the run: its end waits for nobody."""
        self._limit = sys.maxsize
        self._release()

    def _release(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    async def wait_for_room(self) -> None:
        """Return when the run can continue to write."""
        while self._ahead > self._limit and self._readers:
            if self._room is None:
                self._room = asyncio.Event()
            await self._room.wait()
