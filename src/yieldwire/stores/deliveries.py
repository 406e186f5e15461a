"""The contract for webhook deliveries, which a store keeps with its runs."""

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple, Protocol

from yieldwire.log.delivery import Delivery

DEAD_LETTERS_KEPT: Final = 1_000
"""How many deliveries that were given up a store keeps."""


class Outstanding(NamedTuple):
    """A delivery that its receiver has not confirmed."""

    delivery: Delivery
    again_in: float | None
    """Seconds until the next try; ``None``: it was given up."""


def by_event(each: Outstanding) -> tuple[float, str, str]:
    """Return the key by which deliveries are in the order of their events."""
    return each.delivery.at, each.delivery.id, each.delivery.url


class Deliveries(Protocol):
    """Webhook deliveries: created with the event that they tell, and kept until they are settled.

    The step that appends a block to a log also creates `yieldwire.log.delivery.deliveries_of`, for
    every block, also those that the store writes itself. So whatever crashes, an event that is in
    the log has its deliveries. They are due at once, and do not depend on the run's retention.
    Deleting a run by its id deletes them.
    """

    async def due(
        self, *, limit: int, lease: float, without: Collection[str] = ()
    ) -> Sequence[Delivery]:
        """Claim deliveries that are due, and return them: the one that is due longest first.

        Their ``tries`` count this one. Until they are settled, no call returns them again for
        ``lease`` seconds, in any process; then they are due again, as their process was lost.

        Args:
            limit: The most deliveries to claim.
            lease: Seconds.
            without: URLs whose deliveries are not claimed.
        """
        ...

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        """Record what became of a try.

        Without ``failure`` it was delivered, and is deleted. Otherwise it is due again in
        ``again_in`` seconds, or, if that is ``None``, given up: a dead letter. A failure is ignored
        if the delivery was claimed again since, or is gone.
        """
        ...

    async def outstanding(self, run_id: str, /) -> Sequence[Outstanding]:
        """Return the deliveries about a run that wait or were given up, in their events' order.

        None if there is no such run.
        """
        ...

    async def dead_letters(self, *, limit: int) -> Sequence[Delivery]:
        """Return deliveries that were given up, the newest first.

        A store keeps at least the newest `DEAD_LETTERS_KEPT`. `settle` with ``again_in`` makes one
        due again.
        """
        ...
