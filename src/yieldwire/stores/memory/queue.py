"""Queues in memory, in which runs wait for a worker."""

import asyncio
from collections.abc import Collection, Mapping
from functools import partial

from yieldwire.clock import Clock
from yieldwire.log.run import RunRecord
from yieldwire.stores.memory.entry import Entry
from yieldwire.stores.memory.lookout import Lookout
from yieldwire.stores.queue import NO_SLOTS, Slots, Waiting, next_in_line
from yieldwire.stores.waiters import resolve


class MemoryQueue:
    """The part of a memory store that gives runs to workers. Each step is atomic."""

    _clock: Clock
    _lookout: Lookout

    def __init__(self) -> None:
        self._queued: dict[str, Entry] = {}
        """The unfinished runs that have a queue, in the order of their creation."""
        self._takers: set[asyncio.Future[bool]] = set()

    async def take(
        self,
        queues: Collection[str],
        *,
        slots: Mapping[str, Slots] = NO_SLOTS,
        lease: float,
        wait: float = 0.0,
    ) -> RunRecord | None:
        """Give the run that is next in line to the caller."""
        entry = self._next(queues, slots)
        if entry is None and wait > 0:
            await self._wait_for_news(wait)
            entry = self._next(queues, slots)
        if entry is None:
            return None
        entry.lease_until = self._clock.monotonic() + lease
        self._lookout.note(entry)
        return entry.current()

    async def _wait_for_news(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        taker: asyncio.Future[bool] = loop.create_future()
        timer = loop.call_later(seconds, partial(resolve, taker, is_news=False))
        self._takers.add(taker)
        try:
            await taker
        finally:
            timer.cancel()
            self._takers.discard(taker)

    def _next(self, queues: Collection[str], slots: Mapping[str, Slots]) -> Entry | None:
        now, first = self._clock.now(), dict[tuple[str, str, int], tuple[int, Entry]]()
        taken = dict[tuple[str, str], int]()
        for number, entry in enumerate(self._queued.values()):
            run = entry.record
            if not (run.is_queued and entry.lease_until is None):
                place = run.action, run.quota_key
                taken[place] = taken.get(place, 0) + 1
            elif run.queue in queues and (run.not_before or 0.0) <= now:
                first.setdefault((run.action, run.quota_key, run.priority), (number, entry))
        waiting = {Waiting(*kind, number): entry for kind, (number, entry) in first.items()}
        found = next_in_line(waiting, taken, slots)
        return None if found is None else waiting[found]

    def _see_queued(self, entry: Entry) -> None:
        """See whether a run that has a queue is new there, waits again, or has ended."""
        if entry.record.ended_at is None:
            self._queued.setdefault(entry.record.id, entry)
        else:
            self._queued.pop(entry.record.id, None)
        self._wake_takers()

    def _wake_takers(self) -> None:
        for taker in self._takers:
            resolve(taker, is_news=True)
