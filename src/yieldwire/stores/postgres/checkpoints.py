"""What attempts leave for the next one, in the database that processes share."""

from collections.abc import Mapping

from yieldwire.log import transitions
from yieldwire.stores import no_such_run
from yieldwire.stores.postgres.log import record
from yieldwire.stores.postgres.rows import digest
from yieldwire.stores.postgres.session import Session


async def save(
    session: Session,
    run_id: str,
    checkpoint: tuple[str, bytes],
    *,
    seq: int | None,
    fence: int,
) -> None:
    """Keep a checkpoint, its name and data, as a store's `save` does."""
    name, data = checkpoint
    place = {"seq": seq or 0, "is_place": seq is not None}
    kept = await session.all(
        "save", id=run_id, fence=fence, **place, name=name, digest=digest(name), data=data
    )
    if not kept:
        transitions.save(await record(session, run_id), seq, fence)


async def saved(session: Session, run_id: str) -> Mapping[str, bytes]:
    """Return a run's checkpoints by name.

    Raises:
        NotFound: If there is no such run.
    """
    rows = await session.all("saved", id=run_id)
    if not rows:
        raise no_such_run(run_id)
    return {row["name"]: row["data"] for row in rows if row["name"] is not None}
