"""Webhook deliveries, in the database with their runs."""

from collections.abc import Collection, Sequence

from yieldwire.log.delivery import Delivery
from yieldwire.stores.deliveries import DEAD_LETTERS_KEPT, Outstanding, by_event
from yieldwire.stores.postgres.connections import Connections
from yieldwire.stores.postgres.layout import lock_number
from yieldwire.stores.postgres.rows import to_delivery
from yieldwire.stores.postgres.session import Session


async def post(session: Session, deliveries: Sequence[Delivery]) -> None:
    """Add deliveries, which are due at once, in the caller's transaction."""
    for delivery in deliveries:
        await session.do("post", **delivery._asdict())


class PostgresDeliveries:
    """The part of a PostgreSQL store that keeps webhook deliveries."""

    _connections: Connections
    schema: str

    async def due(
        self, *, limit: int, lease: float, without: Collection[str] = ()
    ) -> Sequence[Delivery]:
        """Claim deliveries that are due, and return them."""
        values = {"limit": limit, "lease": lease, "without": [*without]}

        async def claim(session: Session) -> Sequence[Delivery]:
            return [*map(to_delivery, await session.all("claim_deliveries", **values))]

        return await self._connections.do(claim)

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        """Record what became of a try."""

        async def settle(session: Session) -> None:
            values = {"id": delivery.id, "url": delivery.url, "tries": delivery.tries}
            if failure is None:
                await session.do("delete_delivery", **values)
                return
            if again_in is None:  # one after another: each counts the dead letters before it
                await session.do("lock", numbers=[lock_number(self.schema, "dead letters")])
            await session.do("retry_delivery", **values, failure=failure, again_in=again_in)
            if again_in is None:
                await session.do("forget_dead_letters", most=DEAD_LETTERS_KEPT)

        await self._connections.transact(settle)

    async def dead_letters(self, *, limit: int) -> Sequence[Delivery]:
        """Return deliveries that were given up, the newest first."""

        async def find(session: Session) -> Sequence[Delivery]:
            return [*map(to_delivery, await session.all("dead_letters", limit=limit))]

        return await self._connections.do(find)

    async def outstanding(self, run_id: str, /) -> Sequence[Outstanding]:
        """Return the deliveries about a run that wait or were given up, in their events' order."""

        async def find(session: Session) -> Sequence[Outstanding]:
            rows = await session.all("deliveries_of_run", id=run_id)
            return [
                Outstanding(
                    to_delivery(row), None if row["due_at"] is None else float(row["again_in"])
                )
                for row in rows
            ]

        return sorted(await self._connections.do(find), key=by_event)
