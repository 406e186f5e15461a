"""The space left in one run's log, to the byte, with space reserved for restarts and its end."""

import sys
from collections import deque
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
_WITHOUT_LIMIT: Final = -sys.maxsize
_RESTARTS: Final = 1000
"""The maximum of restarts with reserved space: the number of retries has no limit."""


class Budget:
    """Counts what a log has, and what is about to be appended.

    It is a base class of what is about to be appended, and not an object of its own, as each event
    of a slow stream would have to find it in memory.

    For a feed that keeps its newest events the byte limit applies to those; it has no event limit.
    """

    __slots__ = (
        "_keep",
        "_kept",
        "_last",
        "_limits",
        "_reserved_bytes",
        "_reserved_events",
        "_run_id",
        "_spare_bytes",
        "_spare_events",
        "log_bytes",
    )

    def __init__(self, run: RunRecord, limits: RunLimits) -> None:
        self._run_id, self._keep, self._limits = run.id, run.keep, limits
        self.log_bytes: int = 0
        """The size of the log in bytes."""
        # A store that restarts the run writes that itself, and does not know the limits.
        restarts = min(max(0, run.retries + 1 - run.attempt), _RESTARTS) if run.retries else 0
        # These are the same objects in nearly every run: each of its own would be looked for in
        # memory by each event of a slow stream.
        self._spare_bytes = END_BYTES + restarts * _RESTART_BYTES if restarts else END_BYTES
        self._spare_events = 1 + restarts if run.keep is None else _WITHOUT_LIMIT
        self._last = run.seq
        self._reserved_events = self._reserved_bytes = 0
        self._kept: deque[tuple[int, int]] | None = None  # (last seq, bytes) of a feed's blocks

    def resume(self, log_bytes: int) -> None:
        """Count what an earlier attempt wrote to the log."""
        self.log_bytes = log_bytes
        self._kept = deque([(self._last, log_bytes)])

    def reserve(self, size: int) -> bool:
        """Reserve space for a chunk whose JSON has ``size`` bytes; return whether there is any."""
        events, reserved = self._reserved_events + 1, self._reserved_bytes + size
        total = reserved + events * _LINE_END
        if self._keep is None:
            total += self.log_bytes
        last = self._last + events
        if total > self._most_bytes() or last > self._limits.max_events - self._spare_events:
            return False
        self._reserved_events, self._reserved_bytes = events, reserved
        return True

    def take(self, block: Block, size: int) -> bool:
        """Count a block of chunks whose JSON has ``size`` bytes, and return whether it fits."""
        if self._reserved_events:
            self._reserved_events -= block.size
            self._reserved_bytes -= size
        log_bytes = self.log_bytes + len(block.body)
        if self._keep is not None:
            log_bytes -= self._forgotten_for(block, self._keep)
        limits, last = self._limits, block.last
        if (
            log_bytes > limits.max_bytes - self._spare_bytes
            or last > limits.max_events - self._spare_events
        ):
            return False
        self.log_bytes, self._last = log_bytes, last
        return True

    def _most_bytes(self) -> int:
        return self._limits.max_bytes - self._spare_bytes

    def take_part(self, block: Block) -> Block | None:
        """Count as many of a block's first events as fit, and return them; ``None``: none fits."""
        events = self._limits.max_events - self._spare_events - block.first + 1
        part = block.fitting(events, self._most_bytes() - self.log_bytes)
        if part is not None:
            self.log_bytes, self._last = self.log_bytes + len(part.body), part.last
        return part

    def _forgotten_for(self, block: Block, keep: int) -> int:
        """Return how many bytes a feed drops when ``block`` is appended."""
        if self._kept is None:
            self._kept = deque()
        self._kept.append((block.last, len(block.body)))
        forgotten = 0
        while self._kept[0][0] <= block.last - keep:
            forgotten += self._kept.popleft()[1]
        return forgotten

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
        if line > END_BYTES and self.log_bytes + line > self._limits.max_bytes:
            return self.end_as(self.exceeded())
        return kind, data

    def end_as(self, error: LimitExceeded) -> tuple[EventType, bytes]:
        """Return the terminal event for an error."""
        return EventType.ERROR, to_json(error.error_object(self._run_id).to_dict())
