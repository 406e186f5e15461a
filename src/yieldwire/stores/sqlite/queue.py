"""Queues in which runs wait for a worker, in the file that processes share."""

import sqlite3
from collections.abc import Collection, Mapping
from functools import partial

from pydantic_core import to_json

from yieldwire.clock import Clock
from yieldwire.log.run import RunRecord
from yieldwire.stores.line import NOBODY, Line, QueuedGroup, QueuedPlace
from yieldwire.stores.queue import NO_SLOTS, Demand, Slots, Waiting, by_caller, next_in_line
from yieldwire.stores.sqlite.file import to_record
from yieldwire.stores.sqlite.lanes import Lanes
from yieldwire.stores.sqlite.log import LogTable
from yieldwire.stores.waits import Waits


class QueueTable:
    """Finds and takes runs, in the caller's transaction.

    A ``demand`` is the key of a `Demand`.
    """

    def __init__(self, log: LogTable, clock: Clock) -> None:
        self._log, self._clock = log, clock

    def next(self, connection: sqlite3.Connection, demand: str) -> int | None:
        """Return the number of the run that is next in line."""
        queues, slots = Demand.of(demand)
        names = to_json(queues).decode()
        rows = self._log.all(connection, "waiting", queues=names, now=self._clock.now())
        if not rows:
            return None
        found = next_in_line((Waiting(*row) for row in rows), self._taken(connection), slots)
        return None if found is None else found.number

    def _taken(self, connection: sqlite3.Connection) -> Mapping[tuple[str, str], int]:
        rows = self._log.all(connection, "taken")
        return {(row["action"], row["quota_key"]): row["count"] for row in rows}

    def line(self, connection: sqlite3.Connection, *, queue: str, run_ids: Collection[str]) -> Line:
        """Return how many runs wait in a queue, and where these are among them."""
        where = {"queue": queue, "now": self._clock.now()}
        groups = [QueuedGroup(*row) for row in self._log.all(connection, "line", **where)]
        if not groups:
            return NOBODY
        ids = to_json([*run_ids]).decode()
        rows = self._log.all(connection, "places", **where, ids=ids) if run_ids else []
        oldest = self._log.one(connection, "waits_since", n=min(each.first for each in groups))
        places = {row["id"]: QueuedPlace(*row[1:]) for row in rows}
        return Line(groups, by_caller(self._taken(connection)), places, oldest["since"])

    def met(self, connection: sqlite3.Connection, *, demands: Collection[str]) -> Mapping[str, int]:
        """Return which of these demands can be met: 1, or 0."""
        return {demand: int(self.is_met(connection, demand)) for demand in demands}

    def is_met(self, connection: sqlite3.Connection, demand: str) -> bool:
        """Whether a run can be taken."""
        return self.next(connection, demand) is not None

    def take(
        self, connection: sqlite3.Connection, *, demand: str, lease: float
    ) -> RunRecord | None:
        """Take the run that is next in line."""
        n = self.next(connection, demand)
        if n is None:
            return None
        until = self._clock.monotonic() + lease
        self._log.one(connection, "take", n=n, until=until)
        return to_record(self._log.one(connection, "run_by_number", n=n))


class SQLiteQueue:
    """The part of a SQLite store that gives runs to workers."""

    _lanes: Lanes
    _queue: QueueTable
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
        demand = Demand([*queues], slots).key()
        run = await self._take(demand, lease)
        if run is None and wait > 0:
            await self._waits.wait(self._waits.takers, demand, 0, wait)
            run = await self._take(demand, lease)
        return run

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        """Return how many runs wait in a queue, and where these are among them."""
        look = partial(self._queue.line, queue=queue, run_ids=run_ids)
        return await self._lanes.read(look)

    async def _take(self, demand: str, lease: float) -> RunRecord | None:
        # Checked first, so that nobody waits for the file's lock if there is nothing to do.
        if not await self._lanes.read(partial(self._queue.is_met, demand=demand)):
            return None
        return await self._lanes.writer.do(partial(self._queue.take, demand=demand, lease=lease))
