"""Runs kept in one SQLite file: nothing to install, and kept over a restart.

Theory of operation. One thread writes, and commits everything that was requested during the
last commit; one thread reads. With WAL both work at the same time. Every method is one
transaction or part of one, so its steps are atomic for all processes that share the file.

Blocks are written one after the other, each with the id of the one before it in its log, and every
sixteenth of a log is in an index. So a commit of blocks of many logs changes few pages, and a
place in a log is found in at most sixteen steps. The blocks that this process wrote last are
cached in memory for its own readers. A reader waits on a future, which an append of this process
resolves. Appends of other processes are noticed by the file's ``data_version``, which is checked
only while somebody waits; then one look-up serves all who wait.

Guarantee: with ``synchronous="NORMAL"`` everything acknowledged survives the death of the
process; with ``"FULL"`` also that of the machine, at about four times the cost of a commit.
"""

import asyncio
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, TypeVar

from pydantic_core import to_json

from yieldwire.clock import CLOCK, Clock, SystemClock
from yieldwire.errors import Conflict
from yieldwire.log import transitions
from yieldwire.log.cursor import check_within
from yieldwire.log.events import Block
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.setting import Rule, Seconds, settings
from yieldwire.stores import (
    REVOCATION_SECONDS,
    Query,
    Reach,
    Revoked,
    no_such_run,
    page_of,
)
from yieldwire.stores.blobs import Blobs, FolderBlobs
from yieldwire.stores.queue import claim_until
from yieldwire.stores.reads import Reads
from yieldwire.stores.sqlite.appends import SQLiteAppends
from yieldwire.stores.sqlite.checkpoints import CheckpointTable
from yieldwire.stores.sqlite.deliveries import DeliveryTable, SQLiteDeliveries
from yieldwire.stores.sqlite.file import FileSettings, Synchronous, to_block, to_record
from yieldwire.stores.sqlite.inbox import InboxTable
from yieldwire.stores.sqlite.joint import Together
from yieldwire.stores.sqlite.keys import KeyTable
from yieldwire.stores.sqlite.lanes import Lanes
from yieldwire.stores.sqlite.log import LogTable
from yieldwire.stores.sqlite.queue import QueueTable, SQLiteQueue
from yieldwire.stores.sqlite.revocations import RevocationTable
from yieldwire.stores.sqlite.starts import Created, SQLiteStarts
from yieldwire.stores.statements import statements
from yieldwire.stores.tails import Tails
from yieldwire.stores.waiters import Heads
from yieldwire.stores.waits import Waits

T = TypeVar("T")


def _is_path(value: object) -> bool:
    if isinstance(value, Path):
        return True
    return isinstance(value, str) and value not in {"", ":memory:"} and "://" not in value


def _path_hint(value: object) -> str:
    if value == ":memory:":
        return "write MemoryStore() instead of it"
    path = value.partition(":///")[2] if isinstance(value, str) else ""
    return f"write {path!r}" if path else ""


_PATH: Final = Rule(_is_path, "the path of a file", _path_hint)


