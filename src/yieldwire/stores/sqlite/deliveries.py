"""Webhook deliveries, in the file with their runs."""

import sqlite3
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

from pydantic_core import to_json

from yieldwire.clock import Clock
from yieldwire.log.delivery import Delivery
from yieldwire.stores.deliveries import DEAD_LETTERS_KEPT, Outstanding, by_event
from yieldwire.stores.sqlite.lanes import Lanes


class DeliveryTable:
    """Keeps deliveries, in the caller's transaction.

    ``sql`` has the statements by name.
    """

    def __init__(self, sql: Mapping[str, str], clock: Clock) -> None:
        self._sql, self._clock = sql, clock

    def post(self, connection: sqlite3.Connection, *, deliveries: Sequence[Delivery]) -> None:
        """Add deliveries, which are due at once."""
        for delivery in deliveries:
            row = {**delivery._asdict(), "due_at": self._clock.monotonic()}
            connection.execute(self._sql["insert_delivery"], row)

    def due(
        self, connection: sqlite3.Connection, *, limit: int, without: Collection[str]
    ) -> Sequence[sqlite3.Row]:
        """Return the rows of deliveries that are due."""
        values = {
            "now": self._clock.monotonic(),
            "limit": limit,
            "without": to_json([*without]).decode(),
        }
        return connection.execute(self._sql["due_deliveries"], values).fetchall()

    def claim(
        self, connection: sqlite3.Connection, *, limit: int, lease: float, without: Collection[str]
    ) -> Sequence[Delivery]:
        """Claim deliveries that are due, and return them."""
        until, claimed = self._clock.monotonic() + lease, list[Delivery]()
        for row in self.due(connection, limit=limit, without=without):
            values = {"n": row["n"], "until": until}
            claimed += map(_delivery, connection.execute(self._sql["claim_delivery"], values))
        return claimed

    def settle(
        self,
        connection: sqlite3.Connection,
        *,
        delivery: Delivery,
        failure: str | None,
        again_in: float | None,
    ) -> None:
        """Record what became of a try."""
        values: dict[str, Any] = {"id": delivery.id, "url": delivery.url, "tries": delivery.tries}
        if failure is None:
            connection.execute(self._sql["delete_delivery"], values)
            return
        due_at = None if again_in is None else self._clock.monotonic() + again_in
        values |= {"failure": failure, "due_at": due_at}
        connection.execute(self._sql["retry_delivery"], values)
        if due_at is None:
            connection.execute(self._sql["forget_dead_letters"], {"most": DEAD_LETTERS_KEPT})

    def of_run(self, connection: sqlite3.Connection, *, run_id: str) -> Sequence[Outstanding]:
        """Return the deliveries about a run, in the order of their events."""
        now, found = self._clock.monotonic(), list[Outstanding]()
        for row in connection.execute(self._sql["deliveries_of_run"], {"id": run_id}):
            at = row["due_at"]
            found.append(Outstanding(_delivery(row), None if at is None else max(0.0, at - now)))
        return sorted(found, key=by_event)

    def dead(self, connection: sqlite3.Connection, *, limit: int) -> Sequence[Delivery]:
        """Return deliveries that were given up, the newest first."""
        return [*map(_delivery, connection.execute(self._sql["dead_letters"], {"limit": limit}))]


def _delivery(row: sqlite3.Row) -> Delivery:
    return Delivery._make(row[name] for name in Delivery._fields)


class SQLiteDeliveries:
    """The part of a SQLite store that keeps webhook deliveries."""

    _deliveries: DeliveryTable
    _lanes: Lanes

    async def due(
        self, *, limit: int, lease: float, without: Collection[str] = ()
    ) -> Sequence[Delivery]:
        """Claim deliveries that are due, and return them."""
        # Checked first, so that nobody waits for the file's lock if there is nothing to do.
        if not await self._lanes.read(partial(self._deliveries.due, limit=1, without=without)):
            return []
        claim = partial(self._deliveries.claim, limit=limit, lease=lease, without=without)
        return await self._lanes.writer.do(claim)

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        """Record what became of a try."""
        settle = partial(self._deliveries.settle, failure=failure, again_in=again_in)
        await self._lanes.writer.do(partial(settle, delivery=delivery))

    async def outstanding(self, run_id: str, /) -> Sequence[Outstanding]:
        """Return the deliveries about a run that wait or were given up, in their events' order."""
        return await self._lanes.read(partial(self._deliveries.of_run, run_id=run_id))

    async def dead_letters(self, *, limit: int) -> Sequence[Delivery]:
        """Return deliveries that were given up, the newest first."""
        return await self._lanes.read(partial(self._deliveries.dead, limit=limit))
