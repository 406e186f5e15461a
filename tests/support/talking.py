"""An application whose runs wait for workers, count, and ask; it notes when its actions start.

``STORE`` says where its runs are kept, ``NOTES_FILE`` is the file for the notes, ``LEASE`` how many
seconds a worker can be silent.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Final

from yieldwire import Actions, Context, RequestLimits, Result, Timing

SWEEP: Final = 0.2
PAUSE: Final = 0.01

actions = Actions(
    store=os.environ["STORE"],
    timing=Timing(lease=float(os.environ["LEASE"]), sweep_every=SWEEP, keepalive=0.3, grace=0.0),
    request_limits=RequestLimits(streams=10_000),
    max_runs=None,
)
_notes = os.open(os.environ["NOTES_FILE"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(what: str, ctx: Context) -> None:
    """Write a line that a kill cannot take back."""
    os.write(_notes, f"{what} {ctx.run_id} {ctx.attempt}\n".encode())


@actions.action(queue="once", linger=None)
async def once(ctx: Context, n: int) -> AsyncIterator[str | Result[int]]:
    """Count to n, once."""
    async for chunk in _count(ctx, n):
        yield chunk


@actions.action(queue="again", linger=None, retries=1000)
async def again(ctx: Context, n: int) -> AsyncIterator[str | Result[int]]:
    """Count to n, from the beginning where that was interrupted."""
    async for chunk in _count(ctx, n):
        yield chunk


@actions.action(queue="again", linger=None, retries=1000, asks=int)
async def ask(ctx: Context, n: int) -> AsyncIterator[str | Result[int]]:
    """Count to what somebody answers, which is about n."""
    n = await ctx.ask(int, f"How far, about {n}?")
    async for chunk in _count(ctx, n):
        yield chunk


async def _count(ctx: Context, n: int) -> AsyncIterator[str | Result[int]]:
    note("started", ctx)
    try:
        for number in range(n):
            yield f"{number} " + "line\nbreak\n\nü€😀" * (number % 5)
            await asyncio.sleep(PAUSE)
        yield Result(n)
    finally:
        note("left", ctx)
