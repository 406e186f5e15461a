"""Docket as the engine of an application's workers, on Redis or Valkey.

Every queue has a docket of its own. The one module that imports the library.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Annotated, Final

from yieldwire.errors import MissingDependency, UsageError
from yieldwire.executors.engine import CLAIM_WITHIN, Jobs, Schedule, key_of
from yieldwire.log.run import RunRecord
from yieldwire.setting import Rule, SomeSeconds, settings

try:
    import docket
    from docket.execution import TaskFunction
except ImportError as _exc:
    raise MissingDependency("pydocket", "docket", "Docket") from _exc

EXECUTE: Final = "execute_run"
START: Final = "start_scheduled_run"
AGAIN_AFTER: Final = timedelta(seconds=1)
"""How soon a server that is away is tried again, or what a process could not begin with."""
NO_RESULTS: Final = timedelta(0)

_SCHEME: Final = re.compile(r"(redis|valkey)s?(\+cluster|\+sentinel)?://.|unix://")
_URL: Final = Rule(
    lambda value: isinstance(value, str) and _SCHEME.match(value) is not None,
    "a URL such as 'redis://localhost:6379/0'",
)


@settings
class Docket:
    """Delivers runs of queues to workers by docket, and starts scheduled runs by its ``Cron``.

    Docket has no priorities: runs are executed in the order in which they are given to it.

    Everyone who can write to this server can execute code in the workers, because docket
    unpickles what it reads.

    Args:
        url: The Redis or Valkey server, such as ``"redis://localhost"``.
        name: The prefix of the dockets: the queue ``mail`` is the docket ``yieldwire.mail``.
            Applications that share a server have different ones.
        claim_within: Seconds after which a run that no worker has begun is given to docket again,
            in case it was lost. It is not executed twice if it was not.
        lost_after: Seconds after which docket delivers again what it has given to a worker that
            was killed.
    """

    def __init__(
        self,
        url: Annotated[str, _URL],
        *,
        name: str = "yieldwire",
        claim_within: SomeSeconds = CLAIM_WITHIN,
        lost_after: SomeSeconds = 10.0,
    ) -> None:
        self._url = url.replace("valkey", "redis", 1) if url.startswith("valkey") else url
        self._name = name
        self.claim_within = claim_within
        self._lost_after = timedelta(seconds=lost_after)
        self._schedules: list[Schedule] = []

    def bind(self, jobs: Jobs, /) -> None:
        """Give what is delivered to ``jobs``.

        Raises:
            UsageError: If it belongs to another application.
        """
        if hasattr(self, "_jobs"):
            raise UsageError("Docket: it belongs to another application; write another one.")
        self._jobs = jobs

    def schedule(self, schedule: Schedule, /) -> None:
        """Start runs of an action at the times of ``schedule``.

        Raises:
            InvalidAction: If docket does not understand the times.
        """
        try:
            docket.Cron(schedule.cron)
        except Exception as exc:
            raise schedule.refused_by("docket", exc) from exc
        self._schedules.append(schedule)

    @asynccontextmanager
    async def connected(self) -> AsyncGenerator[None, None]:
        """Connect to the server when a queue is used first, until the context ends."""
        self._dockets: dict[str, docket.Docket] = {}
        self._opening = asyncio.Lock()
        async with AsyncExitStack() as self._stack:
            yield

    async def send(self, run: RunRecord, /) -> None:
        """Add the run's id to the docket of its queue, unless it is there."""
        jobs = await self._docket(run.queue or "")
        await jobs.add(EXECUTE, key=key_of(run))(run.id)

    async def work(self, queues: Collection[str], concurrency: int, /) -> None:
        """Deliver from the dockets of ``queues`` until this is cancelled."""
        self._slots = asyncio.Semaphore(concurrency)  # a docket's worker has only its own
        async with asyncio.TaskGroup() as group:
            for queue in queues:
                jobs = await self._docket(queue)
                worker = docket.Worker(
                    jobs,
                    concurrency=concurrency,
                    redelivery_timeout=self._lost_after,
                    reconnection_delay=AGAIN_AFTER,
                )
                group.create_task(_run(worker))

    async def _docket(self, queue: str) -> docket.Docket:
        async with self._opening:
            if queue not in self._dockets:
                jobs = docket.Docket(f"{self._name}.{queue}", self._url, execution_ttl=NO_RESULTS)
                self._dockets[queue] = await self._stack.enter_async_context(jobs)
                for task in self._tasks(queue):
                    jobs.register(task)
            return self._dockets[queue]

    def _tasks(self, queue: str) -> Iterable[TaskFunction]:
        again = docket.Retry.forever(delay=AGAIN_AFTER)

        async def execute_run(run_id: str, _: docket.Retry = again) -> None:
            async with self._slots:
                await self._jobs.execute(run_id)

        async def start_scheduled_run(action: str, at: float, _: docket.Retry = again) -> None:
            await self._jobs.tick(action, at)

        yield execute_run
        yield start_scheduled_run
        yield from [_tick(each) for each in self._schedules if each.queue == queue]


def _tick(schedule: Schedule) -> TaskFunction:
    here, now, cron = docket.CurrentDocket(), docket.CurrentExecution(), docket.Cron(schedule.cron)

    async def tick(
        jobs: docket.Docket = here, job: docket.Execution = now, _: docket.Cron = cron
    ) -> None:
        # The start is a job of its own, which is repeated until it has worked.
        at = job.when.timestamp()
        await jobs.add(START, key=f"{schedule.action}.{at}")(schedule.action, at)

    tick.__name__ = f"tick_{schedule.action}"
    return tick


async def _run(worker: docket.Worker) -> None:
    async with worker:
        await worker.run_forever()
