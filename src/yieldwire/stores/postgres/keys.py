"""Starts: the run that a key or a feed already has, limits, and keys that are refused."""

from collections.abc import Sequence
from typing import NamedTuple

from yieldwire.errors import KeyReused
from yieldwire.log import transitions
from yieldwire.log.run import RunRecord
from yieldwire.stores import REFUSALS_KEPT, Admission, start_cancelled, too_many
from yieldwire.stores.postgres.layout import lock_number
from yieldwire.stores.postgres.log import record
from yieldwire.stores.postgres.rows import digest, to_record, to_row
from yieldwire.stores.postgres.session import Row, Session
from yieldwire.stores.queue import claim_seconds


class Refusal(NamedTuple):
    """A key to refuse, and for how many seconds."""

    key: str
    seconds: float


async def create(session: Session, schema: str, run: RunRecord, admission: Admission) -> RunRecord:
    """Do what a store's `create` does.

    Starts with the same key or feed, or with the limits of the same caller, follow one another:
    each sees what the one before has created.
    """
    key, feed = digest(admission.key), digest(admission.feed)
    await session.do("lock", numbers=_locks(schema, run, admission))
    met = await session.all(
        "admission", key=key, feed=feed, action=run.action, quota_key=run.quota_key
    )
    known = await _known(session, admission, met[0])
    if known is not None:
        return known
    too_many(run, admission, same=met[0]["same"], every=met[0]["every"])
    run = transitions.create(run, met[0]["wall"], claims=admission.claims)
    start = {
        "key": key,
        "feed": feed,
        "fingerprint": admission.fingerprint,
        "lease": claim_seconds(run, admission.lease),
        "writer": run.fence if admission.claims else None,
        "is_waiting": run.is_queued,
        "arrival": transitions.arrival_seconds(run),
    }
    await session.do("insert_run", **to_row(run), **start)
    return run


def _locks(schema: str, run: RunRecord, admission: Admission) -> Sequence[int]:
    """Return the numbers of the locks for a start, in an order that is the same for all."""
    is_limited = admission.action_limit is not None or admission.caller_limit is not None
    names = {
        "key": admission.key,
        "feed": admission.feed,
        "caller": run.quota_key if is_limited else None,
    }
    return sorted(
        lock_number(schema, kind, name) for kind, name in names.items() if name is not None
    )


async def _known(session: Session, admission: Admission, met: Row) -> RunRecord | None:
    """Return the existing run for a start, if there is one.

    Raises:
        KeyReused: If the key's run has another fingerprint.
        RunCancelled: If the key was refused.
    """
    if met["key_run"] is not None:
        if met["key_fingerprint"] != admission.fingerprint:
            raise KeyReused
        return await record(session, met["key_run"])
    if met["is_refused"]:
        raise start_cancelled()
    if met["feed_run"] is None:
        return None
    run = await record(session, met["feed_run"])
    await session.do("touch", id=run.id, arrival=transitions.arrival_seconds(run))
    return run


async def refuse_all(
    session: Session, schema: str, refusals: Sequence[Refusal]
) -> Sequence[RunRecord | None]:
    """Return the runs of keys; those that have none are refused."""
    seconds: dict[str, float] = {}
    for each in refusals:
        seconds[each.key] = max(each.seconds, seconds.get(each.key, 0.0))
    keys = {digest(key): key for key in seconds}
    numbers = sorted(lock_number(schema, "key", key) for key in seconds)
    await session.do("lock", numbers=numbers)
    rows = await session.all("runs_of_keys", keys=[*keys])
    known = {keys[row["key"]]: to_record(row) for row in rows}
    unknown = [key for key in seconds if key not in known]
    await session.do(
        "refuse",
        keys=[digest(key) for key in unknown],
        seconds=[seconds[key] for key in unknown],
        most=REFUSALS_KEPT,
    )
    return [known.get(each.key) for each in refusals]
