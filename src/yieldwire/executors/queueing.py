"""Takes runs from queues and executes them in this process, a limited number at a time."""

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from typing import Final

from yieldwire.errors import StoreError, Unavailable
from yieldwire.executors.worker import Worker
from yieldwire.stores.queue import Queue, Slots
from yieldwire.tasks import Tasks

TAKE_WAIT: Final = 1.0
"""How long a worker waits for a run before it asks again: whether the time of one has come, or a
slot of an action is free. Seconds."""
CLAIM_WITHIN: Final = 5.0
"""Seconds after which a run waits again if the process that took it was lost at once."""
FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 10.0
"""Seconds until a store that failed is asked again."""

logger = logging.getLogger("yieldwire.worker")


class QueueWorker:
    """Takes runs and executes them, in the order that the store gives, until it is cancelled.

    A run that is taken just then waits again after `CLAIM_WITHIN`.

    Args:
        store: Where the runs wait.
        worker: Executes them.
        queues: Returns the queues to take from.
        slots: Returns the limits of actions.
        concurrency: How many runs are executed at a time.
    """

    def __init__(
        self,
        store: Queue,
        worker: Worker,
        *,
        queues: Callable[[], Collection[str]],
        slots: Callable[[], Mapping[str, Slots]],
        concurrency: int,
    ) -> None:
        self._store, self._worker, self._queues, self._slots = store, worker, queues, slots
        self._free = asyncio.Semaphore(concurrency)

    async def work(self, tasks: Tasks) -> None:
        """Take runs, and execute each in one of ``tasks``."""
        pause = FIRST_PAUSE
        while True:
            await self._free.acquire()
            try:
                run = await self._store.take(
                    self._queues(), slots=self._slots(), lease=CLAIM_WITHIN, wait=TAKE_WAIT
                )
            except StoreError as exc:
                self._free.release()
                logger.warning("no run can be taken, which is tried again: %s", exc)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if run is None:
                self._free.release()
            else:
                tasks.own(self._execute(run.id), lambda _: self._free.release())

    async def _execute(self, run_id: str) -> None:
        with suppress(Unavailable):  # this process stops; the run waits again
            await self._worker.execute(run_id)
