"""A wall clock that is set, while runs continue, changes only the times that are shown."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.runs import SOON, opened
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.log.chunks import Result
from yieldwire.log.events import EventType
from yieldwire.log.run import Status
from yieldwire.testing.clock import MovingClock

DAY = 86_400.0
TIMING = Timing(sweep_every=3600.0, lease=10.0, grace=0.0)


@pytest.mark.parametrize("jump", [DAY, -DAY, 10_000 * DAY])
async def test_a_run_continues_over_a_clock_that_jumps(tmp_path: Path, jump: float) -> None:
    clock, go_on = MovingClock(), asyncio.Event()
    app = App(store=f"sqlite:///{tmp_path / 'runs.db'}", timing=TIMING, clock=clock)

    @app.action(linger=None, retries=3, retention=100.0)
    async def wait() -> AsyncIterator[int | Result[str]]:
        yield 1
        await go_on.wait()
        yield Result("done")

    async with asyncio.timeout(SOON), opened(app):
        run = await app.start(wait)
        await app.reader(run.id).first(SOON)

        for _ in range(3):
            clock.jump(jump)
            await app.sweep()
        go_on.set()
        events = [event.type async for event in run.events()]
        clock.jump(-jump)
        await app.sweep()

        kept = await app.store.get(run.id)
    assert events == [EventType.CHUNK, EventType.DONE]
    assert (kept.status, kept.attempt, kept.cancel_reason) == (Status.COMPLETED, 1, None)
