"""Procrastinate as the engine of an application's workers, on PostgreSQL.

The one module that imports the library.
"""

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from typing import Annotated, Final

from yieldwire.errors import MissingDependency, UsageError
from yieldwire.executors.engine import AGAIN, CLAIM_WITHIN, Jobs, Schedule, key_of
from yieldwire.log.run import RunRecord
from yieldwire.setting import SomeSeconds, instance, settings

try:
    import procrastinate
    from procrastinate.app import WorkerOptions
    from procrastinate.exceptions import AlreadyEnqueued, AppNotOpen
    from procrastinate.jobs import Status
    from procrastinate.tasks import ConfigureTaskOptions
except ImportError as _exc:
    raise MissingDependency("procrastinate", "procrastinate", "Procrastinate") from _exc

EXECUTE: Final = "yieldwire.execute_run"
START: Final = "yieldwire.start_scheduled_run"
AGAIN_AFTER: Final = 1
"""How soon something is delivered again that a process could not begin with. Seconds."""
POLL_EVERY: Final = 1.0
"""How often a worker looks for jobs whose notification it has missed. Seconds."""
LOOK_EVERY: Final = 30.0
"""How often a worker looks for the jobs of lost ones. Seconds."""


@settings
class Procrastinate:
    """Delivers runs of queues to workers by procrastinate, and starts scheduled runs by it.

    The queue of an action is the queue of its jobs, and a run's priority that of its job.
    ``yieldwire worker`` executes the runs, and so does procrastinate's own worker if it imports
    the application.

    Args:
        app: Your procrastinate application, which has two more tasks then.
        claim_within: Seconds after which a run that no worker has begun is given to procrastinate
            again, in case it was lost. It is not executed twice if it was not.
    """

    def __init__(
        self,
        app: Annotated[procrastinate.App, instance(procrastinate.App)],
        *,
        claim_within: SomeSeconds = CLAIM_WITHIN,
    ) -> None:
        self._app = app
        self.claim_within = claim_within

    def bind(self, jobs: Jobs, /) -> None:
        """Give what is delivered to ``jobs``.

        Raises:
            UsageError: If it, or its procrastinate application, belongs to another application.
        """
        if EXECUTE in self._app.tasks:
            raise UsageError(
                "Procrastinate: its App belongs to another application; write another one."
            )

        async def execute_run(run_id: str) -> None:
            await jobs.execute(run_id)

        async def start_scheduled_run(timestamp: int, action: str) -> None:
            await jobs.tick(action, timestamp)

        again = procrastinate.RetryStrategy(wait=AGAIN_AFTER, retry_exceptions=AGAIN)
        self._app.task(name=EXECUTE, retry=again)(execute_run)
        self._app.task(name=START, retry=again)(start_scheduled_run)

    def schedule(self, schedule: Schedule, /) -> None:
        """Start runs of an action at the times of ``schedule``.

        Raises:
            InvalidAction: If procrastinate does not understand the times.
        """
        options = ConfigureTaskOptions(
            queue=schedule.queue, task_kwargs={"action": schedule.action}
        )
        register, task = self._app.periodic_registry.register_task, self._app.tasks[START]
        try:
            _ = register(task, schedule.cron, schedule.action, options).croniter
        except ValueError as exc:
            raise schedule.refused_by("procrastinate", exc) from exc

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[None, None]:
        """Open the procrastinate application, unless it is open, until the context ends.

        Raises:
            UsageError: If its tables are missing.
        """
        async with AsyncExitStack() as stack:
            try:
                has_tables = await self._app.check_connection_async()
            except AppNotOpen:
                await stack.enter_async_context(self._app.open_async())
                has_tables = await self._app.check_connection_async()
            if not has_tables:
                raise UsageError(
                    "The tables of procrastinate are missing; create them with "
                    "`procrastinate --app=… schema --apply`."
                )
            yield

    async def send(self, run: RunRecord, /) -> None:
        """Defer a job with the run's id, unless it waits already."""
        job = self._app.tasks[EXECUTE].configure(
            queue=run.queue, priority=run.priority, queueing_lock=key_of(run)
        )
        with suppress(AlreadyEnqueued):
            await job.defer_async(run_id=run.id)

    async def work(self, queues: Collection[str], concurrency: int, /) -> None:
        """Execute the jobs of ``queues`` until this is cancelled."""
        options: WorkerOptions = {
            "fetch_job_polling_interval": POLL_EVERY,
            **self._app.worker_defaults,
            "queues": [*queues],
            "concurrency": concurrency,
            "install_signal_handlers": False,
        }
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(self._look_after_lost_jobs())
            await self._app.run_worker_async(**options)
            looking.cancel()

    async def _look_after_lost_jobs(self) -> None:
        manager = self._app.job_manager
        while True:
            # The run of such a job returns to its queue by itself.
            for job in await manager.get_stalled_jobs(task_name=EXECUTE):
                await manager.finish_job(job, Status.FAILED, delete_job=True)
            for job in await manager.get_stalled_jobs(task_name=START):
                await manager.retry_job(job)
            await asyncio.sleep(LOOK_EVERY)
