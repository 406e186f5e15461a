"""Takes runs from queues, a limited number at a time, to execute them or to pass them on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from typing import Final

from yieldwire.errors import StoreError, Unavailable
from yieldwire.log.run import RunRecord
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

logger: Final = logging.getLogger("yieldwire.worker")


class QueueWorker:
    """Takes runs and delivers them, in the order that the store gives, until it is cancelled.

    A run that is taken just then waits again after ``lease`` seconds.

    Args:
        store: Where the runs wait.
        deliver: Executes a run, or has another process do so.
        queues: Returns the queues to take from.
        slots: Returns the limits of actions.
        concurrency: How many runs are delivered at a time.
        lease: Seconds within which a process claims the run.
    """

    def __init__(
        self,
        store: Queue,
        deliver: Callable[[RunRecord], Awaitable[None]],
        *,
        queues: Callable[[], Collection[str]],
        slots: Callable[[], Mapping[str, Slots]],
        concurrency: int,
        lease: float = CLAIM_WITHIN,
    ) -> None:
        self._store, self._deliver, self._queues, self._slots = store, deliver, queues, slots
        self._lease = lease
        self._free = asyncio.Semaphore(concurrency)

    async def work(self, tasks: Tasks) -> None:
        """Take runs, and deliver each in one of ``tasks``."""
        pause = FIRST_PAUSE
        while True:
            await self._free.acquire()
            try:
                run = await self._store.take(
                    self._queues(), slots=self._slots(), lease=self._lease, wait=TAKE_WAIT
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
                tasks.own(self._hand_out(run), lambda _: self._free.release())

    async def _hand_out(self, run: RunRecord) -> None:
        with suppress(Unavailable):  # this process stops; the run waits again
            await self._deliver(run)
