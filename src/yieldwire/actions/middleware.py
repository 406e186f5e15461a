"""Middleware: wraps each attempt, in the run's own task."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Annotated, Any, Concatenate, Final, TypeAlias, cast

from yieldwire.actions.context import Context
from yieldwire.actions.function import promises, written
from yieldwire.actions.injection import hint_of
from yieldwire.setting import Rule, each

Middleware: TypeAlias = Callable[Concatenate[Context, ...], AsyncIterator[None]]
"""An async generator that yields once: before an attempt, and after it.

Resources are injected into its parameters after the first, as into a `Guard`.
"""


def _is_manager(function: Any) -> bool:  # noqa: ANN401 - whatever was given
    """Whether ``@asynccontextmanager`` made the function."""
    return getattr(function, "__globals__", {}).get("__name__") == "contextlib"


def _is_middleware(value: Any) -> bool:  # noqa: ANN401 - any given value
    if not callable(value) or hint_of(value) or _is_manager(value):
        return False
    is_generator = any(map(isasyncgenfunction, written(value)))
    return is_generator or promises(value, "AsyncIterator", "AsyncGenerator")


def _hint(value: Any) -> str:  # noqa: ANN401 - any given value
    if hint := hint_of(value):
        return hint
    if _is_manager(value):
        return "leave out @asynccontextmanager"
    if any(map(iscoroutinefunction, written(value))):
        return "what does not yield goes into guards="
    return "write `async def`" if any(map(isgeneratorfunction, written(value))) else ""


MIDDLEWARE: Final = each(
    Rule(_is_middleware, "an async generator of the Context", _hint),
    "async generators of the Context, which yield once",
)
"""The rule for a setting with a list of middleware."""

Middlewares: TypeAlias = Annotated[Sequence[Middleware], MIDDLEWARE]


async def enter_middleware(
    stack: AsyncExitStack, middleware: Sequence[Middleware], ctx: Context
) -> None:
    """Enter every middleware in order; ``stack`` leaves them in reverse, with the error if any."""
    for each_one in middleware:
        generator = cast("Callable[[Context], AsyncGenerator[None, None]]", each_one)
        await stack.enter_async_context(asynccontextmanager(generator)(ctx))
