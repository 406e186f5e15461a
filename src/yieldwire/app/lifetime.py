"""Opening, closing and opening again, in any event loop.

Theory of operation. Everything that an application holds while it is open belongs to one event
loop, and to one `Opening`: the worker, the tasks, the resources, the readers. `Lifetime` holds
the current one, and opens and closes it in separate tasks: the request that happens to come
first can be cancelled without affecting others. A loop that is gone without a close takes its
opening with it; the next one settles its unfinished runs.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from contextvars import Context, copy_context

from yieldwire.app.opening import Openable, Opening
from yieldwire.errors import Unavailable, UsageError
from yieldwire.executors.worker import Left
from yieldwire.tasks import Tasks


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
        self.is_closed: bool = False
        """Whether it was closed, and not opened since."""
        self.is_closing: bool = False
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

    def here(self) -> Opening | None:
        """Return the opening of the running event loop, if there is one."""
        opening = self._opening
        return opening if opening and opening.loop is asyncio.get_running_loop() else None

    async def ready(self) -> Opening:
        """Return the opening of this event loop; open one unless the application was closed.

        Raises:
            StoreError: If the store cannot be used; a later call tries again.
            Unavailable: If the application is closed.
            UsageError: If the application is open in another event loop, which is running.
        """
        if (opening := self.here()) is not None:
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
