"""Webhook deliveries, next to their runs."""

from collections.abc import Collection, Sequence

from yieldwire.log.delivery import Delivery
from yieldwire.stores.deliveries import DEAD_LETTERS_KEPT, Outstanding, by_event
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.records import (
    member_of,
    number,
    pairs,
    to_delivery,
)
from yieldwire.stores.redis.scripts import Scripts


class RedisDeliveries:
    """The part of a Redis store that keeps webhook deliveries."""

    _links: RedisLinks
    _scripts: Scripts

    async def due(
        self, *, limit: int, lease: float, without: Collection[str] = ()
    ) -> Sequence[Delivery]:
        """Claim deliveries that are due, and return them."""
        take = self._scripts.call("deliver", limit, number(lease), *without)
        return [to_delivery(pairs(fields)) for fields in await self._links.writer.finish(take)]

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        """Record what became of a try."""
        outcome = "delivered" if failure is None else "dead" if again_in is None else "again"
        settle = self._scripts.call(
            "settle",
            member_of(delivery),
            delivery.run_id,
            delivery.tries,
            outcome,
            failure or "",
            number(again_in or 0.0),
            DEAD_LETTERS_KEPT,
        )
        await self._links.writer.finish(settle)

    async def outstanding(self, run_id: str, /) -> Sequence[Outstanding]:
        """Return the deliveries about a run that wait or were given up, in their events' order."""
        told = await self._links.writer.finish(self._scripts.call("outstanding", run_id))
        found = [
            Outstanding(to_delivery(pairs(fields)), max(0.0, float(left)) if left else None)
            for fields, left in told
        ]
        return sorted(found, key=by_event)

    async def dead_letters(self, *, limit: int) -> Sequence[Delivery]:
        """Return deliveries that were given up, the newest first."""
        dead = (b"ZREVRANGE", self._scripts.key("dead"), 0, limit - 1)
        (members,) = await self._links.reader.ask(dead)
        if not members:
            return []
        prefix = self._scripts.key("delivery:").encode()
        hashes = await self._links.reader.ask(*((b"HGETALL", prefix + each) for each in members))
        return [to_delivery(pairs(fields)) for fields in hashes if fields]
