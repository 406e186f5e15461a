"""Heartbeats and holds of many runs in a statement, and what happens to runs over time."""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple

from yieldwire.errors import Conflict
from yieldwire.log import transitions
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores import REVOCATION_SECONDS
from yieldwire.stores.postgres.log import keep, locked, record
from yieldwire.stores.postgres.rows import to_record
from yieldwire.stores.postgres.session import Row, Session
from yieldwire.stores.queue import claim_until

logger: Final = logging.getLogger("yieldwire.worker")

RunStep = Callable[[RunRecord, Row], tuple[RunRecord, Block | None]]
"""Decides what changes; the row has the time, as ``now`` and ``wall``."""

SWEPT_AT_ONCE: Final = 100
"""Runs that one transaction of a sweep or a purge changes."""


class Beat(NamedTuple):
    """A heartbeat: the writer's fence, and how many seconds its lease is renewed for."""

    run_id: str
    fence: int
    lease: float


class Hold(NamedTuple):
    """A reader follows a run for the next ``seconds``; 0: it has left."""

    run_id: str
    reader: str
    seconds: float


async def beat_all(session: Session, beats: Sequence[Beat]) -> Sequence[tuple[str | None] | None]:
    """Renew leases, and return why each run must be cancelled, if it must; ``None``: no right."""
    rows = await session.all(
        "renew_leases",
        ids=[beat.run_id for beat in beats],
        fences=[beat.fence for beat in beats],
        leases=[beat.lease for beat in beats],
    )
    reasons = {(row["id"], row["fence"]): (row["cancel_reason"],) for row in rows}
    return [reasons.get((beat.run_id, beat.fence)) for beat in beats]


async def check_right(session: Session, beat: Beat) -> str | None:
    """Raise why a heartbeat has no right."""
    run = await record(session, beat.run_id)
    transitions.check_right(run, beat.fence)
    return run.cancel_reason


async def hold_all(session: Session, holds: Sequence[Hold]) -> Sequence[None]:
    """Record who follows which runs; of what one reader says of a run, the last counts."""
    last = {(hold.run_id, hold.reader): hold for hold in holds}.values()
    here = [hold for hold in last if hold.seconds > 0]
    gone = [hold for hold in last if hold.seconds <= 0]
    if here:
        await session.do("hold", **_columns(here), seconds=[hold.seconds for hold in here])
    if gone:
        await session.do("leave", **_columns(gone))
    return [None] * len(holds)


def _columns(holds: Sequence[Hold]) -> Row:
    return {"ids": [hold.run_id for hold in holds], "readers": [hold.reader for hold in holds]}


async def claim(session: Session, run_id: str, lease: float | None) -> RunRecord:
    """Do what a store's `claim` does."""
    row = await locked(session, run_id)
    run = transitions.claim(to_record(row), row["wall"])
    until = None if lease is None else row["now"] + lease
    return await keep(session, row, run, None, lease_until=until)


async def restart(session: Session, run_id: str, *, fence: int, delay: float) -> RunRecord:
    """Do what a store's `restart` does."""
    row = await locked(session, run_id)
    run, block = transitions.restart(to_record(row), fence, row["wall"], delay)
    until = claim_until(run, row["now"] + delay + transitions.CLAIM_SECONDS)
    return await keep(session, row, run, block, lease_until=until)


async def ask_to_stop(session: Session, run_id: str, reason: str) -> RunRecord:
    """Do what a store's `request_cancel` does."""
    row = await locked(session, run_id)
    known = to_record(row)
    run, block = transitions.ask_to_stop(known, reason, row["wall"])
    if run == known:
        return run
    return await keep(session, row, run, block, lease_until=row["lease_until"])


async def is_due(session: Session) -> bool:
    """Whether a sweep has something to do."""
    row = await session.one("is_due", kept=REVOCATION_SECONDS)
    return row is not None and bool(row["is_due"])


async def forget_old(session: Session) -> None:
    """Delete what nobody needs any more: refused keys and revocations."""
    await session.do("forget_old_refusals")
    await session.do("forget_old_revocations", kept=REVOCATION_SECONDS)


async def stop_forsaken(session: Session) -> Sequence[RunRecord]:
    """Ask some runs to stop that have no readers."""

    def stop(run: RunRecord, row: Row) -> tuple[RunRecord, Block | None]:
        return transitions.ask_to_stop(run, "unattended", row["wall"])

    rows = await session.all("forsaken", limit=SWEPT_AT_ONCE)
    return await step_each(session, rows, stop, None)


async def take_away_lost(session: Session, lease: float) -> Sequence[RunRecord]:
    """Take some runs away from those who lost them; the caller has ``lease`` seconds to claim."""

    def take_away(run: RunRecord, row: Row) -> tuple[RunRecord, Block | None]:
        return transitions.take_away(run, row["wall"])

    rows = await session.all("lost", limit=SWEPT_AT_ONCE)
    return await step_each(session, rows, take_away, lease)


async def step_each(
    session: Session, rows: Sequence[Row], step: RunStep, lease: float | None
) -> Sequence[RunRecord]:
    """Take one step for each of these locked runs, and return those that took it.

    A damaged run that cannot take it does not change, and does not affect the others. Without
    ``lease`` the leases do not change.
    """
    kept = list[RunRecord]()
    for row in rows:
        try:
            run, block = step(to_record(row), row)
        except Exception:
            logger.exception("run %s is damaged and cannot be changed", row["id"])
            continue
        until = row["lease_until"] if lease is None else claim_until(run, row["now"] + lease)
        kept.append(await keep(session, row, run, block, lease_until=until))
    return kept


async def asked_to_stop(session: Session, run_ids: Sequence[str]) -> Mapping[str, str]:
    """Return why runs must be cancelled, of those among these that must."""
    rows = await session.all("asked_to_stop", ids=run_ids)
    return {row["id"]: row["cancel_reason"] for row in rows}


async def has_expired(session: Session) -> bool:
    """Whether a run is past its retention."""
    row = await session.one("has_expired")
    return row is not None and bool(row["has_expired"])


async def purge_expired(session: Session) -> Sequence[str]:
    """Delete some runs that are past their retention, and return their ids."""
    rows = await session.all("expired", limit=SWEPT_AT_ONCE)
    await session.do("forget_runs", ns=[row["n"] for row in rows])
    return [row["id"] for row in rows]


async def purge(session: Session, run_id: str) -> None:
    """Delete a run that has ended.

    Raises:
        NotFound: If there is no such run.
        Conflict: If it has not ended.
    """
    row = await locked(session, run_id)
    if not to_record(row).status.is_terminal:
        raise Conflict(f"Run {run_id} has not ended; cancel it first.")
    await session.do("forget_deliveries", id=run_id)
    await session.do("forget_runs", ns=[row["n"]])
