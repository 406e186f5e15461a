"""How long a client waits, how often it retries, and its source of time."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, TypeAlias, TypeVar

from yieldwire.clock import CLOCK, Clock, SystemClock
from yieldwire.errors import TimedOut, Unreachable, YieldwireError
from yieldwire.errors.call import TimedOutWhile
from yieldwire.setting import Count, Seconds, SomeSeconds, function_of, settings

T = TypeVar("T")

Notice: TypeAlias = Annotated[
    Callable[[str, float], object], function_of("what went wrong", "seconds")
]


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a client waits and how often it retries. Seconds.

    Attributes:
        tries: How many times in a row a request can fail; received events restart the count.
            again.
        backoff: How long the first wait is, if the server does not set one; each is twice the
            previous one, minus a random part of up to half of it.
        backoff_max: The longest wait by back-off.
        longest_wait: The longest wait that a server can ask for; above it, the call fails.
        connect: How long making a connection can take.
        start: How long the server can take to answer a start, in addition to the time for files.
        idle: How long a connection can be silent, without even a keepalive.
        quiet: How long a stream can be silent until the client asks the server for news, and how
            long the answer can take. Without one, or if it has events that the stream did not
            bring, the stream is lost. Otherwise the next question is asked after twice the silence.
        request: How long each try of a short request can take: a cancel, a snapshot, a list, a
            delete, the manifest.
        steady: A connection that lives this long is a good one: the count restarts.
        sleep: Waits; tests pass one that does not.
        chance: Returns a random number from 0 to 1.
        clock: The source of time.
        notice: Called at each wait with what went wrong, and for how long.
        restored: Called when what went wrong works again.
    """

    tries: Count = 10
    backoff: Seconds = 0.5
    backoff_max: Seconds = 15.0
    longest_wait: Seconds = 300.0
    connect: SomeSeconds = 10.0
    start: SomeSeconds = 45.0
    idle: SomeSeconds = 45.0
    quiet: SomeSeconds = 4.0
    request: SomeSeconds = 15.0
    steady: Seconds = 5.0
    sleep: Annotated[Callable[[float], Awaitable[object]], function_of("seconds")] = asyncio.sleep
    chance: Annotated[Callable[[], float], function_of()] = random.random
    clock: Annotated[Clock, CLOCK] = field(default_factory=SystemClock)
    notice: Notice | None = None
    restored: Annotated[Callable[[], object], function_of()] | None = None


class Waited(NamedTuple):
    """What a client has waited for in vain, and for how many seconds."""

    phase: TimedOutWhile
    seconds: float


class Lost(Exception):
    """The connection was lost, or the server asked to retry later."""

    def __init__(
        self,
        message: str,
        *,
        after: float = 0.0,
        error: YieldwireError | None = None,
        may_be_done: bool = True,
        waited: "Waited | None" = None,
    ) -> None:
        super().__init__(message)
        self.after = after
        self._error, self._waited = error, waited
        self.may_be_done = may_be_done
        """Whether the server has possibly executed the request."""

    def as_error(self, run_id: str | None) -> YieldwireError:
        """Return the error to raise when there are no more retries."""
        if self._error is None and self._waited is not None:
            phase, seconds = self._waited
            return TimedOut(str(self), phase=phase, seconds=seconds, run_id=run_id)
        return self._error or Unreachable(str(self), run_id=run_id)


class Limit:
    """The time that a call can take as a whole, from now on.

    Args:
        seconds: ``None``: it is not limited.
        what: What takes this time, for the message.
    """

    def __init__(self, seconds: float | None, what: str) -> None:
        self._seconds, self._what = seconds or 0.0, what
        self._at = None if seconds is None else asyncio.get_running_loop().time() + seconds

    async def of(self, awaitable: Awaitable[T], run_id: str | None = None) -> T:
        """Return the result of ``awaitable``.

        Raises:
            TimedOut: If the time is over before; ``awaitable`` was cancelled then.
        """
        limit = asyncio.timeout_at(self._at)
        try:
            async with limit:
                return await awaitable
        except TimeoutError as exc:
            if not limit.expired():
                raise
            message = f"{self._what} took more than {self._seconds:g} s."
            raise TimedOut(message, phase="total", seconds=self._seconds, run_id=run_id) from exc


class Backoff:
    """Failures in a row, and the waits between them."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._failures = 0
        self._base = patience.backoff
        self._since = 0.0

    def connected(self) -> None:
        """Record that a connection has started."""
        self._since = self._patience.clock.monotonic()

    def received(self, *, events: bool) -> None:
        """Record that bytes came: the count restarts if they were events, or came late."""
        if events or self._patience.clock.monotonic() - self._since > self._patience.steady:
            self.succeeded()

    def succeeded(self) -> None:
        """Record that it works: the count restarts."""
        if self._failures and self._patience.restored is not None:
            self._patience.restored()
        self._failures = 0

    def asked(self, retry_ms: int | None) -> None:
        """Record the reconnection time that the server asks for, if any."""
        if retry_ms is not None:
            self._base = min(retry_ms / 1000, self._patience.longest_wait)

    async def pause(self, lost: Lost, run_id: str | None = None) -> None:
        """Wait before the next try.

        Raises:
            YieldwireError: If there is no next try.
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
