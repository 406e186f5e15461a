"""Where runs and their logs are kept: three contracts, and what passes over them.

A store knows no action: it keeps records, appends blocks and tells time. Every
implementation passes `yieldwire.testing.StoreContract`; what that suite does not check is
not promised.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Final, Literal, Protocol

from yieldwire.errors import NotFound, RateLimited
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord, Status

Deliver = Callable[[Block], bool]
"""Takes the block that is new to a waiting reader, and says whether it could."""

Reach = Literal["process", "machine", "network"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What must hold for a run to be created, checked in the same step that creates it.

    ``key`` is one idempotency key within its owner and action, ``fingerprint`` stands for
    the input. ``feed`` identifies a feed that all of its readers share. The limits count runs of
    the same caller that have not ended. ``lease`` is how many seconds the process that creates
    the run has to claim it; ``None``: what the store thinks right.
    """

    key: str | None = None
    fingerprint: str = ""
    feed: str | None = None
    action_limit: int | None = None
    caller_limit: int | None = None
    lease: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which runs to find. ``everyone`` looks past the owner; ``before`` is a run's id."""

    owner: str | None = None
    everyone: bool = False
    status: Status | None = None
    action: str | None = None
    label: str | None = None
    before: str | None = None
    limit: int = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Revoked:
    """Whose access was revoked since a process asked last.

    Attributes:
        last: The number of the newest revocation: what to ask from next time.
        at: The owners, each with the time of their newest revocation by `time.monotonic`, which
            all processes of a machine share. It is not the store's clock, because it orders
            revocations and requests rather than measuring time.
        is_whole: Whether these are all of them. Stores keep a limited number for a limited time,
            which a process that was stopped for hours may miss.
    """

    last: int = 0
    at: Mapping[str, float] = field(default_factory=dict)
    is_whole: bool = True


REVOCATIONS_KEPT: Final = 10_000
"""How many revocations a store keeps; processes ask for them every half second."""
REVOCATION_SECONDS: Final = 3600.0
"""How long a store keeps a revocation, where that outlives the process."""


def no_such_run(run_id: str) -> NotFound:
    """Return the error for a run that a store does not have."""
    return NotFound(
        f"There is no run {run_id}; it may have ended long ago, or the server was started anew."
    )


def too_many(run: RunRecord, admission: Admission, *, same: int, every: int) -> None:
    """Return if ``run`` may begin beside the caller's other runs that have not ended.

    Args:
        run: The run to create.
        admission: The limits.
        same: How many of the others are of the same action.
        every: How many there are.

    Raises:
        RateLimited: If it may not.
    """
    limit = admission.action_limit
    if limit is not None and same >= limit:
        raise RateLimited(f"At most {limit} runs of {run.action} at a time; wait for one to end.")
    limit = admission.caller_limit
    if limit is not None and every >= limit:
        raise RateLimited(f"At most {limit} runs at a time; wait for one to end.")


def offer(block: Block, deliver: Deliver | None, waiter: asyncio.Future[bool]) -> bool:
    """Hand ``block`` to the reader that waits on ``waiter``, and return whether it waits on.

    If ``deliver`` does not take the block, the wait is over. What ``deliver`` raises is raised
    by that wait, and by nothing else: neither the append nor another reader knows of it.
    """
    try:
        if deliver is not None and deliver(block):
            return True
    except BaseException as exc:  # noqa: BLE001 - raised in the reader's own wait
        fail(waiter, exc)
    else:
        resolve(waiter, is_news=True)
    return False


def fail(waiter: asyncio.Future[bool], error: BaseException) -> None:
    """End a wait, unless it is over, by raising what its reader's ``deliver`` raised."""
    if isinstance(error, StopIteration):  # which no future takes
        error, cause = RuntimeError("deliver() raised StopIteration"), error
        error.__cause__ = cause
    if not waiter.done():
        waiter.set_exception(error)


def resolve(waiter: asyncio.Future[bool], *, is_news: bool) -> None:
    """End a wait, unless it is over: because of news, or because its time is over."""
    if not waiter.done():
        waiter.set_result(is_news)


