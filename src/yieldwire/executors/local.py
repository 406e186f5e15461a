"""Runs executed as tasks of this process: the one room where tasks are made without a group.

A run belongs to nobody's request and to no other run: one run's failure is nobody else's.
So each has a task of its own, which this executor owns until it has ended.
"""

import asyncio
import logging
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

from yieldwire.context import Resource
from yieldwire.errors import Fenced, NotFound
from yieldwire.executors import Limits, Loader, Work
from yieldwire.executors.attempt import INTERRUPTED, Attempt, Services
from yieldwire.executors.pace import Pace
from yieldwire.middleware import Around
from yieldwire.stores import RunStore

logger = logging.getLogger("yieldwire.worker")


class Tasks:
    """Tasks with an owner: kept until they end, waited for or cancelled at the close."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def own(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run ``coroutine`` in a task; an error that nobody handles is logged."""
        task = asyncio.create_task(coroutine)  # noqa: TID251 - the room where it is allowed
        self._tasks.add(task)
        task.add_done_callback(self._end)
        return task

    def _end(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("a task failed", exc_info=error)

    async def wait(self, timeout: float) -> None:
        """Return when every task has ended, or after ``timeout`` seconds."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout)

    async def cancel(self) -> None:
        """Cancel every task and wait for its end."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class LocalExecutor:
    """Executes runs in this process."""

    def __init__(
        self,
        store: RunStore,
        load: Loader,
        *,
        limits: Limits,
        arounds: Sequence[Around],
        resources: Mapping[Resource[Any], Any],
        checks_chunks: Callable[[], bool],
    ) -> None:
        self._store, self._load, self._limits = store, load, limits
        self._runs, self._chores = Tasks(), Tasks()
        self._attempts: dict[str, Attempt] = {}
        self.paces: Final[dict[str, Pace]] = {}
        """How far each run that is executed here is ahead of its readers."""
        self._slots = asyncio.Semaphore(limits.threads)
        self._arounds, self._resources = tuple(arounds), resources
        self._checks_chunks = checks_chunks

    def enqueue(self, run_id: str, /) -> None:
        """Execute a pending run."""
        self._runs.own(self._execute(run_id))

    async def _execute(self, run_id: str) -> None:
        try:
            work = self._load(await self._store.get(run_id))
            if work.action.signature.shape.is_blocking:
                async with self._slots:  # pending until there is a thread for it
                    await self._attempt(run_id, work)
            else:
                await self._attempt(run_id, work)
        except (Fenced, NotFound):
            logger.debug("not pending any more", extra={"run_id": run_id})
        finally:
            self._attempts.pop(run_id, None)
            self.paces.pop(run_id, None)

    async def _attempt(self, run_id: str, work: Work) -> None:
        run = await self._store.claim(run_id, lease=None)
        # A detached run goes on without readers, so it waits for none.
        pace = Pace(sys.maxsize if run.detached else self._limits.ahead_bytes)
        self.paces[run_id] = pace
        services = Services(
            store=self._store,
            limits=self._limits,
            arounds=self._arounds,
            resources=self._resources,
            own=self._chores.own,
            checks_chunks=self._checks_chunks(),
        )
        attempt = Attempt(services, run, work, pace)
        self._attempts[run_id] = attempt
        await attempt.execute()

    def nudge(self, run_id: str, reason: str, /) -> None:
        """Stop the run now, if it is executed here."""
        attempt = self._attempts.get(run_id)
        if attempt is not None:
            attempt.cancel(reason)

    async def close(self, grace: float, /) -> None:
        """Let running actions finish for ``grace`` seconds, then end them as ``INTERRUPTED``."""
        await self._runs.wait(grace)
        for attempt in list(self._attempts.values()):
            attempt.cancel(INTERRUPTED)
        await self._runs.wait(self._limits.cancel_within + 1)
        await self._runs.cancel()
        await self._chores.cancel()
