"""What stands before a run and around its attempts.

*Middleware* runs once, when a run is started, before anything is read or made: a refusal
is an HTTP status. *Around* wraps each attempt, in the run's own task.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from yieldwire.context import Context
from yieldwire.errors import MissingDependency, RateLimited, UsageError

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.strategies import MovingWindowRateLimiter

KEYS: Final = 1024
"""Callers whose starts are kept without a look whether they are over."""

Middleware: TypeAlias = Callable[[Context], Awaitable[None]]
"""Looks at a start, may put plain JSON on ``ctx.state``, and refuses by raising."""

Around: TypeAlias = Callable[[Context], AsyncIterator[None]]
"""An async generator that yields once: before an attempt, and after it."""


async def run_middleware(chain: Sequence[Middleware], ctx: Context) -> None:
    """Run every middleware in order; the first to raise ends the start."""
    for middleware in chain:
        await middleware(ctx)


async def enter_arounds(stack: AsyncExitStack, arounds: Sequence[Around], ctx: Context) -> None:
    """Enter every around in order; ``stack`` leaves them in reverse, with the error if any."""
    for around in arounds:
        generator = cast("Callable[[Context], AsyncGenerator[None, None]]", around)
        await stack.enter_async_context(asynccontextmanager(generator)(ctx))


def default_key(ctx: Context) -> str:
    """Return whom a rate counts: the caller, for each action apart."""
    return f"{ctx.action}/{ctx.caller}"


class RateLimit:
    """Middleware that lets so many starts through in so much time, for each caller and action.

    In memory it counts for this process, over every opening of its application.

    Args:
        rate: As the ``limits`` library reads it: ``"10/minute"``, ``"100 per 2 hours"``.
        key: Whom to count; the caller of each action apart by default.
        storage: Where to count: ``"memory://"``, ``"redis://…"``.

    Raises:
        MissingDependency: If ``limits`` is not installed.
        UsageError: If the rate cannot be read.

    Example:
        >>> @actions.action(middleware=[RateLimit("10/minute")])  # doctest: +SKIP
        ... async def suggest(page: str) -> AsyncIterator[Text]: ...
    """

    def __init__(
        self,
        rate: str,
        *,
        key: Callable[[Context], str] = default_key,
        storage: str = "memory://",
    ) -> None:
        try:
            from limits import parse  # noqa: PLC0415 - an extra
        except ImportError as exc:
            raise MissingDependency("limits", "limits", "RateLimit") from exc
        try:
            self._rate: Final = parse(rate)
        except ValueError as exc:
            raise UsageError(f"{rate!r} is no rate; write for example '10/minute'.") from exc
        self._key: Final = key
        self._wait_for: Final = (
            Window(self._rate.amount, self._rate.get_expiry()).wait_for
            if storage == "memory://"
            else _Elsewhere(self._rate, storage).wait_for
        )

    async def __call__(self, ctx: Context) -> None:
        """Count this start.

        Raises:
            RateLimited: If it is one too many, with the seconds to wait.
        """
        wait = await self._wait_for(self._key(ctx))
        if wait > 0:
            raise RateLimited(f"At most {self._rate}; wait a little.", retry_after=max(1.0, wait))


class Window:
    """Counts starts in this process, and needs no task, thread or event loop for that."""

    def __init__(self, amount: int, seconds: float) -> None:
        self._amount, self._seconds = amount, seconds
        self._starts: dict[str, deque[float]] = {}
        self._most = KEYS

    def __len__(self) -> int:
        return len(self._starts)

    async def wait_for(self, key: str) -> float:
        """Count a start, or return the seconds until there may be one."""
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
    """Counts starts in another storage of ``limits``, with connections of each event loop."""

    def __init__(self, rate: "RateLimitItem", storage: str) -> None:
        self._rate, self._storage = rate, storage
        self._loop: asyncio.AbstractEventLoop | None = None
        self._limiter = self._connect()

    def _connect(self) -> "MovingWindowRateLimiter":
        from limits.aio.strategies import MovingWindowRateLimiter  # noqa: PLC0415 - an extra
        from limits.storage import storage_from_string  # noqa: PLC0415

        return MovingWindowRateLimiter(storage_from_string(f"async+{self._storage}"))

    async def wait_for(self, key: str) -> float:
        """Count a start, or return the seconds until there may be one."""
        loop = asyncio.get_running_loop()
        if self._loop not in {None, loop}:
            self._limiter = self._connect()
        self._loop = loop
        if await self._limiter.hit(self._rate, key):
            return 0.0
        window = await self._limiter.get_window_stats(self._rate, key)
        return max(1.0, window.reset_time - time.time())  # noqa: TID251 - the library's clock
