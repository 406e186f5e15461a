"""A run whose events come from callers, one append at a time, through whichever process.

No attempt executes it, so none can be lost: the first append claims the run, without a lease, and
each one names the seq that it follows. It is for applications with an `ExternalExecutor`.
"""

from collections.abc import Sequence
from typing import Protocol

from yieldwire.errors import Conflict, Fenced, PayloadTooLarge, RunEnded
from yieldwire.executors import Executor, RunLimits
from yieldwire.executors.budget import END_BYTES
from yieldwire.executors.external import ExternalExecutor
from yieldwire.hooks import Watch
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import RunStore


class Appendable(Protocol):
    """What appending needs of an application."""

    watch: Watch

    @property
    def store(self) -> RunStore:
        """Where runs are kept."""
        ...

    @property
    def executor(self) -> Executor:
        """Decides where runs are executed."""
        ...

    @property
    def run_limits(self) -> RunLimits:
        """The limits for one run."""
        ...


class Appending:
    """Appends to the runs of one application, whose executor leaves them to others."""

    def __init__(self, app: Appendable) -> None:
        self._app = app

    @property
    def is_possible(self) -> bool:
        """Whether the application's executor leaves runs to others."""
        return isinstance(self._app.executor, ExternalExecutor)

    async def append(
        self,
        run: RunRecord,
        chunks: Sequence[bytes],
        *,
        log_bytes: int,
        end: tuple[EventType, bytes] | None = None,
    ) -> RunRecord:
        """Append chunks behind ``run.seq`` in one step, and return the run as it is then.

        Args:
            run: The run, as the caller has read it.
            chunks: The JSON of each. Their types are not checked.
            log_bytes: What the log has already.
            end: The type and the data of the terminal event, if this is the run's end.

        Raises:
            Conflict: If the run's events come from an executor.
            RunEnded: If the run has ended.
            AppendConflict: If the log has more than ``run.seq``: read the run again.
            PayloadTooLarge: If an event is too large, or the log has no space for it.
        """
        if not self.is_possible:
            raise Conflict("Only a run of an application with an external executor is appended to.")
        if run.status.is_terminal:
            raise RunEnded
        first, store = run.seq + 1, self._app.store
        block = Block.of_chunks(run.id, first, chunks) if chunks else None
        if end is not None:
            block = block.ended(*end) if block else Block.of_event(run.id, first, *end)
        if block is None:
            return run
        self._check_size(block, log_bytes)
        if run.status is Status.PENDING:
            run = await self._claimed(run)
        await store.append(run.id, block, after=run.seq, fence=run.fence)
        now = await store.get(run.id)
        if end is not None:
            self._app.watch.run_ended(now)
        return now

    async def _claimed(self, run: RunRecord) -> RunRecord:
        try:
            return await self._app.store.claim(run.id, lease=None)
        except Fenced:  # by another append at this moment, or the run was cancelled
            now = await self._app.store.get(run.id)
            if now.status.is_terminal:
                raise RunEnded from None
            return now.changed(seq=run.seq)

    def _check_size(self, block: Block, log_bytes: int) -> None:
        """Return if the log has space for a block; an end alone always fits."""
        limits = self._app.run_limits
        if block.end is not None and block.size == 1:
            return
        if max(map(len, block.body.split(b"\n"))) > limits.max_event_bytes:
            raise PayloadTooLarge(f"A message is over the limit of {limits.max_event_bytes} bytes.")
        if block.last - (block.end is not None) >= limits.max_events:  # its end is one
            raise PayloadTooLarge(f"The log is over the limit of {limits.max_events} events.")
        if log_bytes + len(block.body) > limits.max_bytes - END_BYTES:
            raise PayloadTooLarge(f"The log is over the limit of {limits.max_bytes} bytes.")
