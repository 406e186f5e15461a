"""How long a queue is, and how many runs are before one of those that wait in it."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate, groupby
from typing import Final, NamedTuple


class QueuedGroup(NamedTuple):
    """The runs of one caller with one priority that wait in a queue.

    ``first`` is the number of the one that was created first; numbers are smaller for runs that
    were created earlier.
    """

    caller: str
    priority: int
    size: int
    first: int


class QueuedPlace(NamedTuple):
    """One run that waits in a queue, and how many of its own group are before it."""

    caller: str
    priority: int
    number: int
    rank: int


class Line(NamedTuple):
    """The runs that wait in a queue at a moment, without those whose time has not come.

    Attributes:
        groups: All of them.
        taken: How many runs of any queue are taken or running, by caller.
        places: Those that were asked about and wait there, by their ids.
        since: Since when the one that was created first has waited, in seconds since the epoch:
            since its creation, or since it can start. ``None``: none waits.
    """

    groups: Sequence[QueuedGroup]
    taken: Mapping[str, int]
    places: Mapping[str, QueuedPlace]
    since: float | None

    @property
    def depth(self) -> int:
        """How many runs wait."""
        return sum(group.size for group in self.groups)

    def before(self) -> Mapping[str, int]:
        """Return how many runs are before each of those that were asked about.

        This is the order of `next_in_line`, without the limits of actions, if nothing ends or
        comes meanwhile. It is at least as many as there are, and exact for the first run of
        each caller: for the later ones, each other caller can be counted one too many.
        """
        levels, loads, ahead = dict[int, _Level](), defaultdict[str, int](int, self.taken), 0
        in_order = sorted(self.groups, key=lambda group: -group.priority)
        for priority, each in groupby(in_order, key=lambda group: group.priority):
            groups = [*each]
            starts = {group.caller: loads[group.caller] for group in groups}
            levels[priority] = _Level(ahead, starts, groups)
            for group in groups:
                loads[group.caller] += group.size
                ahead += group.size
        return {
            run_id: level.before(place)
            for run_id, place in self.places.items()
            if (level := levels.get(place.priority)) is not None and level.has(place.caller)
        }


NOBODY: Final = Line((), {}, {}, None)
"""The line of a queue in which no run waits."""


class _Level:
    """The runs of one priority.

    The runs of a caller are taken when the caller has ``start``, ``start + 1``, … runs in
    progress. So the number of runs that are taken until every caller has ``load`` is a sum of
    ``min(size, load - start)`` over the callers, of which sorted starts and ends know the parts.
    """

    def __init__(
        self, ahead: int, starts: Mapping[str, int], groups: Collection[QueuedGroup]
    ) -> None:
        self._ahead, self._starts = ahead, starts
        self._begins = _Below(starts.values())
        self._ends = _Below(starts[group.caller] + group.size for group in groups)
        self._firsts = defaultdict[int, list[int]](list)
        for group in sorted(groups, key=lambda group: group.first):
            self._firsts[starts[group.caller]].append(group.first)

    def has(self, caller: str) -> bool:
        """Whether the caller has runs here; a store can look at groups and places one by one."""
        return caller in self._starts

    def before(self, place: QueuedPlace) -> int:
        """Return how many runs are before this one."""
        load = self._starts[place.caller] + place.rank
        taken = self._begins.sum(load + 1) - self._ends.sum(load + 1)  # this one is among them
        firsts = self._firsts.get(load, [])
        later = len(firsts) - bisect_right(firsts, place.number)
        return max(0, self._ahead + taken - 1 - later)


class _Below:
    """Numbers, and by how much those that are below another are below it."""

    def __init__(self, numbers: Iterable[int]) -> None:
        self._numbers = sorted(numbers)
        self._sums = [0, *accumulate(self._numbers)]

    def sum(self, number: int) -> int:
        """Return the sum of the differences."""
        count = bisect_left(self._numbers, number)
        return count * number - self._sums[count]
