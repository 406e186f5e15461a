"""Small blocks of one log, packed: their lines, and the time of each event.

A block for each event of a slow stream would take ten times the memory of its bytes, and writing
its time between the lines would cost more than the rest of an append. So the blocks are made again
when somebody reads them, which is seldom: live readers get the blocks that are appended.

A pack grows, so that a slow stream leaves no new objects behind: those of a thousand streams would
make Python's garbage collector look at all that wait at the moment.
"""

from array import array
from typing import Final

from yieldwire.log.events import Block

PACK_BYTES: Final = 16_384
"""From this size a pack is full. A reader that continues in the middle splits all of its lines."""
_TAIL_BLOCKS: Final = 16
"""How many blocks are kept as they are: touching the end of a large piece for each costs more."""


class Pack:
    """Contiguous events of one run."""

    __slots__ = ("_body", "_tail", "first", "run_id", "times")

    def __init__(self, run_id: str, first: int) -> None:
        self.run_id: Final = run_id
        self.first: Final = first
        """The seq of the first event."""
        self.times: Final = array("d")
        """The time of each event."""
        self._body = bytearray()
        self._tail: list[bytes] = []
        """The bodies of the newest blocks, which follow ``_body``."""

    @property
    def last(self) -> int:
        """The seq of the last event."""
        return self.first + len(self.times) - 1

    @property
    def body(self) -> bytearray:
        """The events' lines, without times. Not to be changed."""
        if self._tail:
            self._body += b"".join(self._tail)
            self._tail.clear()
        return self._body

    def add(self, body: bytes, count: int, at: float) -> bool:
        """Add a block's body, ``count`` events written at the same time; return whether it fits."""
        tail = self._tail
        if len(tail) >= _TAIL_BLOCKS and len(self.body) >= PACK_BYTES:
            return False
        tail.append(body)
        if count == 1:
            self.times.append(at)
        else:
            self.times.extend((at,) * count)
        return True

    def block(self, after: int, max_bytes: int) -> Block:
        """Return the events after ``after``, which is before the last, about ``max_bytes``."""
        skip = max(0, after - self.first + 1)
        at = newest = self.times[skip]
        lines: list[bytes] = []
        last, size = self.first + skip - 1, 0
        every = bytes(self.body).split(b"\n")
        for line, began in zip(every[skip:-1], self.times[skip:], strict=True):
            if began != newest:
                lines.append(b"@%.3f" % began)
                newest = began
            lines.append(line)
            last, size = last + 1, size + len(line)
            if size >= max_bytes:
                break
        body = b"\n".join([*lines, b""])
        return Block(self.run_id, self.first + skip, last, body, None, at)
