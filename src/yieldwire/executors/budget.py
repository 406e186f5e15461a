"""The space left in one run's log, to the byte, with space reserved for restarts and its end."""

import sys
from collections import deque
from functools import cache
from typing import Final

from pydantic_core import to_json

from yieldwire.errors import LimitExceeded
from yieldwire.executors import RunLimits
from yieldwire.log.events import Block, EventType, one_line
from yieldwire.log.run import RunRecord

END_BYTES: Final = 512
"""Reserved in a log for its terminal event, whatever the chunks take."""
_DONE: Final = EventType.DONE
_LINE_END: Final = len(b"\n")
"""The size of a chunk's line without its JSON."""
_NAME_BYTES: Final = len(b"!cancelled ")
_RESTART_BYTES: Final = len(b'!restarted {"attempt":,"keep":}\n') + 2 * len(str(sys.maxsize))
"""What a store writes for another attempt."""
_RESTARTS: Final = 1000
"""The maximum of restarts with reserved space: the number of retries has no limit."""


class Budget:
    """Counts what is left for the chunks that are about to be appended.

    It is a base class of what is about to be appended, and not an object of its own, as each event
    of a slow stream would have to find it in memory.

    For a feed that keeps its newest events the byte limit applies to those; it has no event limit.
    """

    __slots__ = ("_keep", "_kept", "_left_bytes", "_limits", "_most_seq", "_run_id", "_spare_bytes")

    def __init__(self, run: RunRecord, limits: RunLimits) -> None:
        self._run_id, self._limits, self._keep = run.id, limits, run.keep
        # A store that restarts the run writes that itself, and does not know the limits.
        restarts = min(max(0, run.retries + 1 - run.attempt), _RESTARTS) if run.retries else 0
        self._spare_bytes = END_BYTES + restarts * _RESTART_BYTES
        self._left_bytes = limits.max_bytes - self._spare_bytes
        """The space for chunks in bytes."""
        self._most_seq = _most_seq(limits.max_events, restarts)
        """The last seq that a chunk can have."""
        self._kept: deque[tuple[int, int]] | None = None
        """The last seq and the bytes of each block that a feed keeps."""
        if run.keep is not None:
            self._most_seq, self._kept = sys.maxsize, deque([(run.seq, 0)])

    def resume(self, log_bytes: int) -> None:
        """Count what an earlier attempt wrote to the log."""
        self._left_bytes -= log_bytes
        if self._kept is not None:
            self._kept[0] = self._kept[0][0], log_bytes

    def has_space(self, seq: int, size: int) -> bool:
        """Whether chunks up to ``seq`` fit, whose lines are ``size`` bytes; none is counted yet."""
        most = self._limits.max_bytes - self._spare_bytes
        left = self._left_bytes if self._kept is None else most  # a feed forgets what it has
        return seq <= self._most_seq and size <= left

    def take(self, block: Block) -> Block | None:
        """Count and return a block of chunks, or as many of its first events as fit.

        ``None`` means that none fits.
        """
        size = len(block.body)
        left = self._left_bytes - size
        if self._keep is not None and self._kept is not None:
            self._kept.append((block.last, size))
            while self._kept[0][0] <= block.last - self._keep:
                left += self._kept.popleft()[1]
        if left >= 0 and block.last <= self._most_seq:
            self._left_bytes = left
            return block
        # A feed drops less for a part than for the block, so that adds no space here.
        part = block.fitting(self._most_seq - block.first + 1, self._left_bytes)
        if part is not None:
            self._left_bytes -= len(part.body)
        return part

    def exceeded(self) -> LimitExceeded:
        """Return the error for a full log."""
        limits = self._limits
        if self._keep is not None:
            return LimitExceeded(
                f"The {self._keep} events that the feed keeps are over the limit of "
                f"{limits.max_bytes} bytes; keep fewer of them."
            )
        return LimitExceeded(
            f"The run's log is over its limit of {limits.max_events} events "
            f"or {limits.max_bytes} bytes."
        )

    def end_within(self, kind: EventType, data: bytes) -> tuple[EventType, bytes]:
        """Return the terminal event, or one that says that it is too large."""
        size = len(data) if data.isascii() else len(one_line(data))
        most = self._limits.max_event_bytes
        if size > (most if kind is _DONE else max(most, END_BYTES)):
            what = "A result" if kind is _DONE else "An error"
            error = LimitExceeded(f"{what} of {size} bytes is over the limit of {most}.")
            return self.end_as(error)
        line = size + _NAME_BYTES + _LINE_END
        if line > max(END_BYTES, self._left_bytes + self._spare_bytes):
            return self.end_as(self.exceeded())
        return kind, data

    def end_as(self, error: LimitExceeded) -> tuple[EventType, bytes]:
        """Return the terminal event for an error."""
        return EventType.ERROR, to_json(error.error_object(self._run_id).to_dict())


@cache
def _most_seq(max_events: int, restarts: int) -> int:
    # The same object in nearly every run: each of its own would be looked for in memory by each
    # event of a slow stream.
    return max_events - 1 - restarts
