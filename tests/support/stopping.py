"""An application that is stopped while its runs continue: alone, and mounted in another one."""

import asyncio
import os
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import HTTPConnection
from starlette.routing import Mount

from yieldwire import Actions, Context, RunLimits, Text, Timing, Upload
from yieldwire.asgi.requestlimits import RequestLimits

MANY = 1_000_000
"""Attempts or streams, where a test wants no limit on them."""
BASE = "/api/_actions"
PIECE = "x" * 50_000


async def identify(request: HTTPConnection) -> None:
    """Know nobody, and where the request says so, only when the process was told to stop."""
    if request.headers.get("x-late"):
        await closing()


async def closing() -> None:
    while not actions.app.is_closing:  # noqa: ASYNC110 - it is not an event
        await asyncio.sleep(0.01)


actions = Actions(
    store=f"sqlite:///{Path(os.environ.get('RUNS', '.')) / 'runs.db'}",
    identify=identify,
    timing=Timing(
        grace=float(os.environ.get("GRACE", "1")),
        lease=float(os.environ.get("LEASE", "2")),
        sweep_every=0.1,
    ),
    run_limits=RunLimits(cancel_within=0.5),
    request_limits=RequestLimits(streams=MANY),
    max_runs=None,
)
mounted = Starlette(routes=[Mount(BASE, actions)], lifespan=actions.lifespan)


@actions.action(retries=MANY)
async def tick(ctx: Context, until: float, pause: float) -> AsyncIterator[str]:
    """Say something every so often until a moment of the machine's monotonic clock."""
    number = 0
    while time.monotonic() < until:
        number += 1
        yield f"attempt {ctx.attempt}\n\ntick {number}"
        await asyncio.sleep(pause)


@actions.action
async def stay(ctx: Context) -> AsyncIterator[Text]:
    """Never end."""
    yield Text(f"attempt {ctx.attempt}")
    await asyncio.Event().wait()


@actions.action
async def finish_last() -> AsyncIterator[Text]:
    """End soon after the process was told to stop."""
    yield Text("before")
    await closing()
    yield Text("after")


@actions.action
def block() -> Iterator[Text]:
    """Never come back from a blocking call."""
    yield Text("blocking")
    threading.Event().wait()


@actions.action(retries=1)
async def digest(ctx: Context, file: Upload) -> AsyncIterator[str]:
    """Say what is in a file: at the second attempt only."""
    yield f"attempt {ctx.attempt}"
    if ctx.attempt == 1:
        await asyncio.Event().wait()
    yield (await file.read()).decode()


@actions.action
async def pour(pieces: int) -> AsyncIterator[str]:
    """Say a great deal, as fast as it is read."""
    for _ in range(pieces):
        yield PIECE
        await asyncio.sleep(0)
