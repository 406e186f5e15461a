"""Queues in memory, in which runs wait for a worker."""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import partial

from yieldwire.clock import Clock
from yieldwire.log.run import RunRecord
from yieldwire.stores.line import Line, QueuedGroup, QueuedPlace
from yieldwire.stores.memory.entry import Entry
from yieldwire.stores.memory.lookout import Lookout
from yieldwire.stores.queue import NO_SLOTS, Slots, Waiting, by_caller, next_in_line
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
        first, taken = dict[tuple[str, str, int], tuple[int, Entry]](), self._taken()
        for number, entry in self._in_line(queues):
            run = entry.record
            first.setdefault((run.action, run.quota_key, run.priority), (number, entry))
        waiting = {Waiting(*kind, number): entry for kind, (number, entry) in first.items()}
        found = next_in_line(waiting, taken, slots)
        return None if found is None else waiting[found]

    def _taken(self) -> Mapping[tuple[str, str], int]:
        runs = [entry.record for entry in self._queued.values() if not _waits(entry)]
        return Counter((run.action, run.quota_key) for run in runs)

    def _in_line(self, queues: Collection[str]) -> Iterator[tuple[int, Entry]]:
        now = self._clock.now()
        for number, entry in enumerate(self._queued.values()):
            run = entry.record
            if run.queue in queues and _waits(entry) and (run.not_before or 0.0) <= now:
                yield number, entry

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        """Return how many runs wait in a queue, and where these are among them."""
        asked, groups = {*run_ids}, dict[tuple[str, int], QueuedGroup]()
        places, since = dict[str, QueuedPlace](), None
        for number, entry in self._in_line([queue]):
            run = entry.record
            kind = run.quota_key, run.priority
            caller, priority, size, first = groups.get(kind) or QueuedGroup(*kind, 0, number)
            if run.id in asked:
                places[run.id] = QueuedPlace(*kind, number, size)
            groups[kind] = QueuedGroup(caller, priority, size + 1, first)
            if since is None:
                since = max(run.created_at, run.not_before or 0.0)
        return Line([*groups.values()], by_caller(self._taken()), places, since)

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


def _waits(entry: Entry) -> bool:
    return entry.record.is_queued and entry.lease_until is None
