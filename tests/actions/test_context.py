"""What an action can ask of its run, and what it cannot."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar, cast

import pytest

from yieldwire.actions.context import Context, RequestFacts
from yieldwire.actions.resource import Resource
from yieldwire.actions.running import RunningAttempt
from yieldwire.errors import UsageError

T = TypeVar("T")


class GroupAttempt:
    """Runs helpers in a task group."""

    def __init__(self, group: asyncio.TaskGroup, reason: str | None = None) -> None:
        self.cancel_reason = reason
        self._group = group

    def spawn(self, coroutine: Coroutine[Any, Any, T], /) -> "asyncio.Task[T]":
        return self._group.create_task(coroutine)


def context(running: GroupAttempt | None = None) -> Context:
    return Context(
        run_id="r1",
        action="a",
        owner=None,
        quota_key="c",
        request=RequestFacts(),
        running=cast("RunningAttempt | None", running),
    )


async def helper() -> int:
    return 3


async def pool() -> AsyncIterator[str]:
    yield "pool"


# The context.


def test_in_a_guard_no_attempt_has_begun() -> None:
    ctx = context()

    assert (ctx.attempt, ctx.state, ctx.labels, ctx.is_cancelled) == (0, {}, [], False)
    ctx.check_cancelled()


def test_what_needs_a_running_attempt_says_so_in_a_guard() -> None:
    ctx, coroutine = context(), helper()

    with pytest.raises(UsageError, match="running attempt"):
        ctx.spawn(coroutine)
    coroutine.close()


async def test_a_running_attempt_spawns_helpers() -> None:
    async with asyncio.TaskGroup() as group:
        ctx = context(GroupAttempt(group))
        task = ctx.spawn(helper())

    assert task.result() == 3


async def test_blocking_code_asks_whether_it_should_stop() -> None:
    async with asyncio.TaskGroup() as group:
        goes_on, stops = context(GroupAttempt(group)), context(GroupAttempt(group, "requested"))

        goes_on.check_cancelled()
        with pytest.raises(asyncio.CancelledError, match=r"^$"):
            stops.check_cancelled()

    assert (goes_on.is_cancelled, stops.is_cancelled) == (False, True)


def test_two_contexts_share_no_state() -> None:
    one, other = context(), context()

    one.state["n"] = 1
    one.labels.append("a")

    assert (other.state, other.labels) == ({}, [])


def test_a_resource_is_named_after_its_opener() -> None:
    assert Resource(pool).name == "pool"
