"""A clock that only moves when a test moves it."""

from typing import Final

EPOCH: Final = 1_750_000_000.0
"""The start of a clock, in seconds since 1970: an arbitrary, fixed moment."""


class MovingClock:
    """Returns the time that a test has set. It implements `yieldwire.clock.Clock`.

    Example:
        >>> clock = MovingClock()
        >>> before = clock.monotonic()
        >>> clock.advance(5)
        >>> clock.monotonic() - before
        5.0
    """

    def __init__(self, now: float = EPOCH) -> None:
        self._now = now
        self._monotonic = 1_000.0

    def now(self) -> float:
        """Return the seconds since the epoch, as set by the test."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds since some fixed moment; only `advance` changes them."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks.

        Raises:
            ValueError: If ``seconds`` is negative: time does not go back, only the wall
                clock does, by `jump`.
        """
        if seconds < 0:
            raise ValueError("Time does not go back; use jump() to move the wall clock alone.")
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does."""
        self._now += seconds
