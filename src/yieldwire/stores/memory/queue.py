"""Queues in memory, in which runs wait for a worker.

Theory of operation. The runs that wait are listed by queue, action, caller and priority, each
list in the order of their creation. So a take looks at the first of each list, however many runs
wait behind it. A run is filed again whenever it can have begun or ceased to wait.
"""

import asyncio
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import partial
from itertools import count
from operator import itemgetter
from typing import Final, NamedTuple

from yieldwire.clock import Clock
from yieldwire.log.run import RunRecord
from yieldwire.stores.line import Line, QueuedGroup, QueuedPlace
from yieldwire.stores.memory.entry import Entry
from yieldwire.stores.memory.lookout import Lookout
from yieldwire.stores.queue import NO_SLOTS, Slots, Waiting, by_caller, next_in_line
from yieldwire.stores.waiters import resolve

_Numbered = tuple[int, Entry]
_NUMBER: Final = itemgetter(0)


class _Kind(NamedTuple):
    queue: str
    action: str
    caller: str
    priority: int

    @classmethod
    def of(cls, run: RunRecord) -> "_Kind":
        return cls(run.queue or "", run.action, run.quota_key, run.priority)


class MemoryQueue:
    """The part of a memory store that gives runs to workers. Each step is atomic."""

    _clock: Clock
    _lookout: Lookout

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        """The unfinished runs that have a queue, numbered in the order of their creation."""
        self._next_number = count()
        self._lines: dict[_Kind, list[_Numbered]] = {}
        """Those that wait, in the order of their numbers."""
        self._taken: dict[str, RunRecord] = {}
        """The others."""
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
        self._file(entry)
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
        waiting = dict[Waiting, Entry]()
        for kind in self._kinds(queues):
            for number, entry in self._in_line(kind):
                waiting[Waiting(kind.action, kind.caller, kind.priority, number)] = entry
                break
        found = next_in_line(waiting, self._taken_by_action(), slots)
        return None if found is None else waiting[found]

    def _taken_by_action(self) -> Mapping[tuple[str, str], int]:
        return Counter((run.action, run.quota_key) for run in self._taken.values())

    def _kinds(self, queues: Collection[str]) -> Iterator[_Kind]:
        return (kind for kind in self._lines if kind.queue in queues)

    def _in_line(self, kind: _Kind) -> Iterator[_Numbered]:
        """Iterate over the runs that wait, without those whose time has not come."""
        now = self._clock.now()
        for numbered in self._lines[kind]:
            not_before = numbered[1].record.not_before
            if not_before is None or not_before <= now:
                yield numbered

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        """Return how many runs wait in a queue, and where these are among them."""
        asked, groups = {*run_ids}, list[QueuedGroup]()
        places, first = dict[str, QueuedPlace](), None
        by_group = dict[tuple[str, int], list[_Numbered]]()
        for kind in self._kinds([queue]):
            by_group.setdefault((kind.caller, kind.priority), []).extend(self._in_line(kind))
        for (caller, priority), line in by_group.items():
            if not line:
                continue
            line.sort(key=_NUMBER)
            groups.append(QueuedGroup(caller, priority, len(line), line[0][0]))
            first = line[0] if first is None else min(first, line[0], key=_NUMBER)
            for rank, (number, entry) in enumerate(line):
                if entry.record.id in asked:
                    places[entry.record.id] = QueuedPlace(caller, priority, number, rank)
        since = None
        if first is not None:
            since = max(first[1].record.created_at, first[1].record.not_before or 0.0)
        return Line(groups, by_caller(self._taken_by_action()), places, since)

    def _see_queued(self, entry: Entry) -> None:
        """See whether a run that has a queue is new there, waits again, or has ended."""
        self._file(entry)
        self._wake_takers()

    def _wake_takers(self) -> None:
        for taker in self._takers:
            resolve(taker, is_news=True)

    def _file(self, entry: Entry) -> None:
        """List a run that has a queue among those that wait or are taken, as it is now."""
        run, is_new = entry.record, entry.record.id not in self._numbers
        number = next(self._next_number) if is_new else self._numbers[run.id]
        waited, waits = not is_new and run.id not in self._taken, _waits(entry)
        if waits and not waited:
            insort(self._lines.setdefault(_Kind.of(run), []), (number, entry), key=_NUMBER)
        elif waited and not waits:
            self._unlist(_Kind.of(run), number)
        self._taken.pop(run.id, None)
        self._numbers.pop(run.id, None)
        if run.ended_at is None:
            self._numbers[run.id] = number
            if not waits:
                self._taken[run.id] = run

    def _unlist(self, kind: _Kind, number: int) -> None:
        line = self._lines[kind]
        del line[bisect_left(line, number, key=_NUMBER)]
        if not line:
            del self._lines[kind]


def _waits(entry: Entry) -> bool:
    return entry.record.is_queued and entry.lease_until is None
