"""What stands before a run and around its attempts.

*Middleware* runs once, when a run is started, before anything is read or made: a refusal
is an HTTP status. *Around* wraps each attempt, in the run's own task.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, TypeAlias, cast

from yieldwire.context import Context
from yieldwire.errors import MissingDependency, RateLimited, UsageError

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
            from limits.aio.strategies import MovingWindowRateLimiter  # noqa: PLC0415
            from limits.storage import storage_from_string  # noqa: PLC0415
        except ImportError as exc:
            raise MissingDependency("limits", "limits", "RateLimit") from exc
        try:
            self._rate: Final = parse(rate)
        except ValueError as exc:
            raise UsageError(f"{rate!r} is no rate; write for example '10/minute'.") from exc
        self._key: Final = key
        self._limiter: Final = MovingWindowRateLimiter(storage_from_string(f"async+{storage}"))

    async def __call__(self, ctx: Context) -> None:
        """Count this start.

        Raises:
            RateLimited: If it is one too many, with the seconds to wait.
        """
        key = self._key(ctx)
        if await self._limiter.hit(self._rate, key):
            return
        window = await self._limiter.get_window_stats(self._rate, key)
        wait = max(1.0, window.reset_time - time.time())  # noqa: TID251 - the library's clock
        raise RateLimited(f"At most {self._rate}; wait a little.", retry_after=wait)
