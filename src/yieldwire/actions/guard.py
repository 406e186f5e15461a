"""Guards: functions that run once before a run starts, and can refuse it.

A guard runs before the body is read and before the run exists, so its refusal is an HTTP status.
"""

from collections.abc import Awaitable, Callable, Sequence
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Annotated, Any, Concatenate, Final, TypeAlias

from yieldwire.actions.context import Context
from yieldwire.actions.function import name_of, promises, written
from yieldwire.actions.injection import hint_of
from yieldwire.errors import UsageError
from yieldwire.log.jsonvalue import json_fault
from yieldwire.setting import Rule, each

Guard: TypeAlias = Callable[Concatenate[Context, ...], Awaitable[None]]
"""Checks a start, can put plain JSON on ``ctx.state``, and refuses by raising.

Resources are injected into its other parameters: ``pool: Annotated[Pool, Use(pool)]``.
"""


def _is_guard(value: Any) -> bool:  # noqa: ANN401 - any given value
    if not callable(value) or hint_of(value):
        return False
    is_async = any(map(iscoroutinefunction, written(value)))
    return is_async or promises(value, "Awaitable", "Coroutine")


def _hint(value: Any) -> str:  # noqa: ANN401 - any given value
    if hint := hint_of(value):
        return hint
    if any(map(isasyncgenfunction, written(value))):
        return "what yields goes into middleware="
    return "write `async def`" if callable(value) else ""


GUARDS: Final = each(
    Rule(_is_guard, "an async function of the Context", _hint),
    "async functions of the Context",
)
"""The rule for a setting with a list of guards."""

Guards: TypeAlias = Annotated[Sequence[Guard], GUARDS]


async def run_guards(guards: Sequence[Guard], ctx: Context) -> None:
    """Run every guard in order; the first to raise ends the start.

    Raises:
        UsageError: If one leaves something on ``ctx.state`` that is not plain JSON.
    """
    for guard in guards:
        await guard(ctx)
        if ctx.state:
            _check_left(guard, ctx)


def _check_left(guard: Guard, ctx: Context) -> None:
    """Return if the values that a guard put on the context can be kept with the run."""
    fault = json_fault(ctx.state, "ctx.state")
    if fault is not None:
        raise UsageError(
            f"{ctx.action}: {fault}, which is not plain JSON; the guard {name_of(guard)} "
            "must put there what JSON has, such as a string, a number, a list or a dict."
        )
