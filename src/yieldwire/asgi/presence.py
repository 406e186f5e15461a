"""Tells the store that a run is polled, without a write for every poll."""

import math
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from yieldwire.clock import Clock
from yieldwire.errors import StoreError
from yieldwire.log.run import RunRecord
from yieldwire.log.transitions import needs_readers
from yieldwire.stores import RunStore

MOST_POLLED: Final = 1024
"""How many polled runs are remembered."""


@dataclass(slots=True)
class _Polled:
    """What this process has told the store about one run that is polled here."""

    quarter: float
    waiting: int = 0
    last: float = -math.inf
    """When a poll was last answered."""
    held_until: float = -math.inf


class Polls:
    """Tells the store that runs are polled, rarely enough that polling causes few writes.

    A run that is polled once lingers from then. A run that is polled repeatedly, or by waiting
    polls, is held for a quarter of its linger longer than necessary, so that the next polls need
    no write. It is never stopped too early, and at most that much too late.
    """

    def __init__(self, store: RunStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._id: Final = f"polls-{secrets.token_hex(8)}"
        self._polled: dict[str, _Polled] = {}

    def __len__(self) -> int:
        """The number of remembered runs."""
        return len(self._polled)

    async def note(self, run: RunRecord) -> None:
        """Record that ``run`` is polled."""
        if needs_readers(run):
            polled, now = self._remember(run), self._clock.monotonic()
            is_polled_often = now < max(polled.last, polled.held_until) + polled.quarter
            polled.last = now
            if now >= polled.held_until:
                await self._hold(run.id, polled, polled.quarter if is_polled_often else 0.0)

    @asynccontextmanager
    async def waiting(self, run: RunRecord, seconds: float) -> AsyncGenerator[None, None]:
        """Keep ``run`` attached while a poll waits, for at most ``seconds``."""
        if not needs_readers(run):
            yield
            return
        polled = self._remember(run)
        polled.waiting += 1
        try:
            if self._clock.monotonic() + seconds > polled.held_until:
                await self._hold(run.id, polled, seconds + polled.quarter)
            yield
        finally:
            polled.waiting -= 1
            polled.last = self._clock.monotonic()

    async def settle(self) -> None:
        """Let runs linger that no poll waits for any more, and drop others."""
        now = self._clock.monotonic()
        for run_id, polled in list(self._polled.items()):
            if polled.waiting or now <= polled.last + polled.quarter:
                continue
            if now < polled.held_until:
                await self._hold(run_id, polled, 0.0)
            if not polled.waiting:  # no new poll arrived in between
                self._polled.pop(run_id, None)

    def _remember(self, run: RunRecord) -> _Polled:
        polled = self._polled.pop(run.id, None) or _Polled((run.linger or 0.0) / 4)
        self._polled[run.id] = polled
        if len(self._polled) > MOST_POLLED:  # a dropped run costs another write
            idle = (run_id for run_id, each in self._polled.items() if not each.waiting)
            del self._polled[next(idle, run.id)]
        return polled

    async def _hold(self, run_id: str, polled: _Polled, seconds: float) -> None:
        polled.held_until = self._clock.monotonic() + seconds
        try:
            await self._store.hold(run_id, self._id, seconds=seconds)
        except StoreError:  # if writing fails, reading can still work; the next poll retries
            polled.held_until = -math.inf
