"""The life of a run, as one table, and the record that a store keeps of it.

Rule 1: every change of status is a row of `TRANSITIONS`. No other module decides which
status follows another.
Rule 2: this module does no I/O and does not know its callers.
"""

from binascii import b2a_base64
from collections.abc import Sequence
from enum import StrEnum
from os import urandom
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from yieldwire.errors import IllegalTransition, UsageError
from yieldwire.log.events import EventType


class Status(StrEnum):
    """The status of a run."""

    PENDING = "pending"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_terminal(self) -> bool:
        """Whether the run has ended."""
        return self in TERMINAL


_ENDS: Final = {
    EventType.DONE: Status.COMPLETED,
    EventType.ERROR: Status.FAILED,  # also TIMEOUT, INTERRUPTED, LIMIT_EXCEEDED: codes
    EventType.CANCELLED: Status.CANCELLED,
}

TRANSITIONS: Final[dict[Status, dict[EventType, Status]]] = {
    Status.PENDING: {
        EventType.STARTED: Status.RUNNING,
        EventType.CANCELLED: Status.CANCELLED,
        EventType.ERROR: Status.FAILED,
    },
    Status.RUNNING: {
        EventType.CHUNK: Status.RUNNING,
        EventType.QUESTION: Status.RUNNING,
        EventType.ANSWER: Status.RUNNING,
        EventType.RESTARTED: Status.PENDING,  # the lease ran out, another attempt is allowed
        **_ENDS,
    },
    Status.COMPLETED: {},
    Status.FAILED: {},
    Status.CANCELLED: {},
}

TERMINAL: Final = frozenset(status for status, row in TRANSITIONS.items() if not row)


def advance(status: Status, event: EventType) -> Status:
    """Return the status after ``event``.

    Raises:
        IllegalTransition: If the table has no such row.
    """
    try:
        return TRANSITIONS[status][event]
    except KeyError:
        raise IllegalTransition(f"{event.value!r} cannot happen while {status.value}") from None


Verb: TypeAlias = Literal["read", "answer", "send", "cancel", "delete"]
"""What a caller can do to a run."""


class RunRecord(NamedTuple):
    """One run as a store keeps it. Times are seconds since the epoch, by the store's clock.

    A tuple, because one is created for every change of a run; access its fields by name.
    """

    id: str
    action: str
    quota_key: str
    """Whose quota the run counts against: the owner, or the address of an anonymous caller."""
    owner: str | None = None
    input: bytes = b"{}"
    """The validated input as JSON; an upload is replaced by its name, size and hash."""
    context: bytes = b"{}"
    """What guards put on ``ctx.state``, and facts about the request, as JSON."""
    labels: tuple[str, ...] = ()
    linger: float | None = 30.0
    """Seconds that an attached run waits for a reader to come back; ``None``: forever."""
    detached: bool = False
    timeout: float | None = None
    retries: int = 0
    """How many attempts can follow the first when a worker is lost."""
    retention: float = 3600.0
    """Seconds that the run is kept after its terminal event."""
    keep: int | None = None
    """How many of its newest events a feed keeps; ``None``: all."""
    webhooks: tuple[str, ...] = ()
    """URLs that are told when the run has ended."""
    question_webhooks: tuple[str, ...] = ()
    """URLs that are told when the run asks a question."""
    parent: str | None = None
    """The id of the run whose action started this one."""
    queue: str | None = None
    """The queue whose workers execute the run; ``None``: the process that starts it does."""
    priority: int = 0
    """In a queue, runs with a higher priority are executed first."""
    not_before: float | None = None
    """The time before which the first attempt does not start; in a queue, the next attempt."""

    status: Status = Status.PENDING
    fence: int = 0
    attempt: int = 0
    seq: int = 0
    first_seq: int = 1
    saved_seq: int = 0
    """The event up to which the log stays valid if another attempt follows; 0: none of it."""
    cancel_reason: str | None = None
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None

    def changed(self, **fields: Any) -> "RunRecord":  # noqa: ANN401 - each field's own type
        """Return the record with other values for ``fields``, as `_replace` in half the time."""
        values = [*self]
        for name, value in fields.items():
            values[_PLACES[name]] = value
        return _tuple(RunRecord, values)

    @property
    def is_queued(self) -> bool:
        """Whether it is pending in a queue."""
        return self.queue is not None and self.status is Status.PENDING

    @property
    def is_shared(self) -> bool:
        """Whether this is a feed's one run for all of its readers, which has no owner."""
        return self.quota_key.startswith(SHARED)


_tuple: Final = tuple.__new__
_PLACES: Final = {name: place for place, name in enumerate(RunRecord._fields)}

SHARED: Final = "feed:"
"""The prefix of ``caller`` of a shared feed's run, before the action's name."""


MAX_LABELS: Final = 32
"""Labels of one run: each is in every snapshot and every list."""
MAX_LABEL_LENGTH: Final = 100


def distinct_labels(labels: object) -> tuple[str, ...]:
    """Return the labels of a run, each once, in the order of their first mention.

    Raises:
        UsageError: If one is not a string of 1 to 100 printable characters, if there are more
            than 32, or if ``labels`` is not a list of them.
    """
    if isinstance(labels, (str, bytes)) or not isinstance(labels, Sequence):
        raise UsageError(f"labels is a list of strings such as ['nightly'], not {labels!r:.100}.")
    for label in labels:
        is_text = isinstance(label, str) and label.isprintable() and not label.isspace()
        if not (is_text and 1 <= len(label) <= MAX_LABEL_LENGTH):
            raise UsageError(
                f"{label!r:.100} cannot be a label: a label is a string of 1 to {MAX_LABEL_LENGTH} "
                "printable characters."
            )
    distinct = tuple(dict.fromkeys(labels))
    if len(distinct) > MAX_LABELS:
        raise UsageError(f"A run has at most {MAX_LABELS} labels; these are {len(distinct)}.")
    return distinct


_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


def new_run_id() -> str:
    """Return a run id: a letter and 20 characters of 6 random bits each, never used before."""
    # The letter keeps an id from looking like an option on a command line.
    return "r" + b2a_base64(urandom(15), newline=False).translate(_URL_SAFE).decode()
