"""Revocations of access, in the database that processes share.

The time of a revocation orders it among requests, by the monotonic clock of their machine. So it
is kept with the machine, and a process of another machine calculates it from the revocation's age:
at the latest moment that is possible, so that no older request keeps its access.
"""

import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from yieldwire.stores import REVOCATIONS_KEPT, Revoked
from yieldwire.stores.postgres.session import Row, Session

_NEVER: Final = float("-inf")


class Revocation(NamedTuple):
    """The access of an owner was revoked at a time of `time.monotonic`."""

    owner: str
    at: float


async def revoke_all(
    session: Session, revocations: Sequence[Revocation], *, machine: str
) -> Sequence[float]:
    """Record revocations of a machine's processes, and return their times."""
    await session.do(
        "revoke",
        owners=[each.owner for each in revocations],
        monotonics=[each.at for each in revocations],
        machine=machine,
        most=REVOCATIONS_KEPT,
    )
    return [each.at for each in revocations]


async def revoked(session: Session, since: int, machine: str) -> Revoked:
    """Return the revocations after number ``since``, to a process of a machine."""
    rows = await session.all("revoked", since=since, machine=machine)
    now, last = time.monotonic(), rows[0]["last"]
    if last == since:
        return Revoked(last=last)
    newer = [row for row in rows if row["owner"] is not None]
    return Revoked(
        last=last,
        at={row["owner"]: _at(row, now) for row in newer},
        is_whole=sum(row["times"] for row in newer) == last - since,
    )


def _at(row: Row, now: float) -> float:
    here = _NEVER if row["at"] is None else row["at"]
    elsewhere = _NEVER if row["age"] is None else now - row["age"]
    return float(max(here, elsewhere))
