"""Ends runs that have no attempt in this process: they cannot be executed, or never began."""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Final

from pydantic_core import to_json

from yieldwire.errors import Fenced, NotFound, RunInterrupted, StoreError
from yieldwire.errors.debug import cut
from yieldwire.executors.backoff import with_backoff
from yieldwire.executors.services import Services
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status

logger: Final = logging.getLogger("yieldwire.worker")


class Endings:
    """Writes the ends of such runs, as ``INTERRUPTED``, with the right of a claim.

    Args:
        services: The store, and who is told.
        ended: Called with each run that has ended here.
        lease: How long a claim is valid.
        patience: For how many seconds a failing store is retried.
    """

    def __init__(
        self,
        services: Services,
        ended: Callable[[RunRecord], Awaitable[None]],
        *,
        lease: float | None,
        patience: float,
    ) -> None:
        self._services, self._ended = services, ended
        self._store, self._lease, self._patience = services.store, lease, patience

    async def interrupt(self, run_id: str) -> None:
        """End a run whose task was cancelled before it began, unless somebody else has the run.

        Raises:
            StoreError: If the store fails for longer than ``patience``.
        """
        with suppress(Fenced, NotFound):
            run = await with_backoff(partial(self._store.get, run_id), self._patience, run_id)
            if run.status is Status.RUNNING:  # claimed, but the answer was lost
                await self.end(run)
            else:
                await self.give_up(run_id, RunInterrupted())

    async def give_up(self, run_id: str, exc: Exception) -> None:
        """End a pending run that needs something that no longer exists: an action, a file.

        Raises:
            Fenced: If it is not pending.
            NotFound: If it was deleted.
            StoreError: If the store fails for longer than ``patience``.
        """
        logger.error("the run cannot be executed", exc_info=cut(exc), extra={"run_id": run_id})
        claim = partial(self._store.claim, run_id, lease=self._lease)
        await self.end(await with_backoff(claim, self._patience, run_id))

    async def end(self, run: RunRecord) -> None:
        """End a run that is claimed. Raises what `give_up` does."""
        append = partial(self._store.append, run.id, _interrupted(run))
        end = partial(append, after=run.seq, fence=run.fence)
        await with_backoff(end, self._patience, run.id)
        self._services.watch.run_ended(run.changed(status=Status.FAILED, seq=run.seq + 1))
        await self._ended(run)
        await self._services.families.end(run.id)

    async def release(self, run: RunRecord) -> None:
        """End the lease of a run now, so that another process executes it."""
        try:
            await self._store.heartbeat(run.id, fence=run.fence, lease=0)
        except (Fenced, NotFound, StoreError):
            logger.warning("the run is left until its lease runs out", extra={"run_id": run.id})


def _interrupted(run: RunRecord) -> Block:
    data = to_json(RunInterrupted().error_object(run.id).to_dict())
    return Block.of_event(run.id, run.seq + 1, EventType.ERROR, data, run.started_at or 0.0)
