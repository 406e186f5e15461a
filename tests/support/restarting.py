"""An application whose server is killed while a tab, curl and a polling client follow its runs."""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from yieldwire import Actions, Context, Progress, Result, Text, Timing

STEPS = 60

actions = Actions(
    store=f"sqlite:///{Path(os.environ.get('RUNS', '.')) / 'runs.db'}",
    timing=Timing(lease=1.5, sweep_every=0.1),
)


async def steps(attempt: int, after: int = 0) -> AsyncIterator[Progress | Text]:
    for step in range(after + 1, STEPS + 1):
        await asyncio.sleep(0.05)
        yield Progress(step, total=STEPS, message=f"attempt {attempt}, step {step}")
        yield Text(f"{attempt}.{step} ")


@actions.action
async def once(ctx: Context) -> AsyncIterator[Progress | Text | Result[int]]:
    """Take some steps; never twice."""
    async for chunk in steps(ctx.attempt):
        yield chunk
    yield Result(ctx.attempt)


@actions.action(retries=3)
async def again(ctx: Context) -> AsyncIterator[Progress | Text | Result[int]]:
    """Take some steps, from the start if the server is lost."""
    async for chunk in steps(ctx.attempt):
        yield chunk
    yield Result(ctx.attempt)


@actions.action(retries=3)
async def onward(ctx: Context) -> AsyncIterator[Progress | Text | Result[int]]:
    """Take some steps, from the last one that was saved if the server is lost."""
    done = ctx.saved or 0
    async for chunk in steps(ctx.attempt, done):
        yield chunk
        if isinstance(chunk, Text):
            done += 1
            ctx.save(done)
    yield Result(ctx.attempt)
