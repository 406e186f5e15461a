"""Work in a thread is done before anybody continues, however often its caller is cancelled."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from yieldwire.runs.blocking import carry_out


async def test_a_cancelled_caller_waits_until_the_work_is_done() -> None:
    begun, may_end, steps = threading.Event(), threading.Event(), list[str]()

    def work() -> None:
        begun.set()
        may_end.wait(30)
        steps.append("done")

    async def wait() -> None:
        try:
            await carry_out(work)
        finally:
            steps.append("told")

    async with asyncio.timeout(30):
        task = asyncio.ensure_future(wait())  # noqa: TID251 - cancelled by hand
        await asyncio.to_thread(begun.wait, 30)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        may_end.set()
        await asyncio.wait({task})

    assert task.cancelled()
    assert steps == ["done", "told"]


def fails() -> int:
    raise ValueError("no")


@pytest.mark.parametrize("work", [lambda: 3, fails])
async def test_what_comes_of_the_work_comes_back(work: Callable[[], int]) -> None:
    if work is fails:
        with pytest.raises(ValueError, match="no"):
            await carry_out(work)
    else:
        assert await carry_out(work) == 3
