"""Starts of runs: a run is created, and claimed by a process.

That is mostly the same process. The record that it created is still right as long as the run is
pending with the same fence, so its claim needs not read the run.
"""

import sqlite3
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final

from yieldwire.clock import Clock
from yieldwire.log import transitions
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Admission
from yieldwire.stores.sqlite.item import Item
from yieldwire.stores.sqlite.joint import ClaimItem
from yieldwire.stores.sqlite.keys import KeyTable
from yieldwire.stores.sqlite.lanes import Lanes
from yieldwire.stores.sqlite.log import LogTable
from yieldwire.stores.tails import Tails
from yieldwire.stores.waits import Waits

MOST_CREATED: Final = 1000
"""How many records of new runs are kept for their claims, which nearly always follow at once."""


class Created:
    """The newest runs that this process has created and not claimed."""

    def __init__(self) -> None:
        self._runs: OrderedDict[str, RunRecord] = OrderedDict()

    def add(self, run: RunRecord) -> None:
        """Keep a new run, in place of the oldest if there are too many."""
        self._runs[run.id] = run
        if len(self._runs) > MOST_CREATED:
            self._runs.popitem(last=False)

    def pop(self, run_id: str) -> RunRecord | None:
        """Return a run, if it is kept, and drop it."""
        return self._runs.pop(run_id, None)


class CreateItem(Item):
    """A start. Its result is the new run, or the one that its key or its feed already has."""

    __slots__ = ("admission", "keys", "log", "note", "run")

    def __init__(
        self,
        keys: KeyTable,
        log: LogTable,
        note: Callable[[RunRecord], object],
        run: RunRecord,
        admission: Admission,
    ) -> None:
        super().__init__()
        self.keys: KeyTable = keys
        self.log: LogTable = log
        self.note: Callable[[RunRecord], object] = note
        self.run: RunRecord = run
        self.admission: Admission = admission

    def do(self, connection: sqlite3.Connection) -> RunRecord:
        """Create the run, unless it is known."""
        known = self.keys.known(connection, self.admission)
        if known is not None:
            return known
        self.log.insert(connection, self.run, self.admission)
        return self.run

    def tell(self) -> None:
        """Report the outcome."""
        if self.result is self.run and self.error is None:
            self.note(self.run)
        super().tell()


class SQLiteStarts:
    """The part of a SQLite store that creates and claims runs."""

    _clock: Clock
    _created: Created
    _keys: KeyTable
    _lanes: Lanes
    _log: LogTable
    _tails: Tails
    _waits: Waits

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        """Create a run, or return the one that the idempotency key or the feed already has."""
        run = transitions.create(run, self._clock.now(), claims=admission.claims)
        item = CreateItem(self._keys, self._log, self._note_created, run, admission)
        try:
            run = await self._lanes.writer.finish(item)
        finally:
            self._waits.takers.look_for_all()
        return run

    def _note_created(self, run: RunRecord) -> None:
        if run.status is Status.PENDING:
            self._created.add(run)
        self._tails.begin(run.id)

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        """Start the next attempt of a pending run."""
        until = None if lease is None else self._clock.monotonic() + lease
        run = self._created.pop(run_id)
        if run is None:
            claim = partial(self._log.claim, run_id=run_id, lease_until=until)
            return await self._lanes.writer.do(claim)
        item = ClaimItem(self._log, run, transitions.claim(run, self._clock.now()), until)
        claimed: RunRecord = await self._lanes.writer.finish(item)
        return claimed
