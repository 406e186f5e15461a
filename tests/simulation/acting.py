"""Two processes of one application, whose actions say what they do in numbers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

from pydantic import TypeAdapter

from yieldwire.actions.context import Context
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.app import App
from yieldwire.clock import Clock, Timing
from yieldwire.errors import ActionError
from yieldwire.executors import RunLimits
from yieldwire.log.chunks import Result
from yieldwire.stores import RunStore

TypeAdapter(int)  # Pydantic looks for its plugins once, in files, before any loop runs

TIMING: Final = Timing(keepalive=4.0, sweep_every=0.5, lease=3.0, grace=0.0)
CANCEL_WITHIN: Final = 1.0
TIME_LIMIT: Final = 6.0
RETRIES: Final = 2
KEEP: Final = 5


class Process:
    """One process's application. ``started`` counts, over all of them, how often runs began."""

    def __init__(self, store: RunStore, clock: Clock, started: Counter[str]) -> None:
        self.started = started
        self.app = App(
            store=store,
            timing=TIMING,
            run_limits=RunLimits(cancel_within=CANCEL_WITHIN, ahead_bytes=2_000),
            max_runs=None,
            clock=clock,
        )
        declare = self.app.action
        declare(linger=5.0, retention=60.0)(self.count)
        declare(linger=None, retries=RETRIES)(self.count_again)
        declare(linger=None, timeout=TIME_LIMIT)(self.hurry)
        declare(linger=3.0, retention=20.0)(self.push)
        declare(linger=None)(self.change)
        declare(linger=4.0)(self.answer)
        self.app.feed(linger=2.0, keep=KEEP)(self.feed)
        declare(linger=8.0)(self.clean_up_slowly)
        declare(linger=None)(self.fail)

    async def count(self, ctx: Context, n: int, pause: float) -> AsyncIterator[int | Result[int]]:
        self.started[ctx.run_id] += 1
        for number in range(n):
            yield number
            await asyncio.sleep(pause)
        yield Result(n)

    async def count_again(self, ctx: Context, n: int, pause: float) -> AsyncIterator[int]:
        self.started[ctx.run_id] += 1
        for number in range(n):
            yield number
            await asyncio.sleep(pause)

    async def hurry(self, ctx: Context, n: int, pause: float) -> AsyncIterator[int]:
        self.started[ctx.run_id] += 1
        for number in range(n):
            yield number
            await asyncio.sleep(pause)

    async def push(self, ctx: Context, n: int, pause: float, stream: Stream[int]) -> int:
        self.started[ctx.run_id] += 1

        async def help_out() -> None:
            await asyncio.sleep(pause)

        for number in range(n):
            await stream.send(number)
            await ctx.spawn(help_out())
        return n

    async def change(self, ctx: Context, n: int, pause: float, value: StreamableValue[int]) -> None:
        self.started[ctx.run_id] += 1
        for number in range(n):
            value.update(number)
            await asyncio.sleep(pause)
        value.done(n)

    async def answer(self, ctx: Context, n: int, pause: float) -> int:
        self.started[ctx.run_id] += 1
        await asyncio.sleep(n * pause)
        return n

    async def feed(self, ctx: Context, n: int, pause: float) -> AsyncIterator[int]:
        self.started[ctx.run_id] += 1
        for number in range(4 * n):
            yield number
            await asyncio.sleep(pause / 4)

    async def clean_up_slowly(self, ctx: Context, n: int, pause: float) -> AsyncIterator[int]:
        self.started[ctx.run_id] += 1
        try:
            for number in range(n):
                yield number
                await asyncio.sleep(pause)
        finally:
            await asyncio.sleep(3 * CANCEL_WITHIN)

    async def fail(self, ctx: Context, n: int, pause: float) -> AsyncIterator[int]:
        self.started[ctx.run_id] += 1
        for number in range(n):
            yield number
            await asyncio.sleep(pause)
        raise ActionError("BROKEN", "As it was asked to.")
