"""A server and a worker in which everything happens that their metrics count."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from tests.support.calls import get, post, send
from tests.support.runs import SOON, outcome
from yieldwire import Actions, Retry, Timing
from yieldwire.errors import StoreError
from yieldwire.hooks import Hooks
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock

WAIT: Final = 3.0
"""How long a run has waited in its queue, in seconds."""
EVENTS: Final = 100


class Away(SQLiteStore):
    """A store that fails when a reader says that it is there."""

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        raise StoreError("no answer")


async def count(to: int) -> AsyncIterator[int]:
    for number in range(to - 1):
        yield number


async def fail() -> None:
    raise OSError


async def report() -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


async def measure(hook: Hooks, folder: Path) -> None:
    """Let it happen, and the hook be told. One attempt and one reader remain."""
    clock = MovingClock()
    store = Away(folder / "runs.db", clock=clock)
    timing = Timing(sweep_every=10 * SOON, grace=0.0)
    server, worker = [
        Actions(store=store, clock=clock, timing=timing, hooks=[hook]) for _ in range(2)
    ]
    for actions in (server, worker):
        actions.action(linger=1.0)(count)
        actions.action(retries=Retry(1, backoff=0.001, on=[OSError]))(fail)
        actions.action(queue="reports", linger=None)(report)
    worker.app.working.take_from(["reports"])
    counted, failing, reported = map(server.app.registry.action_named, ("count", "fail", "report"))
    async with server.lifespan():
        await send(server, post("/count", {"to": EVENTS}, [("accept", "text/event-stream")]))
        await send(server, post("/count", {"to": "many"}))
        run = await server.start(counted, {"to": EVENTS})
        await outcome(run)
        await send(server, get(f"/runs/{run.id}/events", [("last-event-id", f"{run.id}.3")]))
        await outcome(await server.start(failing))
        waiting = await server.start(reported)
        clock.advance(WAIT)
        async with worker.lifespan(), asyncio.timeout(SOON):
            async for _ in waiting:
                break
