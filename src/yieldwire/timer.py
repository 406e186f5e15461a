"""Timers that share: thousands of them cost the event loop a few.

Most timers here are never needed: a wait for news is nearly always over before its keepalive
is due, a send before its reader counts as stalled. So they are coarse. A time is rounded up to
a sixteenth of the wait or less, and everything that is due at the same rounded time waits in one
bucket, behind one timer of the loop. To begin and to cancel are one step in a dictionary each.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Generator
from typing import Any, Final, TypeVar

T = TypeVar("T")

_FINENESS: Final = 5
"""A granule is the wait's power of two over 2⁵: between a sixteenth and a 32nd of the wait."""


def round_up(at: float, wait: float) -> float:
    """Return a time at or after ``at`` that many timers of about this ``wait`` share.

    Never earlier, and later by a sixteenth of ``wait`` at most.

    Example:
        >>> round_up(100.3, 15.0), round_up(100.4, 15.0)
        (100.5, 100.5)
    """
    if wait <= 0:
        return at
    granule = 2.0 ** (math.frexp(wait)[1] - _FINENESS)
    return math.ceil(at / granule) * granule


class Timer:
    """One callback to be made once, unless it is cancelled before."""

    __slots__ = ("_bucket", "callback")

    def __init__(self, callback: Callable[[], object], bucket: dict["Timer", None]) -> None:
        self.callback: Final = callback
        self._bucket = bucket
        bucket[self] = None

    def cancel(self) -> None:
        """Make the callback no more. Cancelling twice, or too late, changes nothing."""
        self._bucket.pop(self, None)


class Timers:
    """The shared timers of one event loop: the one that runs where they are begun."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._buckets: dict[float, dict[Timer, None]] = {}
        # The bucket of the last timer: that of the next one too, as long as it is not over.
        self._bucket: dict[Timer, None] = {}
        self._seconds, self._until = 0.0, -math.inf

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in so many seconds, or a sixteenth of that later."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if seconds != self._seconds or now > self._until or loop is not self._loop:
            self._find_bucket(loop, now, seconds)
        return Timer(callback, self._bucket)

    def _find_bucket(self, loop: asyncio.AbstractEventLoop, now: float, seconds: float) -> None:
        if loop is not self._loop:
            self._loop, self._buckets = loop, {}
        at = round_up(now + seconds, seconds)
        bucket = self._buckets.get(at)
        if bucket is None:
            bucket = self._buckets[at] = {}
            loop.call_at(at, self._ring, self._buckets, at)
        # Whoever asks for as many seconds until then is in time in this bucket.
        self._bucket, self._seconds, self._until = bucket, seconds, at - seconds

    def _ring(self, buckets: dict[float, dict[Timer, None]], at: float) -> None:
        bucket = buckets.pop(at)
        while bucket:
            # One by one, so that a callback may cancel those behind it.
            timer = next(iter(bucket))
            del bucket[timer]
            timer.callback()


class Unfinished(Exception, Awaitable[Any]):
    """Something waits. Whoever awaits this goes on with it, and whoever closes it gives it up."""

    def __init__(self, steps: Generator[Any, Any, Any], waited: object) -> None:
        super().__init__()
        self._steps, self._waited = steps, waited

    def __await__(self) -> Generator[Any, Any, Any]:
        return _go_on(self._steps, self._waited)

    def close(self) -> None:
        """Let nobody go on with it."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()


def at_once(awaitable: Awaitable[T]) -> T:
    """Return what ``awaitable`` gives, if it need not wait for that.

    Raises:
        Unfinished: If it waits.
    """
    steps = awaitable.__await__()
    try:
        waited = next(steps)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise Unfinished(steps, waited)


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """Return what ``awaitable`` gives. Where it need not wait for that, this takes no timer.

    Raises:
        TimeoutError: If it waits for longer than so many seconds.
    """
    try:
        return at_once(awaitable)
    except Unfinished as waiting:
        rest: Awaitable[T] = waiting
    async with asyncio.timeout(seconds):
        return await rest


def _go_on(steps: Generator[Any, Any, T], waited: object) -> Generator[Any, Any, T]:
    """Go on with what waits already, as if nobody stood between."""
    while True:
        try:
            yield waited
        except BaseException as exc:
            throw = getattr(steps, "throw", None)
            if throw is None:  # a server's own awaitable is an iterator, and need be no more
                raise
            try:
                waited = throw(exc)
            except StopIteration as stop:
                result: T = stop.value
                return result
        else:
            return (yield from steps)
