"""What stands before a run and around its attempts.

*Middleware* runs once, when a run is started, before anything is read or made: a refusal
is an HTTP status. *Around* wraps each attempt, in the run's own task.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from inspect import (
    getattr_static,
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    unwrap,
)
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from yieldwire.actions.context import Context
from yieldwire.actions.function import name_of
from yieldwire.errors import MissingDependency, RateLimited, UsageError
from yieldwire.log.jsonvalue import json_fault
from yieldwire.setting import TEXT, Rule, Rules, accepts, each, function_of, settings, shown

if TYPE_CHECKING:
    from limits import RateLimitItem
    from limits.aio.strategies import MovingWindowRateLimiter

KEYS: Final = 1024
"""Callers whose starts are kept without a look whether they are over."""

Middleware: TypeAlias = Callable[[Context], Awaitable[None]]
"""Looks at a start, may put plain JSON on ``ctx.state``, and refuses by raising."""

Around: TypeAlias = Callable[[Context], AsyncIterator[None]]
"""An async generator that yields once: before an attempt, and after it."""


def _written(function: Any) -> tuple[Any, Any]:  # noqa: ANN401 - whatever was given
    """Return the functions that run when ``function`` is called, as far as that shows."""
    while isinstance(function, partial):
        function = function.func
    return unwrap(function), getattr_static(type(function), "__call__", None)


def _promises(function: Callable[..., object], *names: str) -> bool:
    returned = str(getattr(function, "__annotations__", {}).get("return", ""))
    return any(name in returned for name in names)


def _is_manager(function: Any) -> bool:  # noqa: ANN401 - whatever was given
    """Whether ``@asynccontextmanager`` made the function."""
    return getattr(function, "__globals__", {}).get("__name__") == "contextlib"


def _is_middleware(value: Any) -> bool:  # noqa: ANN401 - whatever was given
    if not callable(value) or isinstance(value, type) or not accepts(value, 1):
        return False
    is_async = any(map(iscoroutinefunction, _written(value)))
    return is_async or _promises(value, "Awaitable", "Coroutine")


def _is_around(value: Any) -> bool:  # noqa: ANN401 - whatever was given
    if not callable(value) or isinstance(value, type) or not accepts(value, 1):
        return False
    if _is_manager(value):
        return False
    is_generator = any(map(isasyncgenfunction, _written(value)))
    return is_generator or _promises(value, "AsyncIterator", "AsyncGenerator")


def _hint_of_function(value: Any) -> str:  # noqa: ANN401 - whatever was given
    if isinstance(value, type):
        return f"write {value.__name__}(...)"
    if not callable(value):
        return ""
    return "" if accepts(value, 1) else f"{shown(value)} must take the Context alone"


def _middleware_hint(value: Any) -> str:  # noqa: ANN401 - whatever was given
    if hint := _hint_of_function(value):
        return hint
    if any(map(isasyncgenfunction, _written(value))):
        return "what yields goes into around="
    return "write `async def`" if callable(value) else ""


def _around_hint(value: Any) -> str:  # noqa: ANN401 - whatever was given
    if hint := _hint_of_function(value):
        return hint
    if _is_manager(value):
        return "leave out @asynccontextmanager"
    if any(map(iscoroutinefunction, _written(value))):
        return "what does not yield goes into middleware="
    return "write `async def`" if any(map(isgeneratorfunction, _written(value))) else ""


MIDDLEWARE: Final = each(
    Rule(_is_middleware, "an async function of the Context", _middleware_hint),
    "async functions of the Context",
)
"""The rule for a setting that has `Middleware`."""

AROUND: Final = each(
    Rule(_is_around, "an async generator of the Context", _around_hint),
    "async generators of the Context, which yield once",
)
"""The rule for a setting that has `Around`."""


async def run_middleware(chain: Sequence[Middleware], ctx: Context) -> None:
    """Run every middleware in order; the first to raise ends the start.

    Raises:
        UsageError: If one leaves on ``ctx.state`` what is not plain JSON.
    """
    for middleware in chain:
        await middleware(ctx)
        if ctx.state:
            _check_left(middleware, ctx)


def _check_left(middleware: Middleware, ctx: Context) -> None:
    """Return if what a middleware left on the context can be kept with the run."""
    fault = json_fault(ctx.state, "ctx.state")
    if fault is not None:
        raise UsageError(
            f"{ctx.action}: {fault}, which is not plain JSON; the middleware {name_of(middleware)} "
            "must put there what JSON has, such as a string, a number, a list or a dict."
        )


async def enter_arounds(stack: AsyncExitStack, arounds: Sequence[Around], ctx: Context) -> None:
    """Enter every around in order; ``stack`` leaves them in reverse, with the error if any."""
    for around in arounds:
        generator = cast("Callable[[Context], AsyncGenerator[None, None]]", around)
        await stack.enter_async_context(asynccontextmanager(generator)(ctx))


def default_key(ctx: Context) -> str:
    """Return whom a rate counts: the caller, for each action apart."""
    return f"{ctx.action}/{ctx.caller}"


RATE_LIMIT: Final[Rules] = {"rate": TEXT, "key": function_of("the Context"), "storage": TEXT}


@settings(RATE_LIMIT)
class RateLimit:
    """Middleware that lets so many starts through in so much time, for each caller and action.

    In memory it counts for this process, over every opening of its application.

    Args:
        rate: As the ``limits`` library reads it: ``"10/minute"``, ``"100 per 2 hours"``.
        key: Whom to count; the caller of each action apart by default.
        storage: Where to count: ``"memory://"``, ``"redis://…"``.

    Raises:
        MissingDependency: If ``limits`` is not installed.
        UsageError: If the rate or the storage cannot be read.

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
