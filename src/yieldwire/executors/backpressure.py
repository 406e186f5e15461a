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

    __slots__ = ("_ahead", "_limit", "_others", "_reader", "_room", "_unread", "furthest")

    def __init__(self, ahead_bytes: int) -> None:
        self._limit = ahead_bytes
        self._unread: list[tuple[int, int]] | None = None
        """The last seq and the bytes of each block that nobody has read, or of several."""
        self._ahead = 0
        self._reader: object = None
        """A reader, if there is one: nearly every run has one alone."""
        self._others: set[object] | None = None
        """The other readers, if there are any."""
        self.furthest: int = 0
        """The last seq that any reader has sent on."""
        self._room: asyncio.Event | None = None

    def limit(self, ahead_bytes: int) -> None:
        """Pause the run from now on if it is further ahead than this."""
        self._limit = ahead_bytes

    @property
    def marks(self) -> int:
        """The number of marks for blocks that no reader has read."""
        return len(self._unread or ())

    @property
    def has_readers(self) -> bool:
        """Whether somebody in this process reads the run."""
        return self._reader is not None

    def wrote(self, seq: int, size: int) -> bool:
        """Record an appended block, and return whether the run must wait for a reader."""
        if self._reader is None or seq <= self.furthest:
            self._unread, self._ahead = None, 0
            return False
        self._ahead += size
        self._unread = unread = self._unread or []
        if unread and (both := unread[-1][1] + size) <= self._limit // MARKS:
            unread[-1] = seq, both  # small ones share a mark
        else:
            unread.append((seq, size))
        return self._ahead > self._limit

    def read(self, reader: object, seq: int) -> None:
        """Record that ``reader`` has sent everything up to ``seq``."""
        if self._reader is None:
            self._reader = reader
        elif reader is not self._reader:
            self._others = self._others or set()
            self._others.add(reader)
        if seq > self.furthest:
            self.reached(seq)

    def reached(self, seq: int) -> None:
        """Record that a reader has sent everything up to ``seq``, as the first one."""
        self.furthest = seq
        unread = self._unread
        if not unread:
            return
        while unread and unread[0][0] <= seq:
            self._ahead -= unread.pop(0)[1]
        self._unread = unread or None
        if self._ahead <= self._limit:
            self._release()

    def left(self, reader: object) -> None:
        """Record that ``reader`` is gone."""
        if self._others is not None:
            self._others.discard(reader)
        if reader is self._reader:
            self._reader = self._others.pop() if self._others else None
        if self._reader is None:
            self._release()

    def close(self) -> None:
        """Stop pausing the run: its end waits for nobody."""
        self._limit = sys.maxsize
        if self._room is not None:
            self._release()

    def _release(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    async def wait_for_room(self) -> None:
        """Return when the run can continue to write."""
        while self._ahead > self._limit and self._reader is not None:
            self._room = self._room or asyncio.Event()
            await self._room.wait()
