"""The steps that a store itself takes in a run's life, as pure functions of its record.

Each returns the new record, and the block to append to the log with it, if any. The store
must do both in one atomic step. Steps that no worker asked for raise the fence, so that none
can follow them.
"""

from typing import Final

from pydantic_core import to_json

from yieldwire.errors import AppendConflict, Fenced, RunCancelled, RunInterrupted
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status, advance

# Once for all runs: an enum finds its members slowly before Python 3.12.
_PENDING: Final = Status.PENDING
_RUNNING: Final = Status.RUNNING
_STARTED: Final = EventType.STARTED
CLAIM_SECONDS: Final = 30.0
"""How long a pending run waits for its process before a sweep gives it to another."""
ARRIVAL_SECONDS: Final = 10.0
"""How long the caller that starts a run has to begin to read, if the run lingers for less."""


def create(run: RunRecord, now: float, *, claims: bool) -> RunRecord:
    """Return the record of a new run, which its creator ``claims`` at once, or claims later."""
    if not claims:
        return run.changed(created_at=now)
    return run.changed(
        created_at=now, status=_RUNNING, fence=int(1000 * now), attempt=1, started_at=now
    )


def claim(run: RunRecord, now: float) -> RunRecord:
    """Start the next attempt.

    Its fence is a time in milliseconds: if the store is replaced by an older copy of itself, an
    attempt that the copy does not know has no right to write to it.

    Raises:
        Fenced: If the run is not pending.
    """
    if run.status is not _PENDING:
        raise Fenced(f"Run {run.id} is {run.status.value}, not pending.")
    return run.changed(
        status=advance(run.status, _STARTED),
        fence=max(run.fence + 1, int(1000 * now)),
        attempt=run.attempt + 1,
        started_at=now,
    )


def check_right(run: RunRecord, fence: int) -> None:
    """Return if the holder of ``fence`` is allowed to write.

    Raises:
        Fenced: If another writer holds the run, or it is not running.
    """
    if run.fence != fence or run.status is not _RUNNING:
        raise Fenced(f"Run {run.id} is {run.status.value}, and this writer has lost it.")


def append(run: RunRecord, block: Block, after: int, now: float) -> RunRecord:
    """Append ``block`` after event ``after``, and end the run if the block has a terminal event.

    Raises:
        AppendConflict: If the log ends elsewhere.
    """
    if run.seq != after or block.first != after + 1:
        lost = "; the store has lost what followed" if run.seq < after else ""
        raise AppendConflict(f"Run {run.id} is at seq {run.seq}, not at {after}{lost}.")
    if block.end is None:
        return run.changed(seq=block.last)
    return run.changed(seq=block.last, status=advance(run.status, block.end), ended_at=now)


def save(run: RunRecord, seq: int | None, fence: int) -> RunRecord:
    """Set the run's saved place to ``seq``, if that is given.

    Raises:
        Fenced: If another writer holds the run, or it is not running.
        AppendConflict: If the log has no such event.
    """
    check_right(run, fence)
    if seq is None:
        return run
    if seq > run.seq:
        raise AppendConflict(f"Run {run.id} is at seq {run.seq}, before {seq}.")
    return run.changed(saved_seq=seq)


def ask_to_stop(run: RunRecord, reason: str, now: float) -> tuple[RunRecord, Block | None]:
    """Record why the run should stop; a pending run is cancelled at once.

    The first reason is kept, and a run that has ended does not change.
    """
    if run.status.is_terminal or run.cancel_reason is not None:
        return run, None
    run = run.changed(cancel_reason=reason)
    if run.status is not _PENDING:
        return run, None
    return _end_without_worker(run, EventType.CANCELLED, RunCancelled(reason), now)


def take_away(run: RunRecord, now: float) -> tuple[RunRecord, Block | None]:
    """Take a run from a worker whose lease ran out.

    If another attempt is allowed it becomes pending again, with the event ``restarted``;
    otherwise it fails as ``INTERRUPTED``. A run that has not started yet stays pending.
    """
    if run.status is _PENDING:
        return run, None
    if run.attempt > run.retries or run.cancel_reason is not None:
        return _end_without_worker(run, EventType.ERROR, RunInterrupted(), now)
    return _restarted(run, now)


def restart(run: RunRecord, fence: int, now: float, delay: float = 0.0) -> tuple[RunRecord, Block]:
    """End the attempt of the holder of ``fence``, so that another one follows.

    A run in a queue waits there for ``delay`` seconds; for others the caller counts them. A run
    that was asked to stop is cancelled instead.

    Raises:
        Fenced: If another writer holds the run, or it is not running.
    """
    check_right(run, fence)
    if run.cancel_reason is not None:
        return _end_without_worker(run, EventType.CANCELLED, RunCancelled(run.cancel_reason), now)
    if delay > 0 and run.queue is not None:
        run = run.changed(not_before=now + delay)
    return _restarted(run, now)


def _restarted(run: RunRecord, now: float) -> tuple[RunRecord, Block]:
    data = to_json({"attempt": run.attempt + 1, "keep": run.saved_seq})
    block = Block.of_event(run.id, run.seq + 1, EventType.RESTARTED, data, now)
    status = advance(run.status, EventType.RESTARTED)
    return run.changed(status=status, fence=run.fence + 1, seq=block.last), block


def _end_without_worker(
    run: RunRecord, kind: EventType, error: RunCancelled | RunInterrupted, now: float
) -> tuple[RunRecord, Block]:
    data = to_json(error.error_object(run.id).to_dict())
    block = Block.of_event(run.id, run.seq + 1, kind, data, now)
    return append(run.changed(fence=run.fence + 1), block, run.seq, now), block


def needs_readers(run: RunRecord) -> bool:
    """Whether the run is asked to stop when it has had no reader for a while."""
    is_to_go_on = run.cancel_reason is None and run.ended_at is None
    return is_to_go_on and not run.detached and run.linger is not None


def arrival_seconds(run: RunRecord) -> float:
    """Return for how long a run counts as read when it is created, or found by its feed.

    The store learns of the caller's reader a little later, and another process can sweep before.
    """
    return max(0.0, ARRIVAL_SECONDS - (run.linger or 0.0))


def is_forsaken(run: RunRecord, read_until: float, now: float) -> bool:
    """Whether a run that needs readers has been without them for longer than its linger."""
    return needs_readers(run) and now - read_until > (run.linger or 0.0)
