"""`RateLimit`, a guard that counts starts."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Final

from yieldwire.actions.context import Context
from yieldwire.errors import MissingDependency, RateLimited, UsageError
from yieldwire.setting import function_of, settings, shown

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.strategies import MovingWindowRateLimiter

KEYS: Final = 1024
"""How many callers' starts are kept without checking whether they have expired."""


def default_key(ctx: Context) -> str:
    """Return the default key of a rate: the caller and the action."""
    return f"{ctx.action}/{ctx.quota_key}"


@settings
class RateLimit:
    """A guard that limits the number of starts in a period, per caller and action.

    In memory it counts for this process, across closes and openings of its application.

    Args:
        rate: In the format of the ``limits`` library: ``"10/minute"``, ``"100 per 2 hours"``.
        key: Whom to count; default: the caller and the action.
        storage: Where to count: ``"memory://"``, ``"redis://…"``.

    Raises:
        MissingDependency: If ``limits`` is not installed.
        UsageError: If the rate or the storage is invalid.

    Example:
        >>> @actions.action(guards=[RateLimit("10/minute")])  # doctest: +SKIP
        ... async def suggest(page: str) -> AsyncIterator[Text]: ...
    """

    def __init__(
        self,
        rate: str,
        *,
        key: Annotated[Callable[[Context], str], function_of("the Context")] = default_key,
        storage: str = "memory://",
    ) -> None:
        try:
            from limits import parse_many  # noqa: PLC0415 - an extra
        except ImportError as exc:
            raise MissingDependency("limits", "limits", "RateLimit") from exc
        try:
            rates = parse_many(rate)
        except ValueError as exc:
            raise UsageError(
                f"RateLimit: rate={rate!r} is not a rate; write for example '10/minute'."
            ) from exc
        if len(rates) > 1 or rates[0].amount < 1:
            raise UsageError(
                f"RateLimit: rate={rate!r} is not one rate of at least 1; "
                "for two rates, make two of them."
            )
        self._rate: Final = rates[0]
        self._key: Final = key
        self._wait_for: Callable[[str], Awaitable[float]]
        if storage == "memory://":
            self._wait_for = Window(self._rate.amount, self._rate.get_expiry()).wait_for
            return
        try:
            self._wait_for = _Elsewhere(self._rate, storage).wait_for
        except Exception as exc:
            raise UsageError(
                f"RateLimit: storage={shown(storage)} cannot be used ({shown(str(exc))}); "
                "write for example 'memory://' or 'redis://…'."
            ) from exc

    async def __call__(self, ctx: Context) -> None:
        """Count this start.

        Raises:
            RateLimited: If it exceeds the limit, with the seconds to wait.
        """
        wait = await self._wait_for(self._key(ctx))
        if wait > 0:
            raise RateLimited(f"At most {self._rate}; wait a little.", retry_after=max(1.0, wait))


class Window:
    """Counts starts in this process, without a task, thread or event loop."""

    def __init__(self, amount: int, seconds: float) -> None:
        self._amount, self._seconds = amount, seconds
        self._starts: dict[str, deque[float]] = {}
        self._most = KEYS

    def __len__(self) -> int:
        return len(self._starts)

    async def wait_for(self, key: str) -> float:
        """Count a start, or return the seconds until one is allowed."""
        now = time.monotonic()
        starts = self._starts.setdefault(key, deque())
        while starts and starts[0] <= now - self._seconds:
            starts.popleft()
        if len(starts) >= self._amount:
            return (starts[0] if starts else now) + self._seconds - now
        starts.append(now)
        if len(self._starts) > self._most:
            self._forget(now - self._seconds)
        return 0.0

    def _forget(self, until: float) -> None:
        fresh = {
            key: starts for key, starts in self._starts.items() if starts and starts[-1] > until
        }
        self._starts, self._most = fresh, max(KEYS, 2 * len(fresh))


class _Elsewhere:
    """Counts starts in another storage of ``limits``, with separate connections per event loop."""

    def __init__(self, rate: "RateLimitItem", storage: str) -> None:
        self._rate, self._storage = rate, storage
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limiter = self._connect()

    def _connect(self) -> "MovingWindowRateLimiter":
        from limits.aio.strategies import MovingWindowRateLimiter  # noqa: PLC0415 - an extra
        from limits.storage import storage_from_string  # noqa: PLC0415

        return MovingWindowRateLimiter(storage_from_string(f"async+{self._storage}"))

    async def wait_for(self, key: str) -> float:
        """Count a start, or return the seconds until one is allowed."""
        loop = asyncio.get_running_loop()
        if self._loop not in {None, loop}:
            self._limiter = self._connect()
        self._loop = loop
        if await self._limiter.hit(self._rate, key):
            return 0.0
        window = await self._limiter.get_window_stats(self._rate, key)
        return max(1.0, window.reset_time - time.time())  # noqa: TID251 - the library's clock
