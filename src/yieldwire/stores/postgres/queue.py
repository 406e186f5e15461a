"""Queues in which runs wait for a worker, in the database that processes share."""

from collections.abc import Collection, Mapping
from functools import partial

from yieldwire.log.run import RunRecord
from yieldwire.stores.line import NOBODY, Line, QueuedGroup, QueuedPlace
from yieldwire.stores.postgres.connections import Connections
from yieldwire.stores.postgres.layout import lock_number
from yieldwire.stores.postgres.rows import to_record
from yieldwire.stores.postgres.session import Session
from yieldwire.stores.queue import NO_SLOTS, Demand, Slots, Waiting, by_caller, next_in_line
from yieldwire.stores.waits import Waits


async def next_number(session: Session, demand: Demand) -> int | None:
    """Return the number of the run that is next in line; ``None`` if no run can be taken."""
    waiting = await session.all("waiting", queues=[*demand.queues])
    if not waiting:
        return None
    taken = await _taken(session)
    found = next_in_line((Waiting(**row) for row in waiting), taken, demand.slots)
    return None if found is None else found.number


async def _taken(session: Session) -> Mapping[tuple[str, str], int]:
    rows = await session.all("taken")
    return {(row["action"], row["quota_key"]): row["count"] for row in rows}


async def line(session: Session, queue: str, run_ids: Collection[str]) -> Line:
    """Return how many runs wait in a queue, and where these are among them."""
    groups = [QueuedGroup(**row) for row in await session.all("line", queue=queue)]
    if not groups:
        return NOBODY
    rows = await session.all("places", queue=queue, ids=[*run_ids]) if run_ids else []
    oldest = await session.one("waits_since", n=min(each.first for each in groups))
    places = {row.pop("id"): QueuedPlace(**row) for row in map(dict, rows)}
    taken = by_caller(await _taken(session))
    return Line(groups, taken, places, None if oldest is None else oldest["since"])


async def met(session: Session, demands: Collection[str]) -> Mapping[str, int]:
    """Return which of these demands can be met: 1, or 0."""
    numbers = {key: await next_number(session, Demand.of(key)) for key in demands}
    return {key: int(number is not None) for key, number in numbers.items()}


async def take(session: Session, schema: str, demand: Demand, lease: float) -> RunRecord | None:
    """Take the run that is next in line. Takes follow one another: each counts the one before."""
    await session.do("lock", numbers=[lock_number(schema, "queue")])
    number = await next_number(session, demand)
    if number is None:
        return None
    row = await session.one("run_by_number", n=number)
    if row is None:
        return None  # it was cancelled meanwhile; the caller asks again
    await session.do("take", n=number, lease=lease)
    return to_record(row)


class PostgresQueue:
    """The part of a PostgreSQL store that gives runs to workers."""

    _connections: Connections
    schema: str
    _waits: Waits

    async def take(
        self,
        queues: Collection[str],
        *,
        slots: Mapping[str, Slots] = NO_SLOTS,
        lease: float,
        wait: float = 0.0,
    ) -> RunRecord | None:
        """Give the run that is next in line to the caller."""
        demand = Demand(sorted(queues), slots)
        run = await self._take(demand, lease)
        if run is None and wait > 0:
            await self._waits.wait(self._waits.takers, demand.key(), 0, wait)
            run = await self._take(demand, lease)
        return run

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        """Return how many runs wait in a queue, and where these are among them."""
        return await self._connections.do(partial(line, queue=queue, run_ids=run_ids))

    async def _take(self, demand: Demand, lease: float) -> RunRecord | None:
        # Checked first, so that idle workers do not wait for one another.
        if await self._connections.do(partial(next_number, demand=demand)) is None:
            return None
        give = partial(take, schema=self.schema, demand=demand, lease=lease)
        return await self._connections.transact(give)
