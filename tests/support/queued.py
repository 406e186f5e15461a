"""An application whose runs wait for workers, and which notes aside when its actions start.

``STORE`` says where its runs are kept, ``ENGINE`` how they reach workers, and ``NOTES_FILE`` is
the file for the notes.
"""

import asyncio
import os
from collections.abc import AsyncIterator

from tests.support.engines import engine_for
from tests.support.notes import LEASE, SWEEP
from yieldwire import Actions, Context, Timing

actions = Actions(
    store=os.environ["STORE"],
    executor=engine_for(os.environ["ENGINE"], os.environ["STORE"]),
    timing=Timing(lease=LEASE, sweep_every=SWEEP, grace=0.0),
    max_runs=None,
)
_notes = os.open(os.environ["NOTES_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str, ctx: Context) -> None:
    """Write a line that a kill cannot take back."""
    os.write(_notes, f"{what} {ctx.run_id} {ctx.attempt}\n".encode())


@actions.action(queue="once", linger=None)
async def once(ctx: Context, n: int) -> AsyncIterator[int]:
    """Count to n, once."""
    async for number in _count(ctx, n):
        yield number


@actions.action(queue="again", linger=None, retries=1000)
async def again(ctx: Context, n: int) -> AsyncIterator[int]:
    """Count to n, from the beginning where that was interrupted."""
    async for number in _count(ctx, n):
        yield number


async def _count(ctx: Context, n: int) -> AsyncIterator[int]:
    note("started", ctx)
    for number in range(n):
        yield number
        await asyncio.sleep(0.01)
    note("ended", ctx)
