"""Takes runs from queues, a limited number at a time, to execute them or to pass them on."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass
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


@dataclass(frozen=True, slots=True)
class QueueWorker:
    """Takes runs and delivers them, in the order that the store gives, until it is cancelled.

    A run that is taken just then waits again after ``lease`` seconds.

    Attributes:
        store: Where the runs wait.
        deliver: Executes a run, or has another process do so.
        queues: Returns the queues to take from.
        slots: Returns the limits of actions.
        concurrency: How many runs are delivered at a time.
        lease: Seconds within which a process claims the run.
    """

    store: Queue
    deliver: Callable[[RunRecord], Awaitable[None]]
    _: KW_ONLY
    queues: Callable[[], Collection[str]]
    slots: Callable[[], Mapping[str, Slots]]
    concurrency: int
    lease: float = CLAIM_WITHIN

    async def work(self, tasks: Tasks) -> None:
        """Take runs, and deliver each in one of ``tasks``."""
        free, pause = asyncio.Semaphore(self.concurrency), FIRST_PAUSE
        while True:
            await free.acquire()
            try:
                run = await self.store.take(
                    self.queues(), slots=self.slots(), lease=self.lease, wait=TAKE_WAIT
                )
            except StoreError as exc:
                free.release()
                logger.warning("no run can be taken, which is tried again: %s", exc)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
                continue
            pause = FIRST_PAUSE
            if run is None:
                free.release()
            else:
                tasks.own(self._hand_out(run), lambda _: free.release())

    async def _hand_out(self, run: RunRecord) -> None:
        with suppress(Unavailable):  # this process stops; the run waits again
            await self.deliver(run)
