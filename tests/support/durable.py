"""An application whose runs outlive its process, and which notes aside when its actions start.

``RUNS_STORE`` is the store's name, ``NOTES_FILE`` the file for the notes.
"""

import asyncio
import os
from collections.abc import AsyncIterator

from tests.support.notes import LEASE, SWEEP
from yieldwire import Actions, Context, RequestLimits, Result, Timing

actions = Actions(
    store=os.environ["RUNS_STORE"],
    timing=Timing(lease=LEASE, sweep_every=SWEEP, keepalive=0.3, grace=0.0),
    request_limits=RequestLimits(streams=10_000),
    max_runs=None,
)
_notes = os.open(os.environ["NOTES_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str, ctx: Context) -> None:
    """Write a line that a kill cannot take back."""
    os.write(_notes, f"{what} {ctx.run_id} {ctx.attempt}\n".encode())


@actions.action(linger=None)
async def count(ctx: Context, n: int, pause: float = 0.01) -> AsyncIterator[str | Result[int]]:
    """Count to n, once."""
    async for chunk in _count(ctx, n, pause):
        yield chunk


@actions.action(linger=None, retries=1000)
async def count_again(
    ctx: Context, n: int, pause: float = 0.01
) -> AsyncIterator[str | Result[int]]:
    """Count to n, from the beginning where that was interrupted."""
    async for chunk in _count(ctx, n, pause):
        yield chunk


@actions.feed(shared=True, linger=None)
async def follow(ctx: Context, topic: str) -> AsyncIterator[str]:
    """Follow a topic: one run for all readers."""
    note("started", ctx)
    yield topic
    await asyncio.Event().wait()


async def _count(ctx: Context, n: int, pause: float) -> AsyncIterator[str | Result[int]]:
    note("started", ctx)
    try:
        for number in range(n):
            yield f"{number} " + "line\nbreak\n\nü€😀" * (number % 12)
            await asyncio.sleep(pause)
        yield Result(n)
    finally:
        note("left", ctx)
