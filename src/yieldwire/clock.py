"""Time as an argument, so that tests can control it."""

import time
from dataclasses import dataclass
from typing import Final, Protocol

from yieldwire.setting import Seconds, SomeSeconds, having, settings

CLOCK: Final = having("now", "monotonic", wanted="a clock with now() and monotonic()")
"""The rule for a setting that is a `Clock`."""


class Clock(Protocol):
    """Tells the time in two ways: for people and for durations. Both in seconds."""

    def now(self) -> float:
        """Return the seconds since the epoch; it can jump."""
        ...

    def monotonic(self) -> float:
        """Return the seconds since some fixed moment; it never goes back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now(self) -> float:
        """Return the seconds since the epoch."""
        return time.time()  # noqa: TID251 - the only place that reads the system clock

    def monotonic(self) -> float:
        """Return the machine's monotonic time."""
        return time.monotonic()


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things can take and how often others happen. Seconds.

    Attributes:
        head_wait: How long a response's head waits for the first event, so that an early
            error is a status.
        keepalive: How often an idle stream sends a keepalive.
        sweep_every: How often time-based work is done: lingering, lost leases, retention.
        lease: How long a run's process can be silent before the run is taken away from it. A
            store that is lost with its process does not use it.
        stall_timeout: How long a reader can leave sent data unread.
        wait: How long a poll or a waiting answer is held by default.
        max_wait: The longest wait that a request can ask for.
        body: How long a client can be silent while its request's body arrives, and how long
            before `RequestLimits.body_rate` applies to the average rate.
        socket_idle: How long a WebSocket can be open without a request.
        grace: How long a close can take; most of it is for running actions to finish.
        reauthorize: How often `identify` and `access` are called again for an open response;
            ``None``: only at the request, and when its identity expires.
    """

    head_wait: Seconds = 0.5
    keepalive: SomeSeconds = 15.0
    sweep_every: SomeSeconds = 0.5
    lease: SomeSeconds = 15.0
    stall_timeout: SomeSeconds = 60.0
    wait: Seconds = 30.0
    max_wait: Seconds = 60.0
    body: SomeSeconds = 60.0
    socket_idle: SomeSeconds = 60.0
    grace: Seconds = 10.0
    reauthorize: SomeSeconds | None = None
