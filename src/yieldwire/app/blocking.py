"""A run whose events come from a block of blocking code, such as a job of Celery."""

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from yieldwire.actions.track import reporting_to
from yieldwire.app.producing import Producer, Producing
from yieldwire.errors import RunCancelled
from yieldwire.loopthread import LoopThread
from yieldwire.tasks import Tasks


class BlockingProducer:
    """A `Producer` for blocking code. See there."""

    def __init__(self, loop: LoopThread, producer: Producer) -> None:
        self._loop, self._producer = loop, producer

    @property
    def run_id(self) -> str:
        """The run."""
        return self._producer.run_id

    @property
    def arguments(self) -> Mapping[str, Any]:
        """The validated input, by the names of the action's parameters."""
        return self._producer.arguments

    @property
    def is_cancelled(self) -> bool:
        """Whether the run was asked to stop, or this attempt has lost it."""
        return self._producer.is_cancelled

    def send(self, chunk: object) -> None:
        """Send a chunk. Waits while the log is too far behind.

        Raises:
            RunCancelled: If the run was asked to stop.
        """
        self._loop.run(self._producer.send(chunk))

    def check_cancelled(self) -> None:
        """Raise `RunCancelled` if the run was asked to stop; call it in long work."""
        if self.is_cancelled:
            raise RunCancelled

    def finish(self, result: object) -> None:
        """Set the run's result, which is written when the block ends."""
        self._producer.finish(result)


class BlockingProducing:
    """Lets blocking code produce runs, on an event loop in a thread of its own.

    The thread starts with the first run, in each process: job systems fork. ``open`` and ``close``
    are called in its event loop.
    """

    def __init__(
        self,
        producing: Producing,
        *,
        open: Callable[[], Coroutine[Any, Any, None]],
        close: Callable[[], Coroutine[Any, Any, None]],
    ) -> None:
        self._producing, self._open, self._close = producing, open, close
        self._loop: LoopThread | None = None
        self._process = 0
        self._starting = threading.Lock()

    def _thread(self) -> LoopThread:
        with self._starting:
            if self._loop is None or self._process != os.getpid():
                loop = LoopThread("yieldwire-producer")
                loop.run(self._open())
                self._loop, self._process = loop, os.getpid()
                atexit.register(self._end, loop, self._process)
            return self._loop

    def _end(self, loop: LoopThread, process: int) -> None:
        if process == os.getpid():  # not in a process that was forked later
            loop.close(self._close())

    @contextmanager
    def produce(self, run_id: str, /) -> Generator[BlockingProducer, None, None]:
        """Execute a pending run as the block of code that follows; see `Producing.produce`.

        If the run is asked to stop, the next `BlockingProducer.send` raises `RunCancelled`, and a
        loop in `track` is left.

        Raises:
            NotFound: If there is no such run.
            Conflict: If it is not pending: another job has begun it, or it has ended.
            RunCancelled: If the run was asked to stop, or this process has lost it.
        """
        loop = self._thread()
        session = _Session(self._producing, run_id)
        begun = loop.run(session.begin())
        try:
            with reporting_to(begun.reporter):
                yield BlockingProducer(loop, begun)
        except BaseException as exc:
            with suppress(RunCancelled):
                loop.run(session.end(exc))
            if isinstance(exc, asyncio.CancelledError) and begun.is_cancelled:
                raise RunCancelled from None  # a loop in `track` has stopped
            raise
        loop.run(session.end(None))


class _Session:
    """One block of blocking code, as the event loop sees it."""

    def __init__(self, producing: Producing, run_id: str) -> None:
        self._producing, self._run_id = producing, run_id
        self._tasks = Tasks()
        self._began: asyncio.Future[Producer]
        self._left: asyncio.Future[BaseException | None]
        self._raised: BaseException | None = None

    async def begin(self) -> Producer:
        loop = asyncio.get_running_loop()
        self._began, self._left = loop.create_future(), loop.create_future()
        self._tasks.own(self._live(), self._see_end)
        return await self._began

    async def _live(self) -> None:
        try:
            async with self._producing.produce(self._run_id) as producer:
                self._began.set_result(producer)
                await self._stay()
        except BaseException as exc:  # noqa: BLE001 - raised to the thread
            self._raised = exc

    async def _stay(self) -> None:
        try:
            error = await asyncio.shield(self._left)
        except asyncio.CancelledError:
            await asyncio.wait({self._left})  # a thread cannot be cancelled
            raise
        if error is not None:
            raise error

    def _see_end(self, _: object) -> None:
        if not self._began.done():
            self._began.set_exception(self._raised or RunCancelled())

    async def end(self, error: BaseException | None) -> None:
        self._left.set_result(error)
        await self._tasks.wait(None)
        if self._raised is not None and self._raised is not error:
            raise self._raised
