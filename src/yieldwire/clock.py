"""Time as something that is handed in, so that tests can move it."""

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time twice: for people and for durations. Both in seconds."""

    def now(self) -> float:
        """Return the seconds since the epoch; it may jump."""
        ...

    def monotonic(self) -> float:
        """Return the seconds since some moment; it never goes back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()  # noqa: TID251 - the one place that asks the machine

    def monotonic(self) -> float:
        """Return the machine's monotonic time."""
        return time.monotonic()
