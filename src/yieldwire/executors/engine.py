"""What an engine does: a job system that exists already, as the way from queues to workers.

The runs of an application's queues wait in its store. One process or another takes each of them
from there and gives its id to the engine, which delivers it to a worker. So an engine can lose an
id, deliver it late or deliver it twice: the run waits in the store again until it is claimed, and
a worker does nothing to a run that another has claimed, or that has ended.
"""

from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Final, Protocol

from yieldwire.errors import InvalidAction, StoreError, Unavailable
from yieldwire.log.run import RunRecord

CLAIM_WITHIN: Final = 60.0
"""Seconds after which an id that no worker has begun with is given to an engine again."""
AGAIN: Final = (Unavailable, StoreError)
"""Errors after which the engine must deliver again: this process stops, or the store is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When runs of an action start by themselves.

    Attributes:
        action: The action's name.
        queue: Its queue.
        cron: Minute, hour, day, month and weekday, in UTC.
    """

    action: str
    queue: str
    cron: str

    def refused_by(self, engine: str, exc: Exception) -> InvalidAction:
        """Return the error for times that an engine does not understand, as ``exc`` says."""
        return InvalidAction(
            f"{self.action}: {engine} does not understand schedule={self.cron!r}: {exc}."
        )


class Jobs(Protocol):
    """What an engine calls with what it delivers. It opens the application if need be."""

    async def execute(self, run_id: str, /) -> None:
        """Execute a run, and return when this process is done with it, as `Worker.execute`.

        Raises:
            Unavailable: If this process is stopping; another one must execute the run.
            StoreError: If the application cannot be opened.
        """
        ...

    async def tick(self, action: str, at: float, /) -> None:
        """Start the run of a scheduled action for the time ``at``; there is one for each time.

        A refusal is logged, and is not raised.

        Raises:
            Unavailable: If this process is stopping; another one must start the run.
            StoreError: If the store is away.
        """
        ...


class Engine(Protocol):
    """Carries the ids of runs in queues to workers, and calls for scheduled runs.

    It belongs to one application.

    Attributes:
        claim_within: Seconds after which an id that no worker has begun with is given to `send`
            again.
    """

    claim_within: float

    def bind(self, jobs: Jobs, /) -> None:
        """Give what is delivered to ``jobs``. The application calls this once.

        Raises:
            UsageError: If it belongs to another application already.
        """
        ...

    def schedule(self, schedule: Schedule, /) -> None:
        """Call `Jobs.tick` at the times of ``schedule``, in whichever worker comes first.

        Called when the action is declared.

        Raises:
            InvalidAction: If the engine does not understand the times.
        """
        ...

    def connected(self) -> AbstractAsyncContextManager[None]:
        """Connect to the engine's server for as long as the returned context is entered."""
        ...

    async def send(self, run: RunRecord, /) -> None:
        """Give the id of a run to the engine, for the workers of the run's queue.

        It is called again for a run that no worker has begun with: if the engine can keep one job
        for each key, use `key_of`. An exception is logged, and the call is repeated.
        """
        ...

    async def work(self, queues: Collection[str], concurrency: int, /) -> None:
        """Deliver from these queues until this is cancelled; then wait for what was delivered.

        Args:
            queues: The names of the queues.
            concurrency: How many runs this process executes at a time.
        """
        ...


def key_of(run: RunRecord) -> str:
    """Return a key for a job: the same until an attempt at the run has started."""
    return f"{run.id}.{run.attempt}"
