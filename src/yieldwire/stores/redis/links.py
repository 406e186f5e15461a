"""The connections of one store: one writes, one reads, one listens. They open when needed.

They belong to the event loop of the first call. A store that is opened for another loop drops
them, and the first call there opens new ones.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from yieldwire.stores.opening import Openings
from yieldwire.stores.redis.link import Link
from yieldwire.stores.redis.server import Connection, Server
from yieldwire.tasks import Tasks

T = TypeVar("T")


class RedisLinks:
    """The links of one store, and the tasks that do their work.

    ``on_connect`` is called when one of them has connected, before it asks anything.
    """

    def __init__(self, server: Server, on_connect: Callable[[], None] = lambda: None) -> None:
        self.server: Final = server
        self._on_connect = on_connect
        self.openings: Final = Openings(self._end)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: Tasks | None = None
        self._writer: Link | None = None
        self._reader: Link | None = None

    @property
    def tasks(self) -> Tasks:
        """The tasks of the store.

        Raises:
            StoreError: If the store is closed.
        """
        if self._tasks is None:
            self.openings.begin()
            self._loop = asyncio.get_running_loop()
            self._tasks = Tasks()
        return self._tasks

    @property
    def writer(self) -> Link:
        """The link for steps, which are small.

        Raises:
            StoreError: If the store is closed.
        """
        if self._writer is None:
            self._writer = Link(self.server, self.tasks, self._on_connect)
        return self._writer

    @property
    def reader(self) -> Link:
        """The link for what only reads, and can be large.

        Raises:
            StoreError: If the store is closed.
        """
        if self._reader is None:
            self._reader = Link(self.server, self.tasks, self._on_connect)
        return self._reader

    async def connect(self) -> Connection:
        """Return a connection of its own, for who listens.

        Raises:
            StoreError: If the server cannot be used.
        """
        connection = await self.server.connect()
        self._on_connect()
        return connection

    def begin(self, work: Awaitable[T]) -> "asyncio.Future[T]":
        """Do ``work`` in a task, and return the future of its outcome.

        Raises:
            StoreError: If the store is closed.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self.tasks.own(_do(work, done))
        return done

    async def whole(self, work: Awaitable[T]) -> T:
        """Return the result of ``work``. A cancellation waits until it is done."""
        done = self.begin(work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            if not done.done():
                await asyncio.wait({done})
            raise

    async def _end(self) -> None:
        """Close every connection, after the requests that are queued."""
        tasks, links = self._tasks, (self._reader, self._writer)
        try:
            if self._loop is not None and self._loop is not asyncio.get_running_loop():
                if tasks is not None:
                    tasks.abandon(self._loop)  # and what they hold goes with them
                return
            for link in links:
                if link is not None:
                    await link.close()
            if tasks is not None:
                await tasks.cancel()
            await self.server.close()
        finally:
            self._tasks = self._writer = self._reader = self._loop = None


async def _do(work: Awaitable[T], done: "asyncio.Future[T]") -> None:
    try:
        result = await work
    except asyncio.CancelledError:
        done.cancel()
        raise
    except Exception as exc:  # noqa: BLE001 - passed to the caller
        if not done.done():
            done.set_exception(exc)
    else:
        if not done.done():
            done.set_result(result)
