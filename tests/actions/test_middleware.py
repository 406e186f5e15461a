"""Middleware runs once and in order, arounds wrap each attempt and see its error."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import date
from functools import partial, wraps
from typing import Any, ClassVar

import pytest
from limits.aio.storage import MemoryStorage

from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.middleware import (
    AROUND,
    KEYS,
    MIDDLEWARE,
    Around,
    Middleware,
    RateLimit,
    Window,
    enter_arounds,
    run_middleware,
)
from yieldwire.errors import ActionError, MissingDependency, RateLimited, UsageError


def context(caller: str = "c", action: str = "a") -> Context:
    return Context(run_id="r1", action=action, owner=None, caller=caller, request=RequestFacts())


def step(name: str, steps: list[str], *, refuses: bool = False) -> Middleware:
    async def middleware(ctx: Context) -> None:
        steps.append(name)
        ctx.state[name] = len(steps)
        if refuses:
            raise ActionError("NO", "No.", status=402)

    return middleware


def ring(name: str, steps: list[str]) -> Around:
    async def around(ctx: Context) -> AsyncIterator[None]:
        steps.append(f"{name} begins")
        try:
            yield
        except ActionError as exc:
            steps.append(f"{name} sees {exc.code}")
            raise
        finally:
            steps.append(f"{name} ends")

    return around


async def test_middleware_runs_in_order() -> None:
    steps: list[str] = []
    ctx = context()

    await run_middleware([step("a", steps), step("b", steps)], ctx)

    assert steps == ["a", "b"]
    assert ctx.state == {"a": 1, "b": 2}


async def test_the_first_refusal_ends_the_start() -> None:
    steps: list[str] = []

    with pytest.raises(ActionError, match="No"):
        await run_middleware([step("a", steps, refuses=True), step("b", steps)], context())

    assert steps == ["a"]


async def test_arounds_nest() -> None:
    steps: list[str] = []

    async with AsyncExitStack() as stack:
        await enter_arounds(stack, [ring("a", steps), ring("b", steps)], context())
        steps.append("attempt")

    assert steps == ["a begins", "b begins", "attempt", "b ends", "a ends"]


async def test_arounds_see_the_attempts_error() -> None:
    steps: list[str] = []

    async def attempt() -> None:
        async with AsyncExitStack() as stack:
            await enter_arounds(stack, [ring("a", steps), ring("b", steps)], context())
            raise ActionError("BROKEN", "It broke.")

    with pytest.raises(ActionError, match="It broke"):
        await attempt()

    assert steps[2:] == ["b sees BROKEN", "b ends", "a sees BROKEN", "a ends"]


async def test_an_around_that_fails_to_begin_leaves_those_before_it() -> None:
    steps: list[str] = []

    async def broken(ctx: Context) -> AsyncIterator[None]:
        if ctx.attempt == 0:
            raise ActionError("NO_DATABASE", "No database.")
        yield

    async def begin() -> None:
        async with AsyncExitStack() as stack:
            await enter_arounds(stack, [ring("a", steps), broken], context())

    with pytest.raises(ActionError, match="No database"):
        await begin()

    assert steps == ["a begins", "a sees NO_DATABASE", "a ends"]


async def budget_of_dates(ctx: Context) -> None:
    ctx.state["budget"] = {"until": [date(2026, 1, 1)]}


async def names_a_row(ctx: Context) -> None:
    ctx.state[3] = "row"  # type: ignore[index]


async def leaves_plain_json(ctx: Context) -> None:
    ctx.state["budget"] = {"left": 2.5, "rows": [1, None, True], "pair": ("a", "b")}


@pytest.mark.parametrize(
    ("middleware", "message"),
    [
        (
            budget_of_dates,
            r"^a: ctx\.state\['budget'\]\['until'\]\[0\] is a datetime\.date, which is not plain",
        ),
        (names_a_row, r"^a: ctx\.state has the key 3, which is not a string, .* names_a_row "),
    ],
)
async def test_what_cannot_be_kept_with_a_run_is_told_with_its_key(
    middleware: Middleware, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        await run_middleware([leaves_plain_json, middleware], context())


async def test_plain_json_is_kept() -> None:
    ctx = context()

    await run_middleware([leaves_plain_json], ctx)

    assert ctx.state["budget"]["left"] == 2.5


# What may be middleware, and what an around.


class Counted:
    async def __call__(self, ctx: Context) -> None: ...


class Ringed:
    async def __call__(self, ctx: Context) -> AsyncIterator[None]:
        yield


async def counts(by: int, ctx: Context) -> None: ...


async def rings(by: int, ctx: Context) -> AsyncIterator[None]:
    yield


def wrapped(function: Callable[[Context], Any]) -> Callable[[Context], Any]:
    @wraps(function)
    def call(ctx: Context) -> Any:  # noqa: ANN401 - whatever it returns
        return function(ctx)

    return call


def makes_one(ctx: Context) -> Awaitable[None]:
    return counts(1, ctx)


def makes_a_ring(ctx: Context) -> AsyncIterator[None]:
    return rings(1, ctx)


@pytest.mark.parametrize(
    "middleware",
    [
        leaves_plain_json,
        Counted(),
        Counted().__call__,
        partial(counts, 1),
        wrapped(leaves_plain_json),
        makes_one,
    ],
)
def test_whatever_can_be_awaited_may_be_middleware(middleware: Middleware) -> None:
    assert MIDDLEWARE.fault([middleware]) is None


@pytest.mark.parametrize(
    "around",
    [
        ring("a", []),
        Ringed(),
        Ringed().__call__,
        partial(rings, 1),
        wrapped(ring("a", [])),
        makes_a_ring,
    ],
)
def test_whatever_yields_once_may_be_an_around(around: Around) -> None:
    assert AROUND.fault((around,)) is None


# The rate limit.


TWICE, EACH, EVERYBODY, FIRST, SECOND = (
    RateLimit("2/hour"),
    RateLimit("1/hour"),
    RateLimit("1/hour", key=lambda ctx: "everybody"),
    RateLimit("1/hour"),
    RateLimit("1/hour"),
)
"""Made here, where an application makes them: reading the library's files blocks."""