class Store(Protocol):
    """Runs, and for each an append-only log without gaps."""

    reach: ClassVar[Reach]
    """Which processes can share the store: those of the same process, machine or network."""

    @property
    def files(self) -> Path | None:
        """The folder where an input's files may outlive the process; ``None`` where they do not.

        It is used for nothing else: a folder in it that no run needs is deleted.
        """
        ...

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        """Keep a new run, or return the one that the idempotency key or the feed already has.

        The record that comes back has the id of ``run`` exactly when the run is new. A key's
        run is returned whatever became of it. A feed has one run at a time: the run is
        returned while it has not ended and was not asked to stop, and counts as read at this
        moment, so that a new reader has the whole linger time to come. A known key goes before
        the feed; a key that comes with a feed which already has a run is not kept.

        Raises:
            KeyReused: If the key's run has another fingerprint. Nothing was created.
            RateLimited: If the caller has too many runs. Nothing was created.
        """
        ...

    async def get(self, run_id: str, /) -> RunRecord:
        """Return the run as it is.

        Raises:
            NotFound: If there is no such run.
        """
        ...

    async def append(
        self, run_id: str, block: Block, *, after: int, fence: int, end: Status | None = None
    ) -> int:
        """Add ``block`` in one step, all or none, and return the last seq.

        Once begun it is carried out: cancellation waits for that, and comes through after.

        Args:
            run_id: A run made by `create`.
            block: At least one event, in order.
            after: The seq that the writer believes is the last one.
            fence: The writer's right to write, as `Leases.claim` gave it.
            end: The terminal status that the block's last event brings, if it does.

        Raises:
            NotFound: If there is no such run.
            Fenced: If another writer holds the run, or it is not running.
            AppendConflict: If ``after`` is not the last seq, unless what stands there is byte
                for byte the same, which is answered as success; or if ``end`` is not what the
                block's last event brings.
            StoreError: If the store failed; whether it was written is unknown, and the same
                call may be repeated.
        """
        ...

    async def read(self, run_id: str, after: int, *, max_bytes: int = 262_144) -> Sequence[Block]:
        """Return the blocks behind ``after``, the first one cut there, about ``max_bytes`` of them.

        Empty where there is nothing yet. A first block that begins later than ``after + 1``
        means that the log was trimmed.

        Raises:
            NotFound: If there is no such run.
            ForeignCursor: If ``after`` lies beyond the log's end.
        """
        ...

    async def wait(
        self, run_id: str, after: int, *, timeout: float, deliver: Deliver | None = None
    ) -> bool:
        """Return when the log has something behind ``after``, or after ``timeout`` seconds.

        ``False`` says that it was the time. It may return early, also when the run is gone:
        whoever waits reads again. A store may hand ``deliver`` each block that is appended, in
        its event loop and in order, instead of returning; the wait goes on where that is true.
        Whatever ``deliver`` raises, this raises, and no append and no other wait does.
        """
        ...

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        """Return the runs that fit, newest first, at most ``query.limit``."""
        ...


class Leases(Protocol):
    """Who may write to a run, who reads it, and what time does to it."""

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        """Begin the next attempt of a pending run: fence and attempt rise, the status is running.

        ``lease`` is how many seconds the right lasts without a heartbeat; ``None``: for ever.

        Raises:
            NotFound: If there is no such run.
            Fenced: If the run is not pending.
        """
        ...

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        """Renew the lease, and return why the run should be cancelled, if it should.

        Raises:
            Fenced: If the lease is another's, or the run has ended.
        """
        ...

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        """Ask a run to stop: a pending one is cancelled at once, an ended one stays as it is.

        The first reason stays.

        Raises:
            NotFound: If there is no such run.
        """
        ...

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        """Do what time asks, and return the runs that changed.

        An attached run whose readers have been away longer than it lingers is asked to stop.
        A run whose lease ran out fails as ``INTERRUPTED``, or is pending again, with the event
        ``restarted``, where its record allows another attempt. A pending one that nobody claimed
        in time, where processes share the store, is handed to whoever sweeps. Who is handed
        a pending run has ``lease`` seconds to claim it, by default what the store thinks right.
        """
        ...

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        """Forget runs with their log and key, whole: those past their retention, or the one named.

        Raises:
            NotFound: If the run that is named does not exist.
            Conflict: If it has not ended.
        """
        ...

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        """Say that ``reader`` follows the run for the next ``seconds``; 0: it has left.

        A run that is gone is no error: its readers learn of that when they read.
        """
        ...


class Revocations(Protocol):
    """Whose access was revoked, for every process that shares the store."""

    async def revoke(self, owner: str, /) -> float:
        """Keep that the access of ``owner`` was revoked, and return when, by `time.monotonic`.

        Raises:
            StoreError: If the store failed; whether it was kept is unknown.
        """
        ...

    async def revoked(self, since: int, /) -> Revoked:
        """Return the revocations behind number ``since``; 0 is before the first.

        They are numbered 1, 2, 3, without a gap and over every restart, in the order in which
        `revoke` kept them.
        """
        ...


class RunStore(Store, Leases, Revocations, Protocol):
    """All three contracts, as every shipped store has them."""

    async def open(self) -> None:
        """Serve the event loop of this call, also after a close, or in another loop than before.

        Readers that still wait in a closed loop are dropped; runs stay. Each call has one
        `close`, and the last of them closes the store. What is never opened opens by itself.
        """
        ...

    async def close(self) -> None:
        """Let go of everything that the store holds open.

        A store that was opened by `open` opens nothing from then on, until the next `open`.
        """
        ...
