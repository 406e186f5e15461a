"""How long a client waits, how often it tries again, and what it does about time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from yieldwire.clock import CLOCK, Clock, SystemClock
from yieldwire.errors import Unreachable, YieldwireError
from yieldwire.setting import (
    SECONDS,
    SOME_SECONDS,
    Rules,
    count,
    function_of,
    optional,
    settings,
)

PATIENCE: Final[Rules] = {
    "tries": count(1),
    "backoff": SECONDS,
    "backoff_max": SECONDS,
    "longest_wait": SECONDS,
    "idle": SOME_SECONDS,
    "request": SOME_SECONDS,
    "steady": SECONDS,
    "sleep": function_of("seconds"),
    "chance": function_of(),
    "clock": CLOCK,
    "notice": optional(function_of("what went wrong", "seconds")),
}


@settings(PATIENCE)
@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client waits and how often it tries again. Seconds.

    Attributes:
        tries: How many times in a row a request may fail; what comes in between starts the count
            again.
        backoff: How long the first wait is, if the server names no other; each is twice the one
            before, less up to half of it, at random.
        backoff_max: The longest wait that comes about in this way.
        longest_wait: The longest that a server may ask for; asked for more, the call fails.
        idle: How long a connection may bring nothing, not even a keepalive.
        request: How long each try of a short request may take: a cancel, a snapshot, a list, a
            delete, the manifest.
        steady: A connection that lives this long is a good one: the count starts again.
        sleep: Waits; tests hand in one that does not.
        chance: Returns a random number from 0 to 1.
        clock: What tells the time.
        notice: Is told of each wait: what went wrong, and for how long.
    """

    tries: int = 10
    backoff: float = 0.5
    backoff_max: float = 15.0
    longest_wait: float = 300.0
    idle: float = 45.0
    request: float = 15.0
    steady: float = 5.0
    sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    chance: Callable[[], float] = random.random
    clock: Clock = field(default_factory=SystemClock)
    notice: Callable[[str, float], object] | None = None


class Lost(Exception):
    """The connection was lost, or the server said *later*: worth repeating."""

    def __init__(
        self,
        message: str,
        *,
        after: float = 0.0,
        error: YieldwireError | None = None,
        may_be_done: bool = True,
    ) -> None:
        super().__init__(message)
        self.after, self._error = after, error
        self.may_be_done = may_be_done
        """Whether the server may have done what it was asked for."""

    def as_error(self, run_id: str | None) -> YieldwireError:
        """Return what to raise when it is not repeated any more."""
        return self._error or Unreachable(str(self), run_id=run_id)


class Backoff:
    """Failures in a row, and the waits between them."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._base = patience.backoff
        self._since = 0.0

    def connected(self) -> None:
        """Note that a connection has begun."""
        self._since = self._patience.clock.monotonic()

    def received(self, *, events: bool) -> None:
        """Note that bytes came: the count starts again if they were events, or came late."""
        if events or self._patience.clock.monotonic() - self._since > self._patience.steady:
            self._failures = 0

    def asked(self, retry_ms: int | None) -> None:
        """Note the reconnection time that the server asks for, if it does."""
        if retry_ms is not None:
            self._base = min(retry_ms / 1000, self._patience.longest_wait)

    async def pause(self, lost: Lost, run_id: str | None = None) -> None:
        """Wait before the next try.

        Raises:
            YieldwireError: If there is none.
        """
        patience = self._patience
        self._failures += 1
        if self._failures >= patience.tries or lost.after > patience.longest_wait:
            raise lost.as_error(run_id) from lost
        seconds = max(lost.after, self._jittered())
        if patience.notice is not None:
            patience.notice(str(lost), seconds)
        await patience.sleep(seconds)

    def _jittered(self) -> float:
        longest = max(self._base, self._patience.backoff_max)
        seconds = min(self._base * 2.0 ** (self._failures - 1), longest)
        return seconds * (0.5 + self._patience.chance() / 2)
