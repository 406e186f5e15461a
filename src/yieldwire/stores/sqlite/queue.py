"""Queues in which runs wait for a worker, in the file that processes share."""

import sqlite3
from collections.abc import Collection, Mapping
from functools import partial

from pydantic_core import to_json

from yieldwire.clock import Clock
from yieldwire.log.run import RunRecord
from yieldwire.stores.queue import NO_SLOTS, Demand, Slots, Waiting, next_in_line
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
        taken = {
            (row["action"], row["quota_key"]): row["count"]
            for row in self._log.all(connection, "taken")
        }
        found = next_in_line((Waiting(*row) for row in rows), taken, slots)
        return None if found is None else found.number

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

    async def _take(self, demand: str, lease: float) -> RunRecord | None:
        # Checked first, so that nobody waits for the file's lock if there is nothing to do.
        if not await self._lanes.read(partial(self._queue.is_met, demand=demand)):
            return None
        return await self._lanes.writer.do(partial(self._queue.take, demand=demand, lease=lease))
