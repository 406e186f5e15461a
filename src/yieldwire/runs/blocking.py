"""Blocking work in threads, which a cancellation does not leave half done."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import TypeVar

T = TypeVar("T")


async def carry_out(work: Callable[[], T], pool: Executor | None = None) -> T:
    """Do ``work`` in a thread. A cancellation waits until it is done."""
    context = copy_context()
    done = asyncio.get_running_loop().run_in_executor(pool, partial(context.run, work))
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        while not done.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait({done})
        if not done.cancelled():
            done.exception()  # marks it as retrieved
        raise
