"""Many calls of one action: some at a time, their results as they come."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar, cast

from yieldwire.errors import UsageError
from yieldwire.log.chunks import Progress

T = TypeVar("T")
U = TypeVar("U")


class Spawner(Protocol):
    """Runs a coroutine in a task of the run's own group."""

    def __call__(self, coroutine: Coroutine[Any, Any, U], /) -> "asyncio.Task[U]":
        """Return the task."""
        ...


class Batch(Generic[T]):
    """Many calls of one action. Iterate it once for their results, in the order of completion.

    The first call that fails raises its error, after the others were asked to stop. So does
    leaving the loop early.
    """

    def __init__(
        self, calls: Sequence[Callable[[], Awaitable[T]]], spawn: Spawner, concurrency: int
    ) -> None:
        if concurrency < 1:
            raise UsageError(f"concurrency= is at least 1, not {concurrency}.")
        self._calls, self._spawn, self._concurrency = calls, spawn, concurrency
        self._completed = 0

    @property
    def progress(self) -> Progress:
        """How many of the calls have completed, as a chunk that the action can yield."""
        return Progress(self._completed, total=len(self._calls))

    async def __aiter__(self) -> AsyncGenerator[T, None]:
        """Yield the results as they come.

        Raises:
            ActionError: If a run fails with an error of the action's own.
            RunError: If one is cancelled, or fails for another reason.
            YieldwireError: If one cannot be started.
        """
        waiting = iter(self._calls)
        running: set[asyncio.Task[CallOutcome[T]]] = set()
        try:
            while True:
                while len(running) < self._concurrency and (call := next(waiting, None)):
                    running.add(self._spawn(outcome_of(call)))
                if not running:
                    return
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    result = task.result().get()
                    self._completed += 1
                    yield result
        finally:
            for task in running:
                task.cancel()


@dataclass(frozen=True, slots=True)
class CallOutcome(Generic[T]):
    """A result, or the error instead of one."""

    result: T | None = None
    error: Exception | None = None

    def get(self) -> T:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return cast("T", self.result)


async def outcome_of(call: Callable[[], Awaitable[T]]) -> CallOutcome[T]:
    """Return what a call ends with, in a task that no exception must leave.

    One that leaves a task of the run's group would end the whole run.
    """
    try:
        return CallOutcome(await call())
    except Exception as exc:  # noqa: BLE001 - raised where the outcome is taken
        return CallOutcome(error=exc)
