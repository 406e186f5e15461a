"""Connections of Django's database: one for each run, closed with it, as one for each request is.

Theory of operation. Django keeps a connection for each thread. `sync_to_async`, which the
asynchronous ORM calls, has a thread for each `ThreadSensitiveContext`, such as a request; a run
gets one of its own, because it outlives the request that starts it. A blocking action has a
thread anyway.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from asgiref.sync import SyncToAsync, ThreadSensitiveContext, sync_to_async
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
    context = ThreadSensitiveContext()
    # Not by entering it, which has no effect within the context of the request that starts a run.
    context.token = SyncToAsync.thread_sensitive_context.set(context)
    try:
        await sync_to_async(close_old_connections)()
        yield
    finally:
        try:
            await sync_to_async(release)()
        finally:
            await context.__aexit__(None, None, None)  # type: ignore[no-untyped-call]


async def own_connections(_: Context) -> AsyncIterator[None]:
    """Give each attempt connections of its own: middleware of every action."""
    AT_THREAD_END.set((release,))
    async with own_thread():
        yield
