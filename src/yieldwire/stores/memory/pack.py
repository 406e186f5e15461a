"""Small blocks of one log, packed: their lines, and the time of each event.

A block for each event of a slow stream would take ten times the memory of its bytes, and writing
its time between the lines would cost more than the rest of an append. So the blocks are made again
when somebody reads them, which is seldom: live readers get the blocks that are appended.
"""

from array import array
from typing import NamedTuple

from yieldwire.log.events import Block


class Pack(NamedTuple):
    """Contiguous events of one run. The fields have the places that they have in a `Block`."""

    run_id: str
    first: int
    last: int
    body: bytes
    """The events' lines, without times."""
    times: "array[float]"

    def block(self, after: int, max_bytes: int) -> Block:
        """Return the events after ``after``, which is before the last, about ``max_bytes``."""
        skip = max(0, after - self.first + 1)
        at = newest = self.times[skip]
        lines: list[bytes] = []
        last, size = self.first + skip - 1, 0
        for line, began in zip(self.body.split(b"\n")[skip:-1], self.times[skip:], strict=True):
            if began != newest:
                lines.append(b"@%.3f" % began)
                newest = began
            lines.append(line)
            last, size = last + 1, size + len(line)
            if size >= max_bytes:
                break
        body = b"\n".join([*lines, b""])
        return Block(self.run_id, self.first + skip, last, body, None, at)
