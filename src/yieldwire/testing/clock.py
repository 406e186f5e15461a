"""A clock that stands still until a test moves it."""

from typing import Final

EPOCH: Final = 1_750_000_000.0
"""Where a clock begins, in seconds since 1970: some moment, and always the same one."""


class MovingClock:
    """Tells the time that a test set. It implements `yieldwire.clock.Clock`.

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
        """Return the seconds since the epoch, as the test has them."""
        return self._now

    def monotonic(self) -> float:
        """Return the seconds since some moment; only `advance` moves them."""
        return self._monotonic

    def advance(self, seconds: float) -> None:
        """Let time pass on both clocks.

        Raises:
            ValueError: If ``seconds`` is negative: time does not go back, only the wall
                clock does, by `jump`.
        """
        if seconds < 0:
            raise ValueError("Time does not go back; jump() moves the wall clock alone.")
        self._now += seconds
        self._monotonic += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does."""
        self._now += seconds
