"""Middleware runs once and in order, arounds wrap each attempt and see its error."""

import asyncio
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import ClassVar

import pytest
from limits.aio.storage import MemoryStorage

from yieldwire.context import Context, RequestFacts
from yieldwire.errors import ActionError, MissingDependency, RateLimited, UsageError
from yieldwire.middleware import (
    KEYS,
    Around,
    Middleware,
    RateLimit,
    Window,
    enter_arounds,
    run_middleware,
)


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


class Counted(MemoryStorage):
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

    assert len(Counted.made) == 4


async def test_a_storage_elsewhere_says_how_long_to_wait() -> None:
    limit, tasks = RateLimit("1/hour", storage="counted://"), asyncio.all_tasks()
    await limit(context())

    with pytest.raises(RateLimited, match="At most 1") as caught:
        await limit(context())

    assert 1.0 <= caught.value.retry_after <= 3600
    if left := asyncio.all_tasks() - tasks:
        await asyncio.wait(left)  # the housekeeping of the class that it is made of


async def test_a_rate_of_nothing_lets_nobody_through() -> None:
    with pytest.raises(RateLimited, match="At most 0"):
        await RateLimit("0/hour")(context())


async def test_starts_that_are_over_are_forgotten() -> None:
    window = Window(amount=1, seconds=0.0)

    for n in range(3 * KEYS):
        await window.wait_for(f"caller {n}")

    assert len(window) <= KEYS


def test_what_is_no_rate_is_told() -> None:
    with pytest.raises(UsageError, match="'often' is no rate; write for example '10/minute'"):
        RateLimit("often")


def test_without_its_library_a_rate_limit_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "limits", None)

    with pytest.raises(MissingDependency, match=r"pip install 'yieldwire\[limits\]'"):
        RateLimit("1/hour")
