"""An application whose server is killed in the middle of a run, which the next one continues.

``STORE`` is the kind of its store, ``NAME`` where that is, and ``SPACE`` the part of it that
belongs to this application.
"""

import asyncio
import os
from collections.abc import AsyncIterator

from tests.support.story import Log, caller_of, text
from yieldwire import Actions, Context, Result, Text, Timing
from yieldwire.stores import RunStore
from yieldwire.stores.postgres import PostgresStore
from yieldwire.stores.redis import RedisStore
from yieldwire.stores.sqlite import SQLiteStore


def store_of(kind: str, name: str, space: str) -> RunStore:
    """Return a store of a kind."""
    if kind == "valkey":
        return RedisStore(name, prefix=space)
    if kind == "postgresql":
        return PostgresStore(name, schema=space)
    return SQLiteStore(name or "runs.db")


actions = Actions(
    store=store_of(
        os.environ.get("STORE", "sqlite"),
        os.environ.get("NAME", "runs.db"),
        os.environ.get("SPACE", ""),
    ),
    timing=Timing(lease=1.0, sweep_every=0.1, grace=0.0),
    identify=caller_of,
)


@actions.action(retries=1, linger=None)
async def climb(ctx: Context) -> AsyncIterator[Text | Result[int]]:
    """Climb to the first rest, on to a place at which the server is lost, and on from the rest."""
    if ctx.saved is None:
        yield Text("1.1 ")
        ctx.save("rested")
        yield Text("1.2 ")
        await asyncio.Event().wait()
    yield Text(f"{ctx.attempt}.2 ")
    yield Result(ctx.attempt)


BEFORE: Log = [(1, "chunk", text("1.1 ")), (2, "chunk", text("1.2 "))]
AFTER: Log = [
    (3, "restarted", {"attempt": 2, "keep": 1}),
    (4, "chunk", text("2.2 ")),
    (5, "done", {"result": 2}),
]
