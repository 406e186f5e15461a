"""Tasks that somebody owns until they end."""

import asyncio

import pytest

from tests.support.runs import SOON
from yieldwire.tasks import Tasks


async def test_a_task_is_owned_until_it_ends() -> None:
    tasks = Tasks()

    task = tasks.own(asyncio.sleep(0))
    owned = len(tasks)
    await task
    await asyncio.sleep(0)

    assert (owned, len(tasks)) == (1, 0)


async def test_an_error_that_nobody_handles_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    tasks = Tasks()

    async def fail() -> None:
        raise OSError("lost")

    tasks.own(fail())
    await tasks.wait(SOON)
    await asyncio.sleep(0)

    assert "a task failed" in caplog.text
    assert "lost" in caplog.text


async def test_tasks_are_cancelled_and_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    tasks, steps = Tasks(), list[str]()

    async def hang_and_clean_up() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            steps.append("cleaned up")

    tasks.own(hang_and_clean_up())
    await asyncio.sleep(0)
    await tasks.wait(0.01)
    still = len(tasks)
    await tasks.cancel()

    assert (still, steps, caplog.records) == (1, ["cleaned up"], [])


async def test_no_tasks_are_not_waited_for() -> None:
    async with asyncio.timeout(SOON):
        await Tasks().wait(10 * SOON)
        await Tasks().cancel()
