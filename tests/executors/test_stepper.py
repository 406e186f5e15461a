"""A run's task steps the innermost coroutine alone, and everybody sees nested awaits."""

import asyncio
import inspect
from collections.abc import AsyncIterator

import anyio
import anyio.lowlevel
import pytest

from tests.support.runs import SOON, call, first_chunk, opened, tasks_of_runs
from yieldwire.actions.context import Context
from yieldwire.app import App
from yieldwire.executors.stepper import Stepper


async def test_a_task_has_the_result_or_the_error_of_what_it_steps() -> None:
    async def succeed() -> int:
        await asyncio.sleep(0)
        return 3

    async def fail() -> int:
        await asyncio.sleep(0)
        raise LookupError("It is not there.")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(Stepper(succeed()))
    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.TaskGroup() as group:
            group.create_task(Stepper(fail()))

    assert task.result() == 3
    assert raised.group_contains(LookupError, match="It is not there")


async def test_a_stepper_can_be_awaited_and_closed_like_a_coroutine() -> None:
    steps = list[str]()

    async def wait() -> int:
        try:
            await asyncio.sleep(0)
        except GeneratorExit:
            steps.append("closed")
            raise
        return 3

    assert await Stepper(wait()) == 3
    stepper = Stepper(wait())
    stepper.send(None)
    stepper.close()

    assert steps == ["closed"]


async def test_a_task_that_is_cancelled_before_its_first_step_runs_nothing() -> None:
    steps = list[str]()

    async def act() -> None:
        steps.append("begun")

    async with asyncio.TaskGroup() as group:
        task = group.create_task(Stepper(act()))
        task.cancel()

    assert (task.cancelled(), steps) == (True, [])


async def test_middleware_sees_the_error_of_the_action_and_can_limit_its_time() -> None:
    steps = list[str]()

    async def limiting(_ctx: Context, /) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(0.01):
                yield
        except TimeoutError:
            steps.append("too slow")
            raise

    async def act() -> AsyncIterator[int]:
        yield 1
        try:
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")

    async with opened(App(middleware=[limiting])) as app:
        heard = await call(app, act)

    assert (heard.chunks, heard.code, steps) == ([1], "INTERNAL_ERROR", ["cleaned up", "too slow"])


async def test_scopes_and_groups_of_anyio_work_in_an_action() -> None:
    async def act() -> AsyncIterator[str]:
        with anyio.move_on_after(0.01) as scope:
            yield "waits"
            await anyio.sleep_forever()
        yield f"cancelled: {scope.cancelled_caught}"
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            await anyio.lowlevel.checkpoint()
            yield "started"
            group.cancel_scope.cancel()
        yield "over"

    async with opened(App()) as app:
        heard = await call(app, act)

    assert heard.chunks == ["waits", "cancelled: True", "started", "over"]


async def test_tools_find_the_name_and_the_frame_of_a_runs_task() -> None:
    async def act() -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    async with opened(App()) as app:
        run = await app.start(app.action(act))
        async with asyncio.timeout(SOON):
            await first_chunk(run)
        (task,) = tasks_of_runs()
        name, stack = repr(task), task.get_stack()
        state = inspect.getcoroutinestate(task.get_coro())  # type: ignore[arg-type]
        await run.cancel()

    assert "Worker._execute" in name
    assert [frame.f_code.co_name for frame in stack] == ["_execute"]
    assert state == inspect.CORO_SUSPENDED
