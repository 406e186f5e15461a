"""Small blocks of one log, packed: their lines, and the time of each event.

A block for each event of a slow stream would take ten times the memory of its bytes, and writing
its time between the lines would cost more than the rest of an append. So the blocks are made again
when somebody reads them, which is seldom: live readers get the blocks that are appended.

A pack grows, so that a slow stream leaves no new objects behind: those of a thousand streams would
make Python's garbage collector look at all that wait at the moment.
"""

from array import array
from collections.abc import Sequence
from typing import Final

from yieldwire.log.events import Block, time_line

PACK_BYTES: Final = 16_384
"""From this size a pack is full. A reader that continues in the middle splits all of its lines."""


class Pack:
    """Contiguous events of one run."""

    __slots__ = ("body", "first", "run_id", "times")

    def __init__(self, run_id: str, first: int) -> None:
        self.run_id: Final = run_id
        self.first: Final = first
        """The seq of the first event."""
        self.times: Final = array("d")
        """The time of each event."""
        self.body: Final = bytearray()
        """The events' lines, without times."""

    @property
    def last(self) -> int:
        """The seq of the last event."""
        return self.first + len(self.times) - 1

    @property
    def is_full(self) -> bool:
        """Whether what follows goes into another pack."""
        return len(self.body) >= PACK_BYTES

    def add(self, bodies: Sequence[bytes], times: Sequence[float]) -> None:
        """Add blocks, given as the body of each and the time of its events."""
        lines = b"".join(bodies)
        self.body.extend(lines)
        if lines.count(b"\n") > len(bodies):
            each = zip(bodies, times, strict=True)
            times = [at for body, at in each for _ in range(body.count(b"\n"))]
        self.times.extend(times)

    def block(self, after: int, max_bytes: int) -> Block:
        """Return the events after ``after``, which is before the last, about ``max_bytes``."""
        skip = max(0, after - self.first + 1)
        at = newest = self.times[skip]
        lines: list[bytes] = []
        last, size = self.first + skip - 1, 0
        every = bytes(self.body).split(b"\n")
        for line, began in zip(every[skip:-1], self.times[skip:], strict=True):
            if began != newest:
                lines.append(time_line(began))
                newest = began
            lines.append(line)
            last, size = last + 1, size + len(line)
            if size >= max_bytes:
                break
        body = b"\n".join([*lines, b""])
        return Block(self.run_id, self.first + skip, last, body, None, at)
