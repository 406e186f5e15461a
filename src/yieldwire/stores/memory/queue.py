"""Queues in memory, in which runs wait for a worker.

Theory of operation. The runs that wait are listed by queue, action, caller and priority, each
list in the order of their creation. So a take looks at the first of each list, however many runs
wait behind it. A run is filed again whenever it can have begun or ceased to wait.
"""

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from itertools import count
from operator import attrgetter
from typing import Final, NamedTuple

from yieldwire.clock import Clock
from yieldwire.log.run import RunRecord
from yieldwire.stores.line import Line, QueuedGroup, QueuedPlace
from yieldwire.stores.memory.awaited import Awaited
from yieldwire.stores.memory.entry import Entry
from yieldwire.stores.memory.lookout import Lookout
from yieldwire.stores.queue import NO_SLOTS, Slots, Waiting, by_caller, next_in_line

_NUMBER: Final = attrgetter("number")


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
        self._numbers = count()
        """Those of runs that have a queue, in the order of their creation."""
        self._lines: dict[_Kind, list[Entry]] = {}
        """The runs that wait, in the order of their numbers."""
        self._taken: dict[str, RunRecord] = {}
        """The other unfinished ones."""
        self._takers = Awaited()

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
            await self._takers.wait(wait)
            entry = self._next(queues, slots)
        if entry is None:
            return None
        entry.lease_until = self._clock.monotonic() + lease
        self._lookout.note(entry)
        self._file(entry)
        return entry.current()

    def _next(self, queues: Collection[str], slots: Mapping[str, Slots]) -> Entry | None:
        waiting = dict[Waiting, Entry]()
        for kind in self._kinds(queues):
            for entry in self._in_line(kind):
                waiting[Waiting(kind.action, kind.caller, kind.priority, entry.number)] = entry
                break
        found = next_in_line(waiting, self._taken_by_action(), slots)
        return None if found is None else waiting[found]

    def _taken_by_action(self) -> Mapping[tuple[str, str], int]:
        return Counter((run.action, run.quota_key) for run in self._taken.values())

    def _kinds(self, queues: Collection[str]) -> Iterator[_Kind]:
        return (kind for kind in self._lines if kind.queue in queues)

    def _in_line(self, kind: _Kind) -> Iterator[Entry]:
        """Iterate over the runs that wait, without those whose time has not come."""
        now = self._clock.now()
        return (entry for entry in self._lines[kind] if (entry.record.not_before or now) <= now)

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        """Return how many runs wait in a queue, and where these are among them."""
        asked, groups = {*run_ids}, list[QueuedGroup]()
        places, first = dict[str, QueuedPlace](), None
        by_group = defaultdict[tuple[str, int], list[Entry]](list)
        for kind in self._kinds([queue]):
            by_group[kind.caller, kind.priority] += self._in_line(kind)
        for (caller, priority), line in by_group.items():
            if not line:
                continue
            line.sort(key=_NUMBER)
            groups.append(QueuedGroup(caller, priority, len(line), line[0].number))
            first = line[0] if first is None else min(first, line[0], key=_NUMBER)
            for rank, entry in enumerate(line):
                if entry.record.id in asked:
                    places[entry.record.id] = QueuedPlace(caller, priority, entry.number, rank)
        since = None
        if first is not None:
            since = max(first.record.created_at, first.record.not_before or 0.0)
        return Line(groups, by_caller(self._taken_by_action()), places, since)

    def _see_queued(self, entry: Entry) -> None:
        """See whether a run that has a queue is new there, waits again, or has ended."""
        self._file(entry)
        self._takers.wake()

    def _file(self, entry: Entry) -> None:
        """List a run that has a queue among those that wait or are taken, as it is now."""
        run, kind = entry.record, _Kind.of(entry.record)
        line = self._lines.setdefault(kind, [])
        place = bisect_left(line, entry.number, key=_NUMBER)
        if place < len(line) and line[place] is entry:
            del line[place]
        self._taken.pop(run.id, None)
        if run.is_queued and entry.lease_until is None:
            line.insert(place, entry)
        elif run.ended_at is None:
            self._taken[run.id] = run
        if not line:
            del self._lines[kind]
