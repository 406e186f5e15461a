"""Where and how an action runs: from its function to the events of its run's log.

An `Executor` decides where, and gets a run's id and nothing else. A `Worker` executes it;
everything else that it needs to know about the run comes from the store, through `Loader`.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from yieldwire.actions.action import Action
from yieldwire.actions.upload import Uploads
from yieldwire.errors import YieldwireError
from yieldwire.log.run import RunRecord
from yieldwire.setting import Count, Seconds, settings

if TYPE_CHECKING:
    from yieldwire.executors.worker import Worker


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """The limits for one run, and for the time that its end can take.

    Attributes:
        max_events: Events in one log, including its end; a feed that trims has no such limit.
        max_bytes: Bytes of one log, including its end; for a feed that trims, of what it keeps.
        max_event_bytes: Bytes of one event's JSON, including the result's.
        max_saved_bytes: Bytes of one run's steps and saved place in the store.
        ahead_bytes: How far a run can be ahead of its fastest reader in the same process.
        cancel_within: Seconds that cleanup can take before the run's end is written anyway.
        store_patience: Seconds for which a failing store is retried before the run ends.
        max_messages: Messages and answers that a run takes.
        max_inbox_bytes: Their bytes, not counting files.
        max_inbox_file_bytes: Bytes of the files in them.
        threads: Blocking actions that can run at the same time; others wait as pending. Their
            children do not count, and have as many for each level.
        max_children: Runs that one run can start from its action.
        max_depth: How many levels of runs that start each other there can be below the first.
    """

    max_events: Count = 5_000_000
    max_bytes: Count = 256 * 1024 * 1024
    max_event_bytes: Count = 4 * 1024 * 1024
    max_saved_bytes: Count = 16 * 1024 * 1024
    ahead_bytes: Count = 1024 * 1024
    cancel_within: Seconds = 5.0
    store_patience: Seconds = 10.0
    max_messages: Count = 1_000
    max_inbox_bytes: Count = 4 * 1024 * 1024
    max_inbox_file_bytes: Count = 1024 * 1024 * 1024
    threads: Count = 64
    max_children: Count = 10_000
    max_depth: Count = 10


_NOTHING: Final[Mapping[str, Any]] = {}


# Neither frozen nor by keyword only: both take longer to create, for each attempt.
@dataclass(slots=True)
class Work:
    """What an attempt runs: the action, its validated arguments, and facts for its context.

    ``uploads`` are the files among the arguments; the holder of the work closes them.
    """

    action: Action[..., Any, Any]
    arguments: Mapping[str, Any]
    context: Mapping[str, Any]
    uploads: Uploads | None = None

    def forget(self) -> None:
        """Drop what the action has, or does not take: only what the attempt's end needs stays."""
        self.arguments = self.context = _NOTHING

    def close(self) -> None:
        """Close the files. Calling it again has no effect."""
        if self.uploads is not None:
            self.uploads.close()


Loader = Callable[[RunRecord], Work]
"""Loads the work of a run from its record."""


class Prepared:
    """A run that this process has just created: its record, and the work of its first attempt.

    An executor that executes the run in this process takes it; the caller of `enqueue` closes it.
    """

    __slots__ = ("_work", "claimed_at", "record")

    def __init__(self, record: RunRecord, work: Work) -> None:
        self.record: RunRecord = record
        self.claimed_at: float | None = None
        """When its first attempt was claimed with it, by the loop's clock, or a little earlier;
        ``None``: it must be claimed."""
        self._work: Work | None = work

    @property
    def fence(self) -> int | None:
        """The fence of the first attempt, if that was claimed."""
        return None if self.claimed_at is None else self.record.fence

    def take(self) -> tuple[RunRecord, Work | None]:
        """Return both. The caller closes the work."""
        work, self._work = self._work, None
        return self.record, work

    def close(self) -> None:
        """Close the work, unless it was taken."""
        if self._work is not None:
            self._work.close()


class Holder(Protocol):
    """An attempt, for the parts of it that its action uses."""

    run: RunRecord
    """The run, as it was when the attempt started."""
    is_lost: bool
    """Whether another attempt continues the run."""

    def own(self, coroutine: Coroutine[Any, Any, Any], /) -> "asyncio.Task[Any]":
        """Run a coroutine in a task that outlives the action."""
        ...

    def stop_by(self, error: YieldwireError, /) -> None:
        """Stop the action: something of it cannot be written."""
        ...


class Executor(Protocol):
    """Decides where runs are executed: in this process, or in the workers of an engine.

    It carries ids only. Leases, fences and the request to cancel are in the store, so an engine
    can deliver an id late, twice, or to a process that is stopping, as long as it delivers it at
    least once to a process that calls `Worker.execute`. Such a process has the same application
    with the same store; `open` passes it its own worker.
    """

    async def open(self, worker: "Worker", /) -> None:
        """Serve the event loop of this call, in which ``worker`` executes the application's runs.

        It can be called again after a `close`, and without a `close` if the event loop is gone.
        """
        ...

    async def enqueue(self, run_id: str, prepared: Prepared | None = None, /) -> None:
        """Make sure that some process executes a pending run.

        Called when a run is created, and by a sweep if a run is recovered, or if no process has
        claimed it within its lease. So it is called more than once for a run that waits for long:
        if an engine can keep one job per key, use the id as the key. An exception is logged, and
        the next such sweep tries again.

        With ``prepared``, the process that started the run can execute it without loading it.
        """
        ...

    async def close(self) -> None:
        """End. The worker has stopped already."""
        ...
