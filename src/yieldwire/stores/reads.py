"""Reads of logs that are under way, each shared by all readers at the same place.

The readers of a run are mostly at its end, so one read serves all of them, and its cost does not
depend on their number.
"""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeAlias

from yieldwire.log.events import Block

Place: TypeAlias = tuple[str, int, int]
"""A run's id, the seq after which to read, and how many bytes."""
Reading: TypeAlias = "asyncio.Future[Sequence[Block]]"


class Reads:
    """Current reads by their place.

    ``ask`` starts a read, of the blocks after a seq of a run.
    """

    def __init__(self, ask: Callable[[str, int, int], Reading]) -> None:
        self._ask = ask
        self._reads: dict[Place, Reading] = {}

    async def page(self, run_id: str, after: int, max_bytes: int) -> Sequence[Block]:
        """Return the blocks after ``after``. A reader that is cancelled stops no other's read."""
        place = (run_id, after, max_bytes)
        reading = self._reads.get(place)
        if reading is None:
            reading = self._reads[place] = self._ask(*place)
            reading.add_done_callback(partial(self._forget, place))
        return await asyncio.shield(reading)

    def _forget(self, place: Place, reading: Reading) -> None:
        if self._reads.get(place) is reading:
            del self._reads[place]

    def forget_all(self) -> None:
        """Let later readers start their own reads, which see what was written by now."""
        self._reads.clear()
