"""Guards run once, in order, before a start; the first to raise refuses it."""

from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial, wraps
from typing import Any

import pytest

from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.guard import GUARDS, Guard, run_guards
from yieldwire.errors import ActionError, UsageError


def context() -> Context:
    return Context(run_id="r1", action="a", owner=None, quota_key="c", request=RequestFacts())


def step(name: str, steps: list[str], *, refuses: bool = False) -> Guard:
    async def guard(ctx: Context) -> None:
        steps.append(name)
        ctx.state[name] = len(steps)
        if refuses:
            raise ActionError("NO", "No.", status=402)

    return guard


async def test_guards_run_in_order() -> None:
    steps: list[str] = []
    ctx = context()

    await run_guards([step("a", steps), step("b", steps)], ctx)

    assert steps == ["a", "b"]
    assert ctx.state == {"a": 1, "b": 2}


async def test_the_first_refusal_ends_the_start() -> None:
    steps: list[str] = []

    with pytest.raises(ActionError, match="No"):
        await run_guards([step("a", steps, refuses=True), step("b", steps)], context())

    assert steps == ["a"]


async def budget_of_dates(ctx: Context) -> None:
    ctx.state["budget"] = {"until": [date(2026, 1, 1)]}


async def names_a_row(ctx: Context) -> None:
    ctx.state[3] = "row"  # type: ignore[index]


async def leaves_plain_json(ctx: Context) -> None:
    ctx.state["budget"] = {"left": 2.5, "rows": [1, None, True], "pair": ("a", "b")}


@pytest.mark.parametrize(
    ("guard", "message"),
    [
        (
            budget_of_dates,
            r"^a: ctx\.state\['budget'\]\['until'\]\[0\] is a datetime\.date, which is not plain",
        ),
        (names_a_row, r"^a: ctx\.state has the key 3, which is not a string, .* names_a_row "),
    ],
)
async def test_what_cannot_be_kept_with_a_run_is_told_with_its_key(
    guard: Guard, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        await run_guards([leaves_plain_json, guard], context())


async def test_plain_json_is_kept() -> None:
    ctx = context()

    await run_guards([leaves_plain_json], ctx)

    assert ctx.state["budget"]["left"] == 2.5


class Counted:
    async def __call__(self, ctx: Context) -> None: ...


async def counts(by: int, ctx: Context) -> None: ...


def wrapped(function: Callable[[Context], Any]) -> Callable[[Context], Any]:
    @wraps(function)
    def call(ctx: Context) -> Any:  # noqa: ANN401 - whatever it returns
        return function(ctx)

    return call


def makes_one(ctx: Context) -> Awaitable[None]:
    return counts(1, ctx)


@pytest.mark.parametrize(
    "guard",
    [
        leaves_plain_json,
        Counted(),
        Counted().__call__,
        partial(counts, 1),
        wrapped(leaves_plain_json),
        makes_one,
    ],
)
def test_a_function_that_can_be_awaited_can_be_a_guard(guard: Guard) -> None:
    assert GUARDS.fault([guard]) is None
