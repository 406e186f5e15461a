"""Connections of Django's database: one for each run, closed with it, as one for each request is.

Theory of operation. Django keeps a connection for each thread. `sync_to_async`, which the
asynchronous ORM calls, has a thread for each `ThreadSensitiveContext`, such as a request; a run
gets one of its own, because it outlives the request that starts it. A blocking action has a
thread anyway.
"""

# Django has no types.
# pyright: reportMissingTypeStubs=false

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import close_old_connections, connections

from yieldwire.actions.context import Context
from yieldwire.executors.thread import AT_THREAD_END


def release() -> None:
    """Close the connections of this thread, which ends. Not in a transaction: that is a test's."""
    for connection in connections.all(initialized_only=True):
        if not connection.in_atomic_block:
            connection.close()


@asynccontextmanager
async def own_thread() -> AsyncGenerator[None, None]:
    """Give the calls of the ORM a thread of their own, and close its connections."""
    async with ThreadSensitiveContext():
        await sync_to_async(close_old_connections)()
        try:
            yield
        finally:
            await sync_to_async(release)()


async def own_connections(_: Context) -> AsyncIterator[None]:
    """Give each attempt connections of its own: middleware of every action."""
    AT_THREAD_END.set((*AT_THREAD_END.get(), release))
    async with own_thread():
        yield
