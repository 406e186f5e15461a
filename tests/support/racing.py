"""An application that asks, for answers that race with each other, with the clock and with kills.

``RUNS_FILE`` is the store's file.
"""

import os
from collections.abc import AsyncIterator

from tests.support.notes import LEASE, SWEEP
from yieldwire import Actions, Context, Result, Timing
from yieldwire.errors import AnswerTimedOut
from yieldwire.stores.sqlite import SQLiteStore

LATE = -1
"""What the action makes of a question that nobody has answered in time."""

actions = Actions(
    store=SQLiteStore(os.environ.get("RUNS_FILE", "runs.db")),
    timing=Timing(lease=LEASE, sweep_every=SWEEP, keepalive=0.3, grace=0.0),
)


@actions.action(asks=int, linger=None, retries=1000)
async def race(
    ctx: Context, timeouts: list[float | None]
) -> AsyncIterator[int | Result[list[int]]]:
    """Ask one question after another, each with its own time for an answer."""
    found = list[int]()
    for place, timeout in enumerate(timeouts):
        yield place
        try:
            found.append(await ctx.ask(int, f"{place}?", timeout=timeout))
        except AnswerTimedOut:
            found.append(LATE)
    yield Result(found)
