"""Middleware wraps each attempt, nests, and sees the attempt's error."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from functools import partial, wraps
from typing import Any

import pytest

from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.middleware import MIDDLEWARE, Middleware, enter_middleware
from yieldwire.errors import ActionError


def context() -> Context:
    return Context(run_id="r1", action="a", owner=None, quota_key="c", request=RequestFacts())


def ring(name: str, steps: list[str]) -> Middleware:
    async def middleware(ctx: Context) -> AsyncIterator[None]:
        steps.append(f"{name} begins")
        try:
            yield
        except ActionError as exc:
            steps.append(f"{name} sees {exc.code}")
            raise
        finally:
            steps.append(f"{name} ends")

    return middleware


async def test_middleware_nests() -> None:
    steps: list[str] = []

    async with AsyncExitStack() as stack:
        await enter_middleware(stack, [ring("a", steps), ring("b", steps)], context())
        steps.append("attempt")

    assert steps == ["a begins", "b begins", "attempt", "b ends", "a ends"]


async def test_middleware_sees_the_attempts_error() -> None:
    steps: list[str] = []

    async def attempt() -> None:
        async with AsyncExitStack() as stack:
            await enter_middleware(stack, [ring("a", steps), ring("b", steps)], context())
            raise ActionError("BROKEN", "It broke.")

    with pytest.raises(ActionError, match="It broke"):
        await attempt()

    assert steps[2:] == ["b sees BROKEN", "b ends", "a sees BROKEN", "a ends"]


async def test_a_middleware_that_fails_to_begin_leaves_those_before_it() -> None:
    steps: list[str] = []

    async def broken(ctx: Context) -> AsyncIterator[None]:
        if ctx.attempt == 0:
            raise ActionError("NO_DATABASE", "No database.")
        yield

    async def begin() -> None:
        async with AsyncExitStack() as stack:
            await enter_middleware(stack, [ring("a", steps), broken], context())

    with pytest.raises(ActionError, match="No database"):
        await begin()

    assert steps == ["a begins", "a sees NO_DATABASE", "a ends"]


class Ringed:
    async def __call__(self, ctx: Context) -> AsyncIterator[None]:
        yield


async def rings(by: int, ctx: Context) -> AsyncIterator[None]:
    yield


def wrapped(function: Callable[[Context], Any]) -> Callable[[Context], Any]:
    @wraps(function)
    def call(ctx: Context) -> Any:  # noqa: ANN401 - whatever it returns
        return function(ctx)

    return call


def makes_a_ring(ctx: Context) -> AsyncIterator[None]:
    return rings(1, ctx)


@pytest.mark.parametrize(
    "middleware",
    [
        ring("a", []),
        Ringed(),
        Ringed().__call__,
        partial(rings, 1),
        wrapped(ring("a", [])),
        makes_a_ring,
    ],
)
def test_an_async_generator_can_be_middleware(middleware: Middleware) -> None:
    assert MIDDLEWARE.fault((middleware,)) is None
