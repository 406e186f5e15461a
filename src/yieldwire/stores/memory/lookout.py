"""Runs by the second in which a sweep looks at them, so that it looks at few.

Each run is listed under the second at which it can be due at the earliest, and listed again if
that has been postponed. The next sweep looks at every new run: most are over by then, and when
they could have been due is never asked.
"""

import math
from typing import Final

from yieldwire.stores.memory.entry import Entry

_NEXT_SWEEP: Final = -math.inf
"""Before every second."""


class Lookout:
    """The runs that can need maintenance."""

    def __init__(self) -> None:
        self._looks: dict[float, dict[str, Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Make the next sweep look at a new run."""
        entry.look_at = _NEXT_SWEEP
        self._looks.setdefault(_NEXT_SWEEP, {})[entry.record.id] = entry

    def note(self, entry: Entry) -> None:
        """Make a sweep look at the run when it can be due."""
        at = entry.due_at()
        if at >= entry.look_at:
            return  # a sweep looks at it earlier, and postpones it then
        self.drop(entry)
        entry.look_at = math.floor(at)
        self._looks.setdefault(entry.look_at, {})[entry.record.id] = entry

    def drop(self, entry: Entry) -> None:
        """Let no sweep look at the run."""
        if entry.look_at == math.inf:
            return
        bucket = self._looks[entry.look_at]
        bucket.pop(entry.record.id, None)
        if not bucket:
            del self._looks[entry.look_at]
        entry.look_at = math.inf

    def take(self, now: float) -> list[Entry]:
        """Return the runs that can be due, in the order of their seconds, and list them no more."""
        seconds = sorted(second for second in self._looks if second <= now)
        entries = [entry for second in seconds for entry in self._looks.pop(second).values()]
        for entry in entries:
            entry.look_at = math.inf
        return entries
