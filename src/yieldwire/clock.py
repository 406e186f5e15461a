"""Time as something that is handed in, so that tests can move it."""

import time
from dataclasses import dataclass
from typing import Final, Protocol

from yieldwire.setting import SECONDS, SOME_SECONDS, Rules, having, optional, settings

CLOCK: Final = having("now", "monotonic", wanted="a clock with now() and monotonic()")
"""The rule for a setting that is a `Clock`."""

TIMING: Final[Rules] = {
    "head_wait": SECONDS,
    "keepalive": SOME_SECONDS,
    "sweep_every": SOME_SECONDS,
    "lease": SOME_SECONDS,
    "stall_timeout": SOME_SECONDS,
    "wait": SECONDS,
    "max_wait": SECONDS,
    "body": SOME_SECONDS,
    "grace": SECONDS,
    "reauthorize": optional(SOME_SECONDS),
}


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


@settings(TIMING)
@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things may take and how often others happen. Seconds.

    Attributes:
        head_wait: How long a response's head waits for the first event, so that an early
            error is a status.
        keepalive: How often an idle stream says that it is alive.
        sweep_every: How often time is looked after: lingering, lost leases, retention.
        lease: How long a run's process may be silent before the run is taken away from it. A
            store that is lost with its process needs none.
        stall_timeout: How long a reader may take to take what was sent.
        wait: The longest that a poll or a waiting answer is held without being asked for longer.
        max_wait: The longest that it may ask for.
        body: How long a client may be silent while its request's body arrives, and how long
            before the average rate counts that `Bounds.body_rate` asks for.
        grace: How long a close may take; most of it is for running actions to finish.
        reauthorize: How often `identify` and `access` are asked again for a response that is
            open; ``None``: only when the request comes, and at the expiry of its identity.
    """

    head_wait: float = 0.5
    keepalive: float = 15.0
    sweep_every: float = 0.5
    lease: float = 15.0
    stall_timeout: float = 60.0
    wait: float = 30.0
    max_wait: float = 60.0
    body: float = 60.0
    grace: float = 10.0
    reauthorize: float | None = None
