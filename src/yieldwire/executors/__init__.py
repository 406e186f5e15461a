"""Where and how an action runs: from its function to the events of its run's log.

An executor is told a run's id and nothing else; what it needs to know of the run it gets
from the store, through `Loader`.
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
    """What one run may cost, and how long its end may take.

    Attributes:
        max_events: Events in one log, its end included; a feed that trims has no such limit.
        max_bytes: Bytes of one log, its end included; of a feed that trims, of what it keeps.
        max_event_bytes: Bytes of one event's JSON, the result's included.
        ahead_bytes: How far a run may be ahead of its fastest reader on the same process.
        cancel_within: Seconds that cleanup may take before the run's end is written anyway.
        store_patience: Seconds for which a store that fails is asked again before the run ends.
        threads: Blocking actions that run at a time; more of them wait as pending.
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
    """What an attempt runs: the action, its validated arguments, and its context's facts.

    ``uploads`` are the files among the arguments; the holder of the work closes them.
    """

    action: Action[..., Any, Any]
    arguments: Mapping[str, Any]
    context: Mapping[str, Any]
    uploads: Uploads | None = None

    def close(self) -> None:
        """Close the files. Closing again changes nothing."""
        if self.uploads is not None:
            self.uploads.close()


Loader = Callable[[RunRecord], Work]
"""Finds what a run's record stands for."""


class Executor(Protocol):
    """Decides where runs are executed."""

    def enqueue(
        self, run_id: str, run: RunRecord | None = None, work: Work | None = None, /
    ) -> None:
        """See to it that a pending run is claimed and executed, at least once asked for.

        ``run`` is its record and ``work`` what its attempt needs, where that is at hand; the
        executor closes it.
        """
        ...

    def drop(self, run_id: str, /) -> None:
        """Stop waiting for a turn of a run that has ended before it began."""
        ...

    def nudge(self, run_id: str, reason: str, /) -> None:
        """Stop the run now if it is executed here; elsewhere its heartbeat tells."""
        ...

    async def close(self, grace: float, /) -> None:
        """Let running actions finish for ``grace`` seconds, then end them as ``INTERRUPTED``."""
        ...
