"""The call of an action: awaited, iterated, or waited for."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.runs import SOON, opened
from yieldwire.app import App
from yieldwire.errors import ActionError, UsageError
from yieldwire.log.chunks import Result


async def count(to: int) -> AsyncIterator[int | Result[int]]:
    for n in range(to):
        yield n
    yield Result(to)


async def fail() -> None:
    raise ActionError("NO", "No.")


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App()) as app:
        yield app


async def test_a_call_can_be_iterated_for_the_chunks_of_its_run(app: App) -> None:
    action = app.action(count)

    async with asyncio.timeout(SOON):
        assert [chunk async for chunk in app.start(action, to=3)] == [0, 1, 2]


async def test_a_call_has_the_result_of_its_run(app: App) -> None:
    action = app.action(result=int)(count)

    async with asyncio.timeout(SOON):
        assert await app.start(action, to=3).result() == 3


async def test_a_call_raises_the_error_of_its_run(app: App) -> None:
    action = app.action(fail)

    async with asyncio.timeout(SOON):
        with pytest.raises(ActionError, match="No"):
            await app.start(action).result()
        with pytest.raises(ActionError, match="No"):
            _ = [chunk async for chunk in app.start(action)]


async def test_a_task_can_be_made_of_a_call(app: App) -> None:
    action = app.action(count)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        starting = group.create_task(app.start(action, to=1))

    assert starting.result().id


async def test_a_call_that_is_closed_starts_nothing(app: App) -> None:
    call = app.start(app.action(count), to=1)

    call.close()

    with pytest.raises(RuntimeError, match="cannot reuse"):
        await call


async def test_an_error_can_be_raised_in_a_call(app: App) -> None:
    call = app.start(app.action(count), to=1)

    with pytest.raises(UsageError, match="thrown"):
        call.throw(UsageError("thrown"))
