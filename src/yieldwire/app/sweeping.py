"""What becomes of runs over time: those without readers, lost ones, and old ones."""

import logging
from collections.abc import Sequence
from typing import Final, Protocol

from yieldwire.app.opening import Opening
from yieldwire.hooks import Watch
from yieldwire.log.run import RunRecord, Status
from yieldwire.runs.family import Family
from yieldwire.runs.files import RunFiles
from yieldwire.stores import RunStore

logger: Final = logging.getLogger("yieldwire.app")


class Sweepable(Protocol):
    """What the maintenance of runs needs of its application."""

    watch: Watch
    claim_within: float | None

    @property
    def store(self) -> RunStore:
        """Where runs are kept."""
        ...

    @property
    def files(self) -> RunFiles:
        """The files of runs."""
        ...

    @property
    def family(self) -> Family:
        """Which runs have started which others."""
        ...

    async def ready(self) -> Opening:
        """Return the current opening."""
        ...

    async def forget(self, purged: Sequence[str], /) -> None:
        """Forget what is kept of deleted runs."""
        ...

    async def ended(self, run: RunRecord, /) -> None:
        """Delete what a run that has ended no longer needs."""
        ...


class Sweeping:
    """The maintenance of one application's runs."""

    def __init__(self, app: Sweepable) -> None:
        self._app = app

    async def sweep(self) -> None:
        """Stop unread runs, recover lost ones, and delete old ones."""
        app = self._app
        opening = await app.ready()
        changed = await app.store.sweep(lease=app.claim_within)
        for run in changed:
            try:
                await self._see(opening, run)
            except Exception:  # the other runs must be maintained anyway
                logger.exception("the maintenance of a run failed", extra={"run_id": run.id})
        await app.forget(await app.store.purge())
        if app.files.is_search_due:
            await app.files.remove_leftovers()
        app.watch.swept(changed)

    async def _see(self, opening: Opening, run: RunRecord) -> None:
        app = self._app
        if run.status.is_terminal:
            opening.worker.drop(run.id)
            app.watch.run_ended(run)
            await app.ended(run)
            await app.family.end(run.id)
        elif run.status is Status.PENDING:
            if not await app.family.stop_orphan(run) and run.queue is None:
                await opening.enqueue(run.id)
        elif run.cancel_reason is not None:
            opening.worker.nudge(run.id, run.cancel_reason)
