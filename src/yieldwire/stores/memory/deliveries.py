"""Webhook deliveries in memory."""

from collections.abc import Collection, Sequence
from itertools import islice
from typing import Final, TypeAlias

from yieldwire.clock import Clock
from yieldwire.log.delivery import Delivery
from yieldwire.stores.deliveries import DEAD_LETTERS_KEPT, Outstanding, by_event

_Key: TypeAlias = tuple[str, str]

WAITING_KEPT: Final = 10_000
"""How many deliveries can wait; those that wait longest are given up for newer ones."""


class MemoryDeliveries:
    """The part of a memory store that keeps webhook deliveries. Each method is one atomic step."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[_Key, Delivery] = {}
        self._due: dict[_Key, float] = {}
        """When each of those that wait is due."""
        self._dead: dict[_Key, Delivery] = {}

    def _post(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            key = _key(delivery)
            if key not in self._waiting and key not in self._dead:
                self._waiting[key] = delivery
                self._due[key] = self._clock.monotonic()
        for key in [*islice(self._waiting, max(0, len(self._waiting) - WAITING_KEPT))]:
            self._give_up(key, "too many deliveries were waiting")

    async def due(
        self, *, limit: int, lease: float, without: Collection[str] = ()
    ) -> Sequence[Delivery]:
        """Claim deliveries that are due, and return them."""
        now = self._clock.monotonic()
        keys = [key for key, at in self._due.items() if at <= now and key[1] not in without]
        keys.sort(key=self._due.__getitem__)
        return [self._claim(key, now + lease) for key in keys[:limit]]

    def _claim(self, key: _Key, until: float) -> Delivery:
        delivery = self._waiting[key]
        self._due[key] = until
        self._waiting[key] = delivery = delivery._replace(tries=delivery.tries + 1)
        return delivery

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        """Record what became of a try."""
        key = _key(delivery)
        known = self._waiting.get(key) or self._dead.get(key)
        if failure is None:
            self._drop(key)
        elif known is not None and known.tries == delivery.tries:
            if again_in is None:
                self._give_up(key, failure)
            else:
                self._dead.pop(key, None)
                self._waiting[key] = known._replace(failure=failure)
                self._due[key] = self._clock.monotonic() + again_in

    def _give_up(self, key: _Key, failure: str) -> None:
        known = self._waiting.get(key) or self._dead[key]
        self._drop(key)
        self._dead[key] = known._replace(failure=failure)
        if len(self._dead) > DEAD_LETTERS_KEPT:
            del self._dead[next(iter(self._dead))]

    def _drop(self, key: _Key) -> None:
        for place in (self._waiting, self._due, self._dead):
            place.pop(key, None)

    def _forget_deliveries(self, run_id: str) -> None:
        known = [*self._waiting.items(), *self._dead.items()]
        for key in [key for key, delivery in known if delivery.run_id == run_id]:
            self._drop(key)

    async def outstanding(self, run_id: str, /) -> Sequence[Outstanding]:
        """Return the deliveries about a run that wait or were given up, in their events' order."""
        now, known = self._clock.monotonic(), [*self._waiting.items(), *self._dead.items()]
        found = [
            Outstanding(delivery, max(0.0, self._due[key] - now) if key in self._due else None)
            for key, delivery in known
            if delivery.run_id == run_id
        ]
        return sorted(found, key=by_event)

    async def dead_letters(self, *, limit: int) -> Sequence[Delivery]:
        """Return deliveries that were given up, the newest first."""
        return [*islice(reversed(self._dead.values()), limit)]


def _key(delivery: Delivery) -> _Key:
    return delivery.id, delivery.url
