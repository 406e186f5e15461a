"""The metrics of an application, whichever library takes them.

What is counted and measured is here, once; OpenTelemetry and prometheus-client only record it,
under the same names. Events are counted by the block, so that one more costs nothing.
"""

from collections.abc import Callable
from enum import Enum, auto
from time import perf_counter
from typing import Final, NamedTuple, TypeAlias

from yieldwire.errors import ErrorObject, YieldwireError
from yieldwire.hooks import Hooks
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord


class Kind(Enum):
    """How the values of a metric add up."""

    COUNTER = auto()
    GAUGE = auto()
    """Goes up and down."""
    SECONDS = auto()
    """A histogram of times."""


class Metric(NamedTuple):
    """One metric: its name as OpenTelemetry writes it, and the names of its labels."""

    name: str
    kind: Kind
    text: str
    labels: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The unit of its values, as OpenTelemetry writes it."""
        return "s" if self.kind is Kind.SECONDS else ""


Record: TypeAlias = Callable[..., object]
"""Adds a value, its first argument, for the values of the labels, its others."""

RUNS_STARTED: Final = Metric(
    "yieldwire.runs.started", Kind.COUNTER, "Runs that were created.", ("action",)
)
RUNS_ENDED: Final = Metric(
    "yieldwire.runs.ended", Kind.COUNTER, "Runs that have ended.", ("action", "status")
)
STARTS_REFUSED: Final = Metric(
    "yieldwire.starts.refused",
    Kind.COUNTER,
    "Starts that were refused or have failed.",
    ("action", "error.type"),
)
REQUESTS_REFUSED: Final = Metric(
    "yieldwire.requests.refused",
    Kind.COUNTER,
    "Requests that were answered with an error.",
    ("error.type",),
)
FIRST_EVENT: Final = Metric(
    "yieldwire.run.first_event",
    Kind.SECONDS,
    "Time from the start of a run to its first event.",
    ("action",),
)
EVENTS: Final = Metric(
    "yieldwire.events", Kind.COUNTER, "Events that attempts have written.", ("action",)
)
ATTEMPTS_ACTIVE: Final = Metric(
    "yieldwire.attempts.active", Kind.GAUGE, "Attempts that are running.", ("action",)
)
ATTEMPT_DURATION: Final = Metric(
    "yieldwire.attempt.duration",
    Kind.SECONDS,
    "Time of an attempt, by the status of its run afterwards.",
    ("action", "status"),
)
QUEUE_WAIT: Final = Metric(
    "yieldwire.queue.wait",
    Kind.SECONDS,
    "Time that a run has waited in its queue for its first attempt.",
    ("queue",),
)
READERS_ACTIVE: Final = Metric(
    "yieldwire.readers.active", Kind.GAUGE, "Open streams and waiting answers."
)
READERS_RESUMED: Final = Metric(
    "yieldwire.readers.resumed", Kind.COUNTER, "Readers that have continued where they were."
)
STORE_DURATION: Final = Metric(
    "yieldwire.store.duration",
    Kind.SECONDS,
    "Time of a call to the store that does not wait for something to happen.",
    ("method",),
)
STORE_FAILURES: Final = Metric(
    "yieldwire.store.failures", Kind.COUNTER, "Calls in which the store has failed.", ("method",)
)

BOUNDS: Final = (
    *(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0),
)
"""Seconds: from an append in memory to a run of hours."""


class Metrics(Hooks):
    """Records the metrics; ``open_metric`` returns what records one of them."""

    def __init__(self, open_metric: Callable[[Metric], Record]) -> None:
        self._runs_started: Final = open_metric(RUNS_STARTED)
        self._runs_ended: Final = open_metric(RUNS_ENDED)
        self._starts_refused: Final = open_metric(STARTS_REFUSED)
        self._requests_refused: Final = open_metric(REQUESTS_REFUSED)
        self._first_event: Final = open_metric(FIRST_EVENT)
        self._events: Final = open_metric(EVENTS)
        self._attempts_active: Final = open_metric(ATTEMPTS_ACTIVE)
        self._attempt_duration: Final = open_metric(ATTEMPT_DURATION)
        self._queue_wait: Final = open_metric(QUEUE_WAIT)
        self._readers_active: Final = open_metric(READERS_ACTIVE)
        self._readers_resumed: Final = open_metric(READERS_RESUMED)
        self._store_duration: Final = open_metric(STORE_DURATION)
        self._store_failures: Final = open_metric(STORE_FAILURES)
        self._began: dict[tuple[str, int], float] = {}

    def start_refused(self, action: str, error: Exception, /) -> None:
        """Count it."""
        self._starts_refused(1, action, error_type(error))

    def request_refused(self, _method: str, _path: str, error: ErrorObject, /) -> None:
        """Count it."""
        self._requests_refused(1, error.code)

    def run_created(self, run: RunRecord, /) -> None:
        """Count it."""
        self._runs_started(1, run.action)

    def attempt_started(self, run: RunRecord, /) -> None:
        """Count it, and measure how long the run has waited."""
        self._began[run.id, run.attempt] = perf_counter()
        self._attempts_active(1, run.action)
        if run.queue is not None and run.attempt == 1 and run.started_at is not None:
            self._queue_wait(_since_due(run, run.started_at), run.queue)

    def block_appended(self, run: RunRecord, block: Block, /) -> None:
        """Count its events."""
        if block.first == 1:
            self._first_event(_since_due(run, block.at), run.action)
        self._events(block.size, run.action)

    def attempt_ended(self, run: RunRecord, _error: BaseException | None, /) -> None:
        """Measure how long it has taken."""
        seconds = perf_counter() - self._began.pop((run.id, run.attempt))
        self._attempts_active(-1, run.action)
        self._attempt_duration(seconds, run.action, run.status.value)

    def run_ended(self, run: RunRecord, /) -> None:
        """Count it."""
        self._runs_ended(1, run.action, run.status.value)

    def reader_came(self, _run_id: str, _reader: str, after: int, _: RunRecord | None, /) -> None:
        """Count it."""
        self._readers_active(1)
        if after:
            self._readers_resumed(1)

    def reader_left(self, _run_id: str, _reader: str, /) -> None:
        """Count it."""
        self._readers_active(-1)

    def store_called(self, method: str, seconds: float, error: BaseException | None, /) -> None:
        """Measure it."""
        self._store_duration(seconds, method)
        if error is not None:
            self._store_failures(1, method)


def _since_due(run: RunRecord, at: float) -> float:
    """Return the seconds from when a run could start; the clocks of machines differ a little."""
    return max(0.0, at - max(run.created_at, run.not_before or 0.0))


def error_type(error: BaseException) -> str:
    """Return the value of ``error.type``: a code of ours, or the class's name."""
    if isinstance(error, YieldwireError):
        return error.code
    return f"{type(error).__module__}.{type(error).__qualname__}"
