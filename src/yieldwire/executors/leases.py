"""Keeps the leases of the attempts of one process, and stops those that others asked to stop."""

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from yieldwire.errors import Fenced, NotFound, StoreError
from yieldwire.executors.attempt import Attempt
from yieldwire.executors.services import Own, Services

STOP_EVERY: Final = 0.5
"""How often a process asks which of its runs were asked to stop elsewhere. Seconds."""
_LOOKS: Final = 4
"""How often it looks, from one heartbeat to the next, whether leases are over."""

logger: Final = logging.getLogger("yieldwire.worker")


class LeaseKeeper:
    """The leases of ``attempts``, which are the running ones by run id.

    ``own`` makes tasks that end with the worker.
    """

    def __init__(
        self, services: Services, attempts: Mapping[str, Attempt], own: Own, *, lease: float
    ) -> None:
        self._services, self._store, self._lease = services, services.store, lease
        self._attempts, self._own = attempts, own

    def begin(self) -> None:
        """Keep the leases from now on."""
        self._own(self._renew_all())
        self._own(self._see_stops())

    async def _renew_all(self) -> None:
        """Renew every lease, three times per lease period, and give up runs whose lease is over.

        If the store does not answer for one run, the others are still renewed.
        """
        renewing = dict[Attempt, asyncio.Task[None]]()
        while True:
            for _ in range(_LOOKS):
                await asyncio.sleep(self._lease / 3 / _LOOKS)
                self._give_up_late(renewing)
            renewing = {each: task for each, task in renewing.items() if not task.done()}
            for attempt in list(self._attempts.values()):
                if attempt not in renewing:
                    renewing[attempt] = self._own(self._renew(attempt))

    def _give_up_late(self, renewing: Mapping[Attempt, asyncio.Task[None]]) -> None:
        """Give up the runs for which the store has not answered until their lease was over."""
        now = asyncio.get_running_loop().time()
        for attempt, task in renewing.items():
            if not task.done() and now - attempt.renewed_at > self._lease:
                attempt.lose()

    async def _renew(self, attempt: Attempt) -> None:
        run, now = attempt.run, asyncio.get_running_loop().time()
        try:
            reason = await self._store.heartbeat(run.id, fence=run.fence, lease=self._lease)
        except (Fenced, NotFound):
            attempt.lose()
        except StoreError:
            if now - attempt.renewed_at > self._lease:
                attempt.lose()
        else:
            attempt.renewed_at = now
            if reason is not None:
                attempt.cancel(reason)
                return
            with suppress(StoreError):  # the next heartbeat asks again
                await self._services.families.stop_orphan(run)

    async def _see_stops(self) -> None:
        while True:
            await asyncio.sleep(STOP_EVERY)
            if not self._attempts:
                continue
            try:
                reasons = await self._store.asked_to_stop([*self._attempts])
            except StoreError:
                continue  # heartbeats notice a store that stays away
            for run_id, reason in reasons.items():
                attempt = self._attempts.get(run_id)
                if attempt is not None:
                    attempt.cancel(reason)
