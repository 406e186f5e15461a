"""Tasks with an owner: the one module that creates tasks without a group.

A run belongs to no request and to no other run: a run that fails affects no other. So each
has its own task, which its worker owns until it has ended.
"""

import asyncio
import logging
import types
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from typing import Any, Final, cast

from yieldwire.errors.debug import cut

_RAISED_BY_CLEANUP: Final = (Exception, BaseExceptionGroup, asyncio.CancelledError, GeneratorExit)
"""What a closed coroutine can raise: `RuntimeError`, if its cleanup waits, and more."""

logger: Final = logging.getLogger("yieldwire.worker")


@types.coroutine
def give_way() -> Generator[None, None, None]:
    """Give every other task a turn, as ``asyncio.sleep(0)`` does with a step more."""
    yield


class Tasks:
    """Tasks with an owner: kept until they end, waited for or cancelled at the close."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()
        self._is_stopped = False

    def __len__(self) -> int:
        return len(self._tasks)

    def own(
        self,
        coroutine: Coroutine[Any, Any, Any],
        then: Callable[..., object] | None = None,
        *arguments: object,
    ) -> asyncio.Task[Any]:
        """Run ``coroutine`` in a task; an unhandled error is logged.

        Then call ``then`` with ``arguments`` and the task.
        """
        task = asyncio.get_running_loop().create_task(coroutine)
        if self._is_stopped:
            task.cancel()
        self._tasks.add(task)
        # One callback for both: each callback is a step of the loop, for every run.
        task.add_done_callback(self.ended if then is None else _End(self, then, arguments))
        return task

    def ended(self, task: asyncio.Task[Any]) -> None:
        """Drop a task that has ended, and log its error."""
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task failed", exc_info=cut(error))

    async def wait(self, timeout: float | None) -> None:
        """Return when every task has ended, or after ``timeout`` seconds if there is one."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)

    def stop(self) -> None:
        """Cancel every task, also those that are created from now on."""
        self._is_stopped = True
        for task in self._tasks:
            task.cancel()

    async def cancel(self, within: float | None = None) -> None:
        """Cancel every task, and wait for their ends, at most ``within`` seconds if given.

        A task that ignores its cancellation for longer continues without an owner.
        """
        self.stop()
        await self.wait(within)
        self._tasks.clear()

    def abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Abandon every task of a ``loop`` that is gone; in a loop that can resume, cancel them."""
        if not loop.is_closed():
            loop.call_soon_threadsafe(self.stop)
            return
        self._is_stopped, tasks = True, list(self._tasks)
        self._tasks.clear()
        for task in tasks:
            # Nobody can end it any more, so its deletion must not log a warning.
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
            with suppress(*_RAISED_BY_CLEANUP):
                cast("Coroutine[Any, Any, Any]", task.get_coro()).close()


class _End:
    """What follows a task. A `partial` takes four times the memory, in each open run."""

    __slots__ = ("_arguments", "_tasks", "_then")

    def __init__(
        self, tasks: Tasks, then: Callable[..., object], arguments: tuple[object, ...]
    ) -> None:
        self._tasks, self._then, self._arguments = tasks, then, arguments

    def __call__(self, task: asyncio.Task[Any]) -> None:
        self._tasks.ended(task)
        self._then(*self._arguments, task)
