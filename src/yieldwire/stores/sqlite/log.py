"""Runs and their logs: one step of one run at a time."""

import logging
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from yieldwire.clock import Clock
from yieldwire.errors import Fenced
from yieldwire.log import transitions
from yieldwire.log.delivery import deliveries_of, is_told
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Admission, Query, no_such_run, too_many
from yieldwire.stores.queue import claim_seconds, claim_until
from yieldwire.stores.sqlite.deliveries import DeliveryTable
from yieldwire.stores.sqlite.failure import is_of_item
from yieldwire.stores.sqlite.file import block_row, to_block, to_record, to_row

logger: Final = logging.getLogger("yieldwire.worker")

_ELSEWHERE: Final = frozenset({"input", "context", "seq", "first_seq"})
"""Fields of a record that are not in the run's row."""


class LogTable:
    """Writes runs and their logs, in the caller's transaction.

    ``sql`` has the statements by name.
    """

    def __init__(self, sql: Mapping[str, str], clock: Clock) -> None:
        self._sql, self._clock, self._deliveries = sql, clock, DeliveryTable(sql, clock)
        self._damaged = set[object]()

    def one(self, connection: sqlite3.Connection, name: str, /, **values: object) -> Any:  # noqa: ANN401
        """Return the first row of a statement's result."""
        return connection.execute(self._sql[name], values).fetchone()

    def all(
        self, connection: sqlite3.Connection, name: str, /, **values: object
    ) -> list[sqlite3.Row]:
        """Return all rows of a statement's result."""
        return connection.execute(self._sql[name], values).fetchall()

    def number(self, connection: sqlite3.Connection, run_id: str) -> int:
        """Return the number of a run in the file.

        Raises:
            NotFound: If there is no such run.
        """
        head = self.one(connection, "head", id=run_id)
        if head is None:
            raise no_such_run(run_id)
        return int(head["n"])

    def row(self, connection: sqlite3.Connection, run_id: str) -> sqlite3.Row:
        """Return a run's row.

        Raises:
            NotFound: If there is none.
        """
        row: sqlite3.Row | None = self.one(connection, "run_by_id", id=run_id)
        if row is None:
            raise no_such_run(run_id)
        return row

    def insert(self, connection: sqlite3.Connection, run: RunRecord, admission: Admission) -> None:
        """Create a run.

        Raises:
            RateLimited: If the caller has too many runs.
        """
        if admission.is_limited:
            live = self.one(connection, "count_live", quota_key=run.quota_key, action=run.action)
            too_many(run, admission, same=live["same"], every=live["every"])
        now = self._clock.monotonic()
        seconds = claim_seconds(run, admission.lease)
        columns = {
            "key": admission.key,
            "fingerprint": admission.fingerprint,
            "feed": admission.feed,
            "lease_until": None if seconds is None else now + seconds,
            "read_until": now + transitions.arrival_seconds(run),
        }
        row = {**to_row(run), **columns}
        # Python's module looks for an adapter of each `None` and each value of type `bytes`, which
        # takes longer than to bind it.
        known = {
            name: value
            for name, value in row.items()
            if value is not None and name not in _ELSEWHERE
        }
        text = _insertion(self._sql["insert_run"], tuple(known))
        n = connection.execute(text, [*known.values()]).lastrowid
        values = n, bytearray(run.input), bytearray(run.context)
        connection.execute(self._sql["insert_input"], values)

    def claim(
        self, connection: sqlite3.Connection, run_id: str, *, lease_until: float | None
    ) -> RunRecord:
        """Start the next attempt of a pending run.

        Raises:
            NotFound: If there is no such run.
            Fenced: If the run is not pending.
        """
        row = self.row(connection, run_id)
        run = transitions.claim(to_record(row), self._clock.now())
        return self.keep(connection, row, run, None, lease_until=lease_until)

    def append(
        self, connection: sqlite3.Connection, block: Block, *, after: int, fence: int
    ) -> int:
        """Do what a store's `append` does, and return the log's first seq."""
        run_id = block.run_id
        needs_record = is_told(block)
        head = self.one(connection, "run_by_id" if needs_record else "head", id=run_id)
        if head is None:
            raise no_such_run(run_id)
        if head["seq"] != after and head["fence"] == fence:
            if self._has(connection, head["n"], block):
                return int(head["first_seq"])
        elif head["seq"] == after == block.first - 1 and not needs_record:
            if head["fence"] != fence or head["status"] != Status.RUNNING.value:
                raise Fenced(f"Run {run_id} is {head['status']}, and this writer has lost it.")
            return self._put(connection, head, block)
        row = head if needs_record else self.row(connection, run_id)
        run = to_record(row)
        transitions.check_right(run, fence)
        step = transitions.append(run, block, after, self._clock.now())
        until = row["lease_until"] if block.end is None else None
        return self.keep(connection, row, step, block, lease_until=until).first_seq

    def keep(
        self,
        connection: sqlite3.Connection,
        row: sqlite3.Row,
        run: RunRecord,
        block: Block | None,
        *,
        lease_until: float | None = None,
    ) -> RunRecord:
        """Write the changes of a step, in the transaction that read ``row``."""
        if block is not None:
            run = run.changed(first_seq=self._put(connection, row, block))
        expires = None
        if run.status.is_terminal:
            expires = self._clock.monotonic() + run.retention
        changes = {
            "n": row["n"],
            "status": run.status.value,
            "fence": run.fence,
            "attempt": run.attempt,
            "cancel_reason": run.cancel_reason,
            "started_at": run.started_at,
            "ended_at": run.ended_at,
            "not_before": run.not_before,
            "lease_until": lease_until,
            "expires_at": expires,
        }
        connection.execute(self._sql["update_run"], changes)
        self._deliveries.post(connection, deliveries=deliveries_of(run, block))
        return run

    def step_each(
        self,
        connection: sqlite3.Connection,
        run_ids: Sequence[str],
        step: Callable[[RunRecord], tuple[RunRecord, Block | None]],
        lease_until: float | None = None,
    ) -> list[RunRecord]:
        """Take one step for each of these runs, and return those that took it.

        A damaged run that cannot take it does not change, and does not affect the others.
        Without ``lease_until`` the leases do not change.
        """
        kept: list[RunRecord] = []
        for run_id in run_ids:
            connection.execute("SAVEPOINT run")
            try:
                row = self.row(connection, run_id)
                run, block = step(to_record(row))
                until = row["lease_until"]
                if lease_until is not None:
                    until = claim_until(run, lease_until)
                kept.append(self.keep(connection, row, run, block, lease_until=until))
            except Exception as exc:
                if not (is_of_item(exc) and connection.in_transaction):
                    raise
                connection.execute("ROLLBACK TO run")
                self._note_damaged(run_id, exc)
            connection.execute("RELEASE run")
        return kept

    def find(self, connection: sqlite3.Connection, query: Query) -> list[RunRecord]:
        """Return the matching runs, newest first, without damaged ones."""
        parts, values = ["SELECT * FROM records WHERE 1"], dict[str, object](limit=query.limit)
        for column in ("status", "action", "parent"):
            if (value := getattr(query, column)) is not None:
                parts.append(f"AND {column} = :{column}")
                values[column] = str(value)
        if not query.everyone:
            parts.append("AND owner IS :owner")
            values["owner"] = query.owner
        if query.label is not None:
            parts.append("AND EXISTS (SELECT 1 FROM json_each(labels) WHERE value = :label)")
            values["label"] = query.label
        if query.before is not None:
            parts.append("AND n < (SELECT n FROM runs WHERE id = :before)")
            values["before"] = query.before
        statement = " ".join([*parts, "ORDER BY n DESC LIMIT :limit"])
        return self._records(connection.execute(statement, values))

    def _records(self, rows: Iterable[sqlite3.Row]) -> list[RunRecord]:
        found: list[RunRecord] = []
        for row in rows:
            try:
                found.append(to_record(row))
            except Exception as exc:  # noqa: BLE001 - whatever the row's values lead to
                self._note_damaged(row["id"], exc)
        return found

    def _note_damaged(self, run_id: object, exc: Exception) -> None:
        if run_id not in self._damaged:  # logged once
            self._damaged.add(run_id)
            logger.error("a run in the file is damaged and is ignored: %s, %s", run_id, exc)

    def _put(self, connection: sqlite3.Connection, head: sqlite3.Row, block: Block) -> int:
        """Append a block, trim the log if it keeps a limited number, and return its first seq."""
        n, keep, first_seq = head["n"], head["keep"], head["first_seq"]
        connection.execute(self._sql["insert_block"], block_row(n, block))
        if keep is not None and block.last - first_seq + 1 > keep:
            oldest = self.one(connection, "block_with", run=n, seq=block.last - keep + 1)
            if oldest["first"] > first_seq:
                first_seq = oldest["first"]
                values = {"run": n, "first": first_seq, "block": oldest["id"]}
                for name in ("trim", "trim_index", "trim_log"):
                    connection.execute(self._sql[name], values)
        return int(first_seq)

    def behind(self, connection: sqlite3.Connection, n: int, after: int) -> Iterator[sqlite3.Row]:
        """Yield the log of run ``n`` after a seq, from the block that it cuts."""
        values = {"run": n, "after": after}
        while rows := connection.execute(self._sql["blocks_behind"], values).fetchall():
            yield from rows
            values["after"] = rows[-1]["last"]

    def _has(self, connection: sqlite3.Connection, n: int, block: Block) -> bool:
        """Whether the log of run ``n`` has exactly the bytes of the block at its place."""
        there: Block | None = None
        for row in self.behind(connection, n, block.first - 1):
            piece = to_block(block.run_id, row)
            if there is None:
                if piece.last < block.first or piece.first > block.first:
                    return False
                there = piece.after(block.first - 1)
            else:
                there = Block.join([there, piece])
            if there.last >= block.last:
                return there.begins_with(block)
        return False


@cache
def _insertion(statement: str, names: tuple[str, ...]) -> str:
    values = ", ".join("?" * len(names))
    return statement.replace(":names", ", ".join(names)).replace(":values", values)
