"""Everything that an application holds while it is open, in one event loop.

It is discarded as a whole at the close. See `Lifetime` for when that is.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from typing import Any, Final, Protocol

from yieldwire.actions.registry import Registry
from yieldwire.actions.resource import Resource
from yieldwire.actions.resources import Resources
from yieldwire.clock import Timing
from yieldwire.errors import StoreError, UsageError
from yieldwire.executors import Executor, Prepared
from yieldwire.executors.worker import Left, Worker
from yieldwire.runs.reader import Reader
from yieldwire.stores import RunStore
from yieldwire.tasks import Tasks

logger: Final = logging.getLogger("yieldwire.app")

SHARE: Final = 0.1
"""The part of the grace time that is reserved for closing resources and the store."""
LEAST: Final = 0.25
"""Minimum seconds for closing the resources, and then the store."""


class Openable(Protocol):
    """An application, as its opening needs it."""

    @property
    def store(self) -> RunStore:
        """Where its runs are kept."""
        ...

    @property
    def timing(self) -> Timing:
        """How long things can take."""
        ...

    @property
    def registry(self) -> Registry:
        """Its actions and resources."""
        ...

    async def prepare(self) -> None:
        """Make the store ready to use; raise `StoreError` if it cannot be."""
        ...

    @property
    def executor(self) -> Executor:
        """Decides where its runs are executed."""
        ...

    def new_worker(self, resources: Mapping[Resource[Any], Any]) -> Worker:
        """Return a worker in the running loop, whose actions can use ``resources``."""
        ...

    def enter(self, opening: "Opening", /) -> None:
        """Add objects that live as long as ``opening``, which is complete."""
        ...

    async def sweep(self) -> None:
        """Run time-based maintenance once."""
        ...


class Opening:
    """Everything that an application holds in one event loop, from `begin` to `close`."""

    def __init__(self, app: Openable) -> None:
        self._app = app
        self.loop: Final = asyncio.get_running_loop()
        self.tasks: Final = Tasks()
        self.readers: Final[set[Reader]] = set()
        self.at_drain: Final[list[Callable[[], object]]] = []
        """Called when this process starts no more runs."""
        self.ending: Final[set[asyncio.Task[None]]] = set()
        """Tasks that end after `drain`, for which the close waits before it cancels all others."""
        self.at_end: Final = ExitStack()
        """Undone at the close, also when the loop is gone."""
        self.holders = 0
        """How many lifespans share it; the last one to end closes it."""
        self._resources = Resources()
        self.opened: Final[Mapping[Resource[Any], Any]] = self._resources.opened
        """The values of the resources that are open."""
        self._keeper: asyncio.Task[None] | None = None
        self._worker: Worker | None = None
        self._executor: Executor | None = None
        self._is_leaving = self._has_gone = False

    @property
    def worker(self) -> Worker:
        """The worker of this process.

        Raises:
            UsageError: If it has not started.
        """
        if self._worker is None:
            raise UsageError("The application is not open; await app.open() first.")
        return self._worker

    async def enqueue(self, run_id: str, prepared: Prepared | None = None) -> None:
        """Make sure that a run is executed; if the executor fails, a sweep tries again."""
        try:
            await self._app.executor.enqueue(run_id, prepared)
        except Exception:
            logger.exception("the run was not enqueued", extra={"run_id": run_id})
        finally:
            if prepared is not None:
                prepared.close()

    async def begin(self, left: Left) -> None:
        """Open everything, and settle the runs that an earlier opening has ``left``.

        Raises:
            StoreError: If the store cannot be used.
            Exception: Any error of a resource. Nothing stays open then.
        """
        app = self._app
        try:
            await app.store.open()
            await app.prepare()
            ready: asyncio.Future[None] = self.loop.create_future()
            keeping = self._resources.keep(app.registry.resources, ready)
            self._keeper = self.tasks.own(keeping, self._see_keeper_end)
            await ready
            self._worker = app.new_worker(self.opened)
            await app.executor.open(self._worker)
            self._executor = app.executor
            await self._worker.adopt(left)
            self.tasks.own(self._look_after_time())
            app.enter(self)
        except BaseException:
            if self._worker is not None:
                await self._worker.close(0)
            await self._close(self.loop.time())
            raise

    def _see_keeper_end(self, keeper: asyncio.Task[None]) -> None:
        if keeper.cancelled():  # by a loop that shuts down without a close, like `asyncio.run`
            self.at_end.close()

    async def _look_after_time(self) -> None:
        is_failing = False
        while not self._is_leaving:  # runs that a stopping process releases are for others
            await asyncio.sleep(self._app.timing.sweep_every)
            try:
                await self._app.sweep()
                is_failing = False
            except StoreError as exc:
                if not (is_failing or self._has_gone):  # logged once, however long it lasts
                    logger.warning("a sweep failed, and is retried: %s", exc)
                is_failing = True
            except Exception:
                if self._has_gone:  # its cleanup failed, because its event loop is gone
                    return
                logger.exception("a sweep failed; the next one tries again")

    def drain(self) -> None:
        """Let every reader end at its next block; stop the maintenance."""
        self._is_leaving = True
        while self.at_drain:
            self.at_drain.pop()()
        for reader in list(self.readers):
            reader.leave()

    async def close(self) -> None:
        """Let running actions finish, and be done within the grace time."""
        grace = self._app.timing.grace
        until = self.loop.time() + grace
        try:
            await self.worker.close(grace * (1 - SHARE))
        finally:
            await self._close(until)

    async def _close(self, until: float) -> None:
        """Close everything but the worker. Each step has its own time limit."""
        if self._has_gone:
            return

        def left() -> float:
            return max(until - self.loop.time(), LEAST)

        try:
            if self.ending:
                await asyncio.wait(self.ending, timeout=left())
            if self._executor is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(left()):
                        await self._executor.close()
            self._resources.close()
            if self._keeper is not None:
                await asyncio.wait({self._keeper}, timeout=left())
            await self.tasks.cancel(left())
        finally:
            self.at_end.close()
            if not self._has_gone:
                with suppress(TimeoutError):  # its queued work is done anyway
                    async with asyncio.timeout(left()):
                        await self._app.store.close()

    def abandon(self) -> Left:
        """Abandon everything, as the loop is gone; return the unfinished runs."""
        self._has_gone = True  # nothing here can wait any more
        self.at_end.close()
        self.tasks.abandon(self.loop)
        if self._worker is None:
            return {}
        self._worker.abandon(self.loop)
        return self._worker.left()
