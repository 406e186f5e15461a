"""Where runs and their logs are kept: the contracts, and the data that they exchange.

A store does not know actions: it keeps records, appends blocks and checks times. Every
implementation passes `yieldwire.testing.StoreContract`; what that suite does not check is
not promised.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final, Literal, Protocol

from yieldwire.errors import NotFound, RateLimited, RunCancelled
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores.blobs import Blobs
from yieldwire.stores.checkpoints import Checkpoints
from yieldwire.stores.deliveries import Deliveries
from yieldwire.stores.inbox import Inbox
from yieldwire.stores.queue import Queue

Reach = Literal["process", "machine", "network"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The conditions for creating a run, checked in the same step that creates it.

    ``key`` is one idempotency key within its owner and action, ``fingerprint`` identifies the
    input. ``feed`` identifies a feed that all of its readers share. The limits count unfinished
    runs of the same caller. ``lease`` is how many seconds the process that creates the run has
    to claim it; ``None``: the store's default. It has no effect on a run that starts later.
    With ``claims`` a new run is claimed in the same step, as by `claim` with this ``lease``. It
    must have no queue, and no time before which it does not start.
    """

    key: str | None = None
    fingerprint: str = ""
    feed: str | None = None
    action_limit: int | None = None
    caller_limit: int | None = None
    lease: float | None = None
    claims: bool = False

    @property
    def is_limited(self) -> bool:
        """Whether the caller's unfinished runs must be counted."""
        return self.action_limit is not None or self.caller_limit is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which runs to find.

    ``everyone`` ignores the owner; ``before`` and ``parent`` are ids of runs.
    """

    owner: str | None = None
    everyone: bool = False
    status: Status | None = None
    action: str | None = None
    label: str | None = None
    parent: str | None = None
    before: str | None = None
    limit: int = 50

    def matches(self, run: RunRecord) -> bool:
        """Whether a run is one of these, as far as its record tells: not ``before``."""
        return (
            (self.everyone or run.owner == self.owner)
            and (self.status is None or run.status is self.status)
            and (self.action is None or run.action == self.action)
            and (self.label is None or self.label in run.labels)
            and (self.parent is None or self.parent == run.parent)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """The revocations since a process last asked.

    Attributes:
        last: The number of the newest revocation, to pass to the next call.
        at: The owners, each with the time of their newest revocation by `time.monotonic`, which
            all processes of a machine share. It is not the store's clock, because it orders
            revocations and requests rather than measuring time.
        is_whole: Whether these are all of them. Stores keep a limited number for a limited time,
            so a process that was suspended for hours can miss some.
    """

    last: int = 0
    at: Mapping[str, float] = field(default_factory=dict)
    is_whole: bool = True


REVOCATIONS_KEPT: Final = 10_000
"""How many revocations a store keeps; processes read them every half second."""
REVOCATION_SECONDS: Final = 3600.0
"""How long a store keeps a revocation, if it outlives the process."""
REFUSALS_KEPT: Final = 10_000
"""How many refused keys a store keeps; a delayed start arrives within minutes."""


def no_such_run(run_id: str) -> NotFound:
    """Return the error for a run that a store does not have."""
    return NotFound(
        f"There is no run {run_id}; it may have ended long ago, or the server was restarted."
    )


def start_cancelled() -> RunCancelled:
    """Return the error for a start whose key was refused before it arrived."""
    return RunCancelled(
        message="This start was cancelled by its Idempotency-Key before it arrived; no run was "
        "created."
    )


def too_many(run: RunRecord, admission: Admission, *, same: int, every: int) -> None:
    """Return if ``run`` can start in addition to the caller's other unfinished runs.

    Args:
        run: The run to create.
        admission: The limits.
        same: How many of the others are runs of the same action.
        every: How many others there are.

    Raises:
        RateLimited: If it would exceed a limit.
    """
    limit = admission.action_limit
    if limit is not None and same >= limit:
        raise RateLimited(f"At most {limit} runs of {run.action} at a time; wait for one to end.")
    limit = admission.caller_limit
    if limit is not None and every >= limit:
        raise RateLimited(f"At most {limit} runs at a time; wait for one to end.")


def page_of(blocks: Iterable[Block], after: int, max_bytes: int) -> list[Block]:
    """Return ``blocks``, the first one cut at ``after``, up to the one that fills ``max_bytes``."""
    page, size = list[Block](), 0
    for whole in blocks:
        page.append(block := whole.after(after))
        size += len(block.body)
        if size >= max_bytes:
            break
    return page


class Store(Protocol):
    """Runs, each with an append-only log without gaps."""

    reach: ClassVar[Reach]
    """Which processes can share the store: those of the same process, machine or network."""

    @property
    def generation(self) -> int:
        """A number that rises whenever the store can have lost what it acknowledged.

        For example when the connection to a server is made again: it can have been restarted from
        an older copy, or be another server. The number rises before that server's first answer is
        returned. 0: what the process has read, the store still has.
        """
        ...

    @property
    def blobs(self) -> Blobs | None:
        """Where input files are kept; ``None`` if they do not outlive the process."""
        ...

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        """Create a run, or return the one that the idempotency key or the feed already has.

        The returned record has the id of ``run`` exactly if the run is new. A key's run is
        returned whatever its status. A feed has one run at a time: the run is returned until it
        has ended or was asked to stop. A new run and a feed's run count as read for the next
        `transitions.arrival_seconds`, so that the caller has the whole linger time to connect, and
        ten seconds at least; unless it is a feed's, only until a reader leaves. A known key
        takes precedence over the feed; a key that arrives with a feed that already has a run is
        not kept.

        Raises:
            KeyReused: If the key's run has another fingerprint. Nothing was created.
            RunCancelled: If the key was refused (`Keys.refuse`). Nothing was created.
            RateLimited: If the caller has too many runs. Nothing was created.
        """
        ...

    async def get(self, run_id: str, /) -> RunRecord:
        """Return the run's current record.

        Raises:
            NotFound: If there is no such run.
        """
        ...

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        """Append ``block`` in one step, all or nothing, and return the last seq.

        Once started it is completed: a cancellation waits for that, and is raised afterwards.

        Args:
            run_id: A run created by `create`.
            block: At least one event, in order. A terminal event, which can only be its last, ends
                the run in the same step.
            after: The seq that the writer expects to be the last one.
            fence: The writer's right to write, as `Leases.claim` gave it.

        Raises:
            NotFound: If there is no such run.
            Fenced: If another writer holds the run, or it is not running.
            AppendConflict: If ``after`` is not the last seq, unless the log already has the same
                events there, which counts as success.
            StoreError: If the store failed; whether it was written is unknown, and the same
                call can be repeated.
        """
        ...

    async def read(
        self, run_id: str, after: int, *, max_bytes: int = 262_144, wait: float = 0.0
    ) -> Sequence[Block]:
        """Return the blocks after ``after``, the first one cut there, about ``max_bytes`` of them.

        If there are none yet, wait for at most ``wait`` seconds until something is appended, the
        run has ended or it is deleted, by whichever process. Empty if there is nothing then. A
        wait can also return early with nothing; the caller reads again. A first block that starts
        later than ``after + 1`` means that the log was trimmed.

        Raises:
            NotFound: If there is no such run, or it was deleted during the wait.
            ForeignCursor: If ``after`` is beyond the log's end.
        """
        ...

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        """Return the matching runs, newest first, at most ``query.limit``."""
        ...


class Leases(Protocol):
    """Who is allowed to write to a run, who reads it, and what happens to it over time."""

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        """Start the next attempt of a pending run: fence and attempt rise, the status is running.

        ``lease`` is how many seconds it is valid without a heartbeat; ``None``: forever.

        Raises:
            NotFound: If there is no such run.
            Fenced: If the run is not pending.
        """
        ...

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        """Renew the lease, and return why the run must be cancelled, if it must.

        Raises:
            Fenced: If another worker has the lease, or the run has ended.
        """
        ...

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        """End a running attempt so that another one follows: the run is pending again.

        The log gets the event ``restarted``, and the fence rises. A sweep gives the run to another
        process only after ``delay`` seconds and the time in which a run must be claimed; one that
        has a queue waits there, and is not taken before ``delay`` seconds have passed. A run that
        was asked to stop is cancelled instead. Whether the run has attempts left is the
        caller's concern.

        Raises:
            NotFound: If there is no such run.
            Fenced: If another writer holds the run, or it is not running.
            StoreError: If the store failed; whether it was restarted is unknown. If the call is
                repeated and is refused, it was, or the right was lost before.
        """
        ...

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        """Ask a run to stop: a pending run is cancelled at once, an ended run does not change.

        The first reason is kept.

        Raises:
            NotFound: If there is no such run.
        """
        ...

    async def asked_to_stop(self, run_ids: Collection[str], /) -> Mapping[str, str]:
        """Return why runs must be cancelled, of those unfinished ones among these that must.

        A process asks this often, for all runs that it executes: between two heartbeats it learns
        so what others asked.
        """
        ...

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        """Run time-based maintenance, and return the runs that changed.

        An attached run that has had no reader for longer than its linger is asked to stop.
        A run whose lease ran out fails as ``INTERRUPTED``, or is pending again, with the event
        ``restarted``, if its record allows another attempt. If processes share the store, a
        pending run that nobody claimed in time is handed to the caller of this method, which
        has ``lease`` seconds to claim it (default: the store's); one that has a queue waits there
        instead. A run without a queue that starts later is handed to the first caller of this
        method after `RunRecord.not_before`, in every store.
        """
        ...

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        """Delete runs: those past their retention, or the given one.

        A run's log, key, inbox and checkpoints are deleted with it.

        Raises:
            NotFound: If the given run does not exist.
            Conflict: If it has not ended.
        """
        ...

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        """Record that ``reader`` follows the run for the next ``seconds``; 0: it has left.

        It is not an error if the run is gone: its readers notice when they read.
        """
        ...


class Keys(Protocol):
    """Idempotency keys of starts that were cancelled before they arrived."""

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        """Return the run of ``key``; if there is none, make `Store.create` refuse the key.

        This is one step: a start with the key is either found here or refused afterwards, for at
        least ``seconds``, until the next sweep. Refusing a key again extends the time. A store
        keeps at least the newest `REFUSALS_KEPT` refused keys.

        Args:
            key: As in `Admission.key`.
            seconds: How long the key is refused.
        """
        ...


class Revocations(Protocol):
    """Revocations of access, for every process that shares the store."""

    async def revoke(self, owner: str, /) -> float:
        """Record that the access of ``owner`` was revoked, and return when, by `time.monotonic`.

        Raises:
            StoreError: If the store failed; whether it was recorded is unknown.
        """
        ...

    async def revoked(self, since: int, /) -> Revoked:
        """Return the revocations after number ``since``; 0 is before the first.

        They are numbered 1, 2, 3, without a gap and across restarts, in the order in which
        `revoke` recorded them. A store keeps at least the newest `REVOCATIONS_KEPT`, at least for
        `REVOCATION_SECONDS` if it outlives the process. If some after ``since`` are no longer
        kept, or ``since`` is a number that was never given, the result is not whole.
        """
        ...


class RunStore(Store, Leases, Queue, Inbox, Checkpoints, Keys, Revocations, Deliveries, Protocol):
    """All contracts together; every included store implements them."""

    async def open(self) -> None:
        """Serve the event loop of this call, also after a close, or in another loop than before.

        Readers that still wait in a closed loop are dropped; runs are kept. Each call needs one
        `close`, and the last of them closes the store. A store that was never opened opens itself.
        """
        ...

    async def close(self) -> None:
        """Release everything that the store holds open.

        A store that was opened by `open` then stays closed until the next `open`.
        """
        ...