@settings
class SQLiteStore(SQLiteStarts, SQLiteAppends, SQLiteDeliveries, SQLiteQueue):
    """Keeps runs in a file, which processes on the same machine can share.

    Args:
        path: The file; it is created if it does not exist. Its folder must exist.
        synchronous: ``"NORMAL"``: acknowledged events survive the process; ``"FULL"``: the machine.
        busy_timeout: How many seconds a write waits for another process's write.
        clock: The source of time.

    Raises:
        StoreError: From the first call, if the file cannot be used; the message says why.
    """

    reach: ClassVar[Reach] = "machine"
    generation: int = 0

    def __init__(
        self,
        path: Annotated[str | Path, _PATH],
        *,
        synchronous: Synchronous = "NORMAL",
        busy_timeout: Seconds = 10.0,
        clock: Annotated[Clock, CLOCK] | None = None,
    ) -> None:
        path = Path(path)
        self.blobs: Blobs | None = FolderBlobs(path.with_name(path.name + "-files"))
        self._clock = clock or SystemClock()
        self._sql = dict(statements(__package__))
        self._log = LogTable(self._sql, self._clock)
        self._deliveries = DeliveryTable(self._sql, self._clock)
        self._keys, self._revocations = KeyTable(self._sql, self._clock), RevocationTable(self._sql)
        self._messages = InboxTable(self._log, self._clock)
        self._checkpoints = CheckpointTable(self._log)
        self._queue = QueueTable(self._log, self._clock)
        self._tails = Tails()
        self._reads = Reads(self._ask_page)
        settings = FileSettings(path=path, synchronous=synchronous, busy_timeout=busy_timeout)
        self._created = Created()
        together = Together(self._sql, self._clock)
        self._lanes = Lanes(settings, self._clock, together, self._look_for_all)
        self._waits = Waits(
            partial(self._ask_heads, "heads"),
            partial(self._ask_heads, "inbox_heads"),
            self._ask_demands,
            begin=self._lanes.open_reader,
            watch=self._lanes.watch,
            has_all=self._tails.has_all,
        )

    async def get(self, run_id: str, /) -> RunRecord:
        """Return the run's current record."""
        return await self._lanes.read(
            lambda connection: to_record(self._log.row(connection, run_id))
        )

    async def read(
        self, run_id: str, after: int, *, max_bytes: int = 262_144, wait: float = 0.0
    ) -> Sequence[Block]:
        """Return the blocks after ``after``, the first one cut there, or wait for the next."""
        if page := self._tails.page(run_id, after, max_bytes):
            return page
        if wait > 0:
            await self._waits.wait(self._waits.logs, run_id, after, wait)
            if page := self._tails.page(run_id, after, max_bytes):
                return page
        await self._lanes.open_reader()
        return await self._reads.page(run_id, after, max_bytes)

    def _ask_page(self, run_id: str, after: int, max_bytes: int) -> asyncio.Future[Sequence[Block]]:
        def work(connection: sqlite3.Connection) -> Sequence[Block]:
            head = self._log.one(connection, "head", id=run_id)
            if head is None:
                raise no_such_run(run_id)
            if after >= head["seq"]:
                check_within(after, head["seq"])
                return ()
            rows = self._log.behind(connection, head["n"], max(after, head["first_seq"] - 1))
            return page_of((to_block(run_id, row) for row in rows), after, max_bytes)

        return self._lanes.ask(work, size=max_bytes)

    async def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await self._lanes.writer.do(work)
        except BaseException:
            self._tails.doubt()  # it can be in the file, and the caller does not say what it was
            raise
        finally:
            self._reads.forget_all()

    def _ask_heads(self, name: str, run_ids: set[str]) -> asyncio.Future[Heads]:
        values, statement = {"ids": to_json(run_ids).decode()}, self._sql[name]
        return self._lanes.ask(lambda connection: dict(connection.execute(statement, values)))

    def _ask_demands(self, demands: set[str]) -> asyncio.Future[Heads]:
        return self._lanes.ask(partial(self._queue.met, demands=demands))

    def _look_for_all(self) -> None:
        self._tails.doubt()
        self._waits.look_for_all()

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        """Return the matching runs, newest first."""
        return await self._lanes.read(partial(self._log.find, query=query))

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        """Renew the lease, and return why the run must be cancelled, if it must."""
        until = self._clock.monotonic() + lease

        def work(connection: sqlite3.Connection) -> str | None:
            row = self._log.one(connection, "renew_lease", id=run_id, fence=fence, until=until)
            if row is None:
                transitions.check_right(to_record(self._log.row(connection, run_id)), fence)
            return None if row is None else row["cancel_reason"]

        return await self._write(work)

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        """End a running attempt so that another one follows."""
        until = self._clock.monotonic() + delay + transitions.CLAIM_SECONDS

        def work(connection: sqlite3.Connection) -> RunRecord:
            row = self._log.row(connection, run_id)
            run, block = transitions.restart(to_record(row), fence, self._clock.now(), delay)
            claimed_until = claim_until(run, until)
            return self._log.keep(connection, row, run, block, lease_until=claimed_until)

        try:
            return await self._write(work)
        finally:
            self._tails.forget(run_id)
            self._waits.wake(run_id)
            self._waits.takers.look_for_all()

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        """Ask a run to stop."""

        def work(connection: sqlite3.Connection) -> RunRecord:
            row = self._log.row(connection, run_id)
            run, block = transitions.ask_to_stop(to_record(row), reason, self._clock.now())
            if run == to_record(row):
                return run
            return self._log.keep(connection, row, run, block, lease_until=row["lease_until"])

        try:
            return await self._write(work)
        finally:
            self._tails.forget(run_id)  # the log can have been trimmed
            self._waits.wake(run_id)

    async def asked_to_stop(self, run_ids: Collection[str], /) -> Mapping[str, str]:
        """Return why runs must be cancelled, of those among these that must."""
        values, statement = {"ids": to_json([*run_ids]).decode()}, self._sql["asked_to_stop"]
        return await self._lanes.read(lambda read: dict(read.execute(statement, values)))

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        """Run time-based maintenance, and return the runs that changed."""
        now, wall = self._clock.monotonic(), self._clock.now()

        times = {"now": now, "before": time.monotonic() - REVOCATION_SECONDS}

        def due(connection: sqlite3.Connection, name: str) -> list[Any]:
            return [row[0] for row in connection.execute(self._sql[name], times)]

        def work(connection: sqlite3.Connection) -> list[RunRecord]:
            stop = partial(transitions.ask_to_stop, reason="unattended", now=wall)
            stopped = self._log.step_each(connection, due(connection, "forsaken"), stop)
            until = now + (lease or transitions.CLAIM_SECONDS)  # for the caller that gets it here
            take_away, lost = partial(transitions.take_away, now=wall), due(connection, "lost")
            taken = self._log.step_each(connection, lost, take_away, until)
            for n in due(connection, "old_revocations"):
                connection.execute(self._sql["forget_revocations"], {"oldest": n})
            connection.execute(self._sql["forget_old_refusals"], times)
            return list({run.id: run for run in [*stopped, *taken]}.values())

        # Checked first, so that nobody waits for the file's lock if there is nothing to do.
        names = ("forsaken", "lost", "old_revocations", "old_refusals")
        if not await self._lanes.read(lambda read: any(due(read, name) for name in names)):
            return []
        changed = await self._write(work)
        for run in changed:
            self._tails.forget(run.id)
            self._waits.wake(run.id)
        self._waits.takers.look_for_all()
        return changed

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        """Delete runs with their log and key."""
        now = self._clock.monotonic()

        def expired(connection: sqlite3.Connection) -> list[sqlite3.Row]:
            return connection.execute(self._sql["expired"], {"now": now}).fetchall()

        def work(connection: sqlite3.Connection) -> list[str]:
            if run_id is None:
                rows = expired(connection)
            else:
                rows = [self._log.row(connection, run_id)]
                if not to_record(rows[0]).status.is_terminal:
                    raise Conflict(f"Run {run_id} has not ended; cancel it first.")
                connection.execute(self._sql["forget_deliveries"], {"id": run_id})
            for row in rows:
                for name in ("forget_blocks", "forget_input", "forget_readers", "forget_run"):
                    connection.execute(self._sql[name], {"run": row["n"]})
            return [row["id"] for row in rows]

        if run_id is None and not await self._lanes.read(expired):
            return []
        purged = await self._write(work)
        for forgotten in purged:
            self._tails.forget(forgotten)
            self._waits.wake(forgotten)
        return purged

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        """Accept a message to a run that has not ended."""
        send = partial(self._messages.send, run_id=run_id, message=message)
        try:
            return await self._write(partial(send, most=most, most_bytes=most_bytes))
        finally:
            self._waits.inboxes.wake(
                run_id
            )  # also if this call is cancelled: it is accepted anyway

    async def inbox(self, run_id: str, after: int, *, wait: float = 0.0) -> Sequence[Message]:
        """Return the messages after number ``after``, or wait for the next."""
        if wait > 0:
            await self._waits.wait(self._waits.inboxes, run_id, after, wait)
        return await self._lanes.read(partial(self._messages.behind, run_id=run_id, after=after))

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        """Keep ``data`` as the checkpoint ``name``."""
        save = partial(self._checkpoints.save, run_id=run_id, checkpoint=(name, data))
        await self._write(partial(save, seq=seq, fence=fence))

    async def saved(self, run_id: str, /) -> Mapping[str, bytes]:
        """Return the run's checkpoints by name."""
        return await self._lanes.read(partial(self._checkpoints.saved, run_id=run_id))

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        """Record that ``reader`` follows the run for the next ``seconds``; 0: it has left."""
        now = self._clock.monotonic()

        def work(connection: sqlite3.Connection) -> None:
            values = {"id": run_id, "reader": reader, "now": now, "until": now + seconds}
            if seconds > 0:
                connection.execute(self._sql["hold"], values)
            else:
                connection.execute(self._sql["leave"], values)
                connection.execute(self._sql["read"], values)

        await self._write(work)

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        """Return the run of ``key``; if there is none, refuse the key."""
        return await self._write(partial(self._keys.refuse, key=key, seconds=seconds))

    async def revoke(self, owner: str, /) -> float:
        """Record that the access of ``owner`` was revoked, and return when."""
        return await self._write(partial(self._revocations.keep, owner=owner))

    async def revoked(self, since: int, /) -> Revoked:
        """Return the revocations after number ``since``."""
        return await self._lanes.read(partial(self._revocations.behind, since=since))

    async def open(self) -> None:
        """Serve the event loop of this call, also after a close, or in another loop than before."""
        if await self._lanes.openings.open():
            self._waits.forget_all()
            self._reads.forget_all()

    async def close(self) -> None:
        """End both threads, after their queued work, and wake all waiting readers."""
        if self._lanes.openings.leave():
            self._waits.wake_all()
            await self._lanes.openings.release()
