"""Where and how an action runs: from its function to the events of its run's log.

An executor gets a run's id and nothing else; everything else that it needs to know about the
run comes from the store, through `Loader`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from yieldwire.actions.action import Action
from yieldwire.actions.upload import Uploads
from yieldwire.log.run import RunRecord
from yieldwire.setting import SECONDS, Rules, count, settings

RUN_LIMITS: Final[Rules] = {
    "max_events": count(1),
    "max_bytes": count(1),
    "max_event_bytes": count(1),
    "ahead_bytes": count(1),
    "cancel_within": SECONDS,
    "store_patience": SECONDS,
    "threads": count(1),
}


@settings(RUN_LIMITS)
@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """The limits for one run, and for the time that its end can take.

    Attributes:
        max_events: Events in one log, including its end; a feed that trims has no such limit.
        max_bytes: Bytes of one log, including its end; for a feed that trims, of what it keeps.
        max_event_bytes: Bytes of one event's JSON, including the result's.
        ahead_bytes: How far a run can be ahead of its fastest reader in the same process.
        cancel_within: Seconds that cleanup can take before the run's end is written anyway.
        store_patience: Seconds for which a failing store is retried before the run ends.
        threads: Blocking actions that can run at the same time; others wait as pending.
    """

    max_events: int = 5_000_000
    max_bytes: int = 256 * 1024 * 1024
    max_event_bytes: int = 4 * 1024 * 1024
    ahead_bytes: int = 4 * 1024 * 1024
    cancel_within: float = 5.0
    store_patience: float = 10.0
    threads: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What an attempt runs: the action, its validated arguments, and facts for its context.

    ``uploads`` are the files among the arguments; the holder of the work closes them.
    """

    action: Action[..., Any, Any]
    arguments: Mapping[str, Any]
    context: Mapping[str, Any]
    uploads: Uploads | None = None

    def close(self) -> None:
        """Close the files. Calling it again has no effect."""
        if self.uploads is not None:
            self.uploads.close()


Loader = Callable[[RunRecord], Work]
"""Loads the work of a run from its record."""


class Executor(Protocol):
    """Decides where runs are executed."""

    def enqueue(
        self, run_id: str, run: RunRecord | None = None, work: Work | None = None, /
    ) -> None:
        """Make sure that a pending run is claimed and executed, at least once requested.

        ``run`` is its record and ``work`` what its attempt needs, if available; the executor
        closes it.
        """
        ...

    def drop(self, run_id: str, /) -> None:
        """Stop waiting for a run that has ended before it started."""
        ...

    def nudge(self, run_id: str, reason: str, /) -> None:
        """Stop the run now if it is executed here; in other processes its heartbeat does."""
        ...

    async def close(self, grace: float, /) -> None:
        """Let running actions finish for ``grace`` seconds, then end them as ``INTERRUPTED``."""
        ...