async def test_a_rate_lets_so_many_through_and_says_how_long_to_wait() -> None:
    limit = TWICE
    await limit(context())
    await limit(context())

    with pytest.raises(RateLimited, match="At most 2 per 1 hour") as caught:
        await limit(context())

    assert 1.0 <= caught.value.retry_after <= 3600


async def test_a_rate_counts_each_caller_and_action_apart() -> None:
    limit = EACH
    await limit(context("c", "a"))

    await limit(context("d", "a"))
    await limit(context("c", "b"))

    with pytest.raises(RateLimited, match="At most 1"):
        await limit(context("c", "a"))


async def test_a_rate_may_count_whom_its_key_names() -> None:
    limit = EVERYBODY
    await limit(context("c"))

    with pytest.raises(RateLimited, match="At most 1"):
        await limit(context("d"))


async def test_two_limits_count_apart() -> None:
    await FIRST(context())
    await SECOND(context())


class CountedStorage(MemoryStorage):
    """A storage that counts its connections, as one on another machine has them."""

    STORAGE_SCHEME = ["async+counted"]  # noqa: RUF012 - as the library declares it
    made: ClassVar[list[str | None]] = []

    def __init__(self, uri: str | None = None) -> None:
        super().__init__(uri)
        self.made.append(uri)


async def test_counting_leaves_no_task_and_no_thread() -> None:
    limit, tasks, threads = RateLimit("2/hour"), asyncio.all_tasks(), threading.active_count()

    await limit(context())

    assert (asyncio.all_tasks(), threading.active_count()) == (tasks, threads)


def test_a_rate_counts_over_event_loops() -> None:
    limit = RateLimit("2/hour")
    asyncio.run(twice(limit))

    with pytest.raises(RateLimited, match="At most 2"):
        asyncio.run(twice(limit))


async def twice(limit: RateLimit) -> None:
    await asyncio.gather(limit(context()), limit(context()))


def test_a_storage_elsewhere_has_connections_of_each_event_loop() -> None:
    limit = RateLimit("9/hour", storage="counted://")

    for _ in range(2):
        asyncio.run(twice(limit))
        asyncio.run(twice(limit))

    assert len(CountedStorage.made) == 4


async def test_a_storage_elsewhere_says_how_long_to_wait() -> None:
    limit, tasks = RateLimit("1/hour", storage="counted://"), asyncio.all_tasks()
    await limit(context())

    with pytest.raises(RateLimited, match="At most 1") as caught:
        await limit(context())

    assert 1.0 <= caught.value.retry_after <= 3600
    if left := asyncio.all_tasks() - tasks:
        await asyncio.wait(left)  # the housekeeping of the class that it is made of


async def test_starts_that_are_over_are_forgotten() -> None:
    window = Window(amount=1, seconds=0.0)

    for n in range(3 * KEYS):
        await window.wait_for(f"caller {n}")

    assert len(window) <= KEYS


def test_what_is_no_rate_is_told() -> None:
    with pytest.raises(UsageError, match="'often' is not a rate; write for example '10/minute'"):
        RateLimit("often")


def test_without_its_library_a_rate_limit_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)

    with pytest.raises(MissingDependency, match=r"pip install 'yieldwire\[limits\]'"):
        RateLimit("1/hour")
