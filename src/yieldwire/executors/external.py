"""Gives runs to a job system that exists already: its jobs produce what the runs emit."""

import asyncio
import inspect
from collections.abc import Callable
from typing import Annotated

from yieldwire.executors import Prepared
from yieldwire.executors.worker import Worker
from yieldwire.setting import SomeSeconds, function_of, settings


@settings
class ExternalExecutor:
    """Calls a function with the id of each new run, which starts a job for it elsewhere.

    The job calls ``actions.app.produce(run_id)`` or ``produce_blocking``. The action's own
    function is not called; its signature says what callers send and get.

    Args:
        send: Starts the job: ``task.delay`` of Celery, for example. It is called in a thread,
            unless it is an ``async def``.
        claim_within: Seconds after which a run that no job has begun is sent again. It can be
            that the first job still waits: the one that comes later gets a `Conflict`.
    """

    def __init__(
        self,
        send: Annotated[Callable[[str], object], function_of("the id of a run")],
        *,
        claim_within: SomeSeconds = 3600.0,
    ) -> None:
        self._send = send
        self.claim_within = claim_within

    async def open(self, worker: Worker, /) -> None:
        """Do nothing: jobs use the worker of their own process."""

    async def enqueue(self, run_id: str, prepared: Prepared | None = None, /) -> None:
        """Start a job for a pending run."""
        if inspect.iscoroutinefunction(self._send):
            await self._send(run_id)
        else:
            await asyncio.to_thread(self._send, run_id)

    async def close(self) -> None:
        """Do nothing."""
