"""Executes runs in the process that starts them."""

from yieldwire.executors import Prepared
from yieldwire.executors.worker import Worker


class LocalExecutor:
    """Hands each run to the worker of this process."""

    async def open(self, worker: Worker, /) -> None:
        """Start, with the worker of this process."""
        self._worker = worker

    async def enqueue(self, run_id: str, prepared: Prepared | None = None, /) -> None:
        """Execute a run here, as soon as possible."""
        self._worker.begin(run_id, prepared)

    async def close(self) -> None:
        """Do nothing: the worker has already stopped."""
