"""Opening, closing and opening again, in any event loop.

Theory of operation. Everything that an application holds while it is open belongs to one event
loop, and to one `Opening`: the worker, the tasks, the resources, the readers. It is discarded
as a whole at the close. `Lifetime` holds the current one, and opens and closes it in separate
tasks: the request that happens to come first can be cancelled without affecting others. A loop
that is gone without a close takes its opening with it; the next one settles its unfinished runs.
"""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from contextvars import Context, copy_context
from typing import Any, Final, Protocol

from yieldwire.actions.registry import Registry
from yieldwire.actions.resource import Resource
from yieldwire.actions.resources import Resources
from yieldwire.clock import Timing
from yieldwire.errors import StoreError, Unavailable, UsageError
from yieldwire.executors import Executor, Prepared
from yieldwire.executors.tasks import Tasks
from yieldwire.executors.worker import Left, Worker
from yieldwire.runs.reader import Reader
from yieldwire.stores import RunStore

logger = logging.getLogger("yieldwire.app")

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
        self.at_end: Final = ExitStack()
        """Undone at the close, also when the loop is gone."""
        self.holders = 0
        """How many lifespans share it; the last one to end closes it."""
        self._resources = Resources()
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
        """Make sure that a pending run is executed; if the executor fails, a sweep tries again."""
        try:
            await self._app.executor.enqueue(run_id, prepared)
        except Exception:
            logger.exception("the run was not enqueued", extra={"run_id": run_id})
        finally:
            if prepared is not None:
                prepared.close()

    @property
    def opened(self) -> Mapping[Resource[Any], Any]:
        """The values of the resources that are open."""
        return self._resources.opened

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


class Lifetime:
    """The current opening of an application, opened on demand."""

    def __init__(self, app: Openable) -> None:
        self._app = app
        self._context = copy_context()
        self._tasks = Tasks()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._opening: Opening | None = None
        self._candidate: Opening | None = None
        self._ready: asyncio.Future[Opening] | None = None
        self._beginning: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._left: Left = {}
        self.is_closed = False
        """Whether it was closed, and not opened since."""
        self.is_closing = False
        """Whether it accepts no new runs: it is stopping, or is closed."""

    async def open(self) -> Opening:
        """Return the opening of this event loop; if there is none, open one, also after a close.

        Raises:
            StoreError: If the store cannot be used; a later call tries again.
            UsageError: If the application is open in another event loop, which is running.
        """
        self._leave_other_loop()
        while self._closing is not None:
            await asyncio.shield(self._closing)
        if self._opening is None and self._ready is None:
            self.is_closed = self.is_closing = False
        return await self._begun(copy_context())

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None, None]:
        """Open now, and close at the end unless another holder remains.

        Raises:
            StoreError: If the store cannot be used.
            UsageError: If the application is open in another event loop, which is running.
        """
        opening = await self.open()
        opening.holders += 1
        try:
            yield
        finally:
            opening.holders -= 1
            if not opening.holders and self._opening in {opening, None}:
                await self.close()

    @property
    def here(self) -> Opening | None:
        """The opening of the running event loop, if there is one."""
        opening = self._opening
        return opening if opening and opening.loop is asyncio.get_running_loop() else None

    async def ready(self) -> Opening:
        """Return the opening of this event loop; open one unless the application was closed.

        Raises:
            StoreError: If the store cannot be used; a later call tries again.
            Unavailable: If the application is closed.
            UsageError: If the application is open in another event loop, which is running.
        """
        if (opening := self.here) is not None:
            return opening
        self._leave_other_loop()
        if self.is_closed or self._closing is not None:
            raise Unavailable("The server has stopped.")
        # It belongs to no request, so it must not inherit the first request's context.
        return await self._begun(self._context.copy())

    @property
    def current(self) -> Opening:
        """The opening.

        Raises:
            Unavailable: If the application is closed.
            UsageError: If it was never opened.
        """
        if self._opening is not None:
            return self._opening
        if self.is_closed:
            raise Unavailable("The server has stopped.")
        raise UsageError("The application is not open; await app.open() first.")

    async def _begun(self, context: Context) -> Opening:
        if self._opening is not None:
            return self._opening
        if self._ready is None:
            self._loop = asyncio.get_running_loop()
            self._ready = ready = self._loop.create_future()
            self._beginning = context.run(self._tasks.own, self._begin(ready))
        return await asyncio.shield(self._ready)

    async def _begin(self, ready: "asyncio.Future[Opening]") -> None:
        self._candidate = opening = Opening(self._app)
        error: BaseException = Unavailable("The server has stopped.")
        try:
            await opening.begin(self._left)
            if ready.done():  # a close stopped waiting for it
                await opening.close()
            else:
                self._opening, self._left = opening, {}
                ready.set_result(opening)
        except asyncio.CancelledError:
            if not self.is_closing:
                error = UsageError("A resource was cancelled while it was opened.")
            raise
        except Exception as exc:  # noqa: BLE001 - raised to everybody who waits for the opening
            error = exc
        finally:
            self._end_beginning(ready, error)

    def _end_beginning(self, ready: "asyncio.Future[Opening]", error: BaseException) -> None:
        if not ready.done():
            ready.set_exception(error)
            ready.exception()  # marks it as retrieved
        if self._ready is ready:
            self._candidate = self._ready = self._beginning = None

    def drain(self) -> None:
        """Accept no new runs, and let every reader end at its next block."""
        self.is_closing = True
        if self._opening is not None and not self._opening.loop.is_closed():
            self._opening.drain()

    def force_shutdown(self) -> None:
        """Make the current or the next close give running actions no more time."""
        if self._opening is not None:
            self._opening.worker.force_shutdown()

    async def close(self) -> None:
        """Close what is open, in a separate task: cancelling a caller changes nothing.

        Raises:
            UsageError: If the application is open in another event loop, which is running.
        """
        self._leave_other_loop()
        self.drain()
        if self._closing is None:
            if self.is_closed:
                return
            self._loop = asyncio.get_running_loop()
            self._closing = self._tasks.own(self._close())
        await asyncio.shield(self._closing)

    async def _close(self) -> None:
        try:
            if self._beginning is not None and (ready := self._ready) is not None:
                self._beginning.cancel()
                await asyncio.wait({self._beginning}, timeout=self._app.timing.grace)
                self._end_beginning(ready, Unavailable("The server has stopped."))
            if self._opening is not None:
                await self._opening.close()
            else:
                await self._app.store.close()
        finally:
            if self._opening is not None:
                self._left = self._opening.worker.left()
            self._opening = self._closing = self._loop = None
            self.is_closed = True

    def _leave_other_loop(self) -> None:
        """Abandon what was open in an event loop that is gone without a close."""
        loop = self._loop
        if loop is None or loop is asyncio.get_running_loop():
            return
        if loop.is_running():
            raise UsageError(
                "The application is open in another event loop, which is running: call it from "
                "there, or close it there first. From other threads use a client."
            )
        opening, tasks, self._tasks = self._opening or self._candidate, self._tasks, Tasks()
        was_closed = self.is_closed or self._closing is not None
        self._opening = self._candidate = self._ready = None
        self._beginning = self._closing = self._loop = None
        self.is_closed = True  # code that is cut off there can clean up, but opens nothing here
        try:
            if opening is not None:
                self._left = self._left | opening.abandon()
            tasks.abandon(loop)
        finally:
            self.is_closed = self.is_closing = was_closed
