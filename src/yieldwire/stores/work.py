"""Work that a store does in its own tasks, and calls that are made together.

Theory of operation. A call that is cancelled must not leave a step half done, and many calls of
one moment must share a round trip. So the work is done in tasks that the store owns, and callers
wait for futures. While a batch of calls is under way, those that come are gathered for the next.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Final, Generic, TypeVar

from yieldwire.errors import StoreError
from yieldwire.tasks import Tasks

T = TypeVar("T")
ItemT = TypeVar("ItemT")

_MOST_BYTES: Final = 8 * 1024 * 1024
"""About how much one batch moves, so that its first call does not wait too long."""


class Works:
    """Work under way, in tasks of one event loop."""

    def __init__(self) -> None:
        self._tasks = Tasks()

    def start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Future[T]":
        """Do ``work`` in a task, and return the future of its outcome."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._tasks.own(_do(work, done))
        return done

    async def wait(self) -> None:
        """Return when all of it is done, and what was begun meanwhile."""
        while self._tasks:
            await self._tasks.wait(None)

    def abandon(self, loop: asyncio.AbstractEventLoop) -> None:
        """Abandon the work, as its ``loop`` is gone."""
        self._tasks.abandon(loop)


async def _do(work: Coroutine[Any, Any, T], done: "asyncio.Future[T]") -> None:
    outcome: T | Exception = StoreError("The store was closed.")
    try:
        outcome = await work
    except Exception as exc:  # noqa: BLE001 - passed to those who wait
        outcome = exc
    finally:  # also if the loop ends
        _resolve(done, outcome)


async def settled(done: "asyncio.Future[T]") -> T:
    """Return the outcome of work. A cancellation waits for it, and is raised afterwards."""
    try:
        return await asyncio.shield(done)
    except asyncio.CancelledError:
        if not done.done():
            await asyncio.wait({done})
        raise


class Batches(Generic[ItemT, T]):
    """Calls that are made at the same time, and are done together.

    ``do`` does the calls of a batch, and returns the outcome of each in their order: an error is
    raised to the caller. If it raises an error itself, all of them get that. A batch has at most
    ``most`` calls, and no more once their sizes, which ``size`` returns, reach 8 MiB.
    """

    def __init__(
        self,
        do: Callable[[Sequence[ItemT]], Awaitable[Sequence[T | Exception]]],
        start: Callable[[Coroutine[Any, Any, None]], object],
        *,
        most: int,
        size: Callable[[ItemT], int] = lambda _: 0,
    ) -> None:
        self._do, self._start, self._most, self._size = do, start, most, size
        self._calls: Final[deque[tuple[ItemT, asyncio.Future[T]]]] = deque()
        self._is_busy = False

    def ask(self, item: ItemT) -> "asyncio.Future[T]":
        """Add a call to the next batch, and return the future of its outcome."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.append((item, done))
        if not self._is_busy:
            self._is_busy = True
            self._start(self._work())
        return done

    async def do(self, item: ItemT) -> T:
        """Do a call. A cancellation waits until it is done."""
        return await settled(self.ask(item))

    def forget(self) -> None:
        """Drop all calls, as their event loop is gone."""
        self._calls.clear()
        self._is_busy = False

    async def _work(self) -> None:
        try:
            while self._calls:
                await self._do_all(self._next())
        finally:
            self._is_busy = False

    def _next(self) -> Sequence[tuple[ItemT, "asyncio.Future[T]"]]:
        calls, size = list[tuple[ItemT, "asyncio.Future[T]"]](), 0
        while self._calls and len(calls) < self._most and size < _MOST_BYTES:
            calls.append(self._calls.popleft())
            size += self._size(calls[-1][0])
        return calls

    async def _do_all(self, calls: Sequence[tuple[ItemT, "asyncio.Future[T]"]]) -> None:
        outcomes: Sequence[T | Exception] = [StoreError("The store was closed.")] * len(calls)
        try:
            outcomes = await self._do([item for item, _ in calls])
        except Exception as exc:  # noqa: BLE001 - passed to all callers
            outcomes = [exc] * len(calls)
        finally:  # also if the loop ends
            for (_, done), outcome in zip(calls, outcomes, strict=True):
                _resolve(done, outcome)


def _resolve(done: "asyncio.Future[T]", outcome: T | Exception) -> None:
    if done.done():
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
