"""What is known about the runs of a live view: their order, their pace, and which is selected."""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from yieldwire.errors import Json
from yieldwire.log.run import TERMINAL, Status

WINDOW: Final = 5.0
"""Seconds over which the pace of a run is measured."""
_SHORTEST: Final = 0.5
"""Seconds below which no pace is told."""
_PAUSE: Final = 2.5
"""Seconds after which a run that tells nothing is slower; a list tells about it once a second."""
MOST: Final = 1000
"""How many runs are kept; the oldest that have ended are dropped first."""
FILTERS: Final[Mapping[str, Collection[str]]] = {
    "all": frozenset(Status),
    "active": frozenset(Status) - TERMINAL,
    **{status.value: frozenset({status}) for status in Status},
}
"""The statuses that each filter shows."""


@dataclass(slots=True)
class BoardRow:
    """A run: its newest entry, and when its seq was what."""

    entry: Mapping[str, Json]
    samples: deque[tuple[float, int]] = field(default_factory=deque[tuple[float, int]])

    @property
    def id(self) -> str:
        """The run's id."""
        run_id: str = self.entry["id"]
        return run_id

    @property
    def is_active(self) -> bool:
        """Whether it has not ended."""
        return self.entry["status"] not in TERMINAL

    def rate(self, now: float) -> float | None:
        """Return its events per second over the last `WINDOW`; ``None``: it is not known yet."""
        while len(self.samples) > 1 and self.samples[1][0] <= now - WINDOW:
            self.samples.popleft()
        (since, seq), (until, newest) = self.samples[0], self.samples[-1]
        if now - until >= _PAUSE:
            until = now
        return (newest - seq) / (until - since) if until - since >= _SHORTEST else None


class Board:
    """The runs of a live view. It asks nobody: the caller gives it entries, times and keys."""

    def __init__(self) -> None:
        self._rows: dict[str, BoardRow] = {}
        self._selected: str | None = None
        self._place = 0
        """Where the selection is, if its run disappears."""
        self.filter: str = "all"
        self.words = ""
        """All of them must occur in a run that is listed: in its action, labels, status or id."""

    def __len__(self) -> int:
        """Return how many runs are known."""
        return len(self._rows)

    @property
    def active(self) -> int:
        """How many of them have not ended."""
        return sum(row.is_active for row in self._rows.values())

    def rate(self, now: float) -> float:
        """Return the events per second of all runs."""
        return sum(row.rate(now) or 0.0 for row in self._rows.values() if row.is_active)

    def take(self, entry: Mapping[str, Json], now: float) -> None:
        """Take the newest entry of a run."""
        row = self._rows.setdefault(entry["id"], BoardRow(entry))
        row.entry = entry
        row.samples.append((now, entry["seq"]))
        if len(self._rows) > MOST:
            ended = [each for each in self._rows.values() if not each.is_active]
            oldest = min(
                ended or self._rows.values(), key=lambda each: str(each.entry["createdAt"])
            )
            del self._rows[oldest.id]

    def ids(self) -> Collection[str]:
        """Return the ids of all runs."""
        return list(self._rows)

    def drop_missing(self, known: Collection[str], page: Mapping[str, Json]) -> None:
        """Drop the runs that a list of the newest ones does not have.

        They were deleted or lost, or are too old to be on it: nobody tells about those any more.

        Args:
            known: What the board had when the list was asked for.
            page: The list.
        """
        for run_id in set(known) - {entry["id"] for entry in page["runs"]}:
            self._rows.pop(run_id, None)

    def listed(self) -> Sequence[BoardRow]:
        """Return the runs that the filter shows: first those that have not ended, newest first."""
        statuses, words = FILTERS[self.filter], self.words.casefold().split()
        rows = [
            row
            for row in self._rows.values()
            if row.entry["status"] in statuses and _has(row.entry, words)
        ]
        rows.sort(key=lambda row: (str(row.entry["createdAt"]), row.id), reverse=True)
        rows.sort(key=lambda row: not row.is_active)
        return rows

    def selected(self, rows: Sequence[BoardRow]) -> BoardRow | None:
        """Return the selected one of the listed runs; if it is gone, the one in its place."""
        if not rows:
            return None
        for place, row in enumerate(rows):
            if row.id == self._selected:
                self._place = place
                return row
        self._place = min(self._place, len(rows) - 1)
        return self._select(rows)

    def move(self, by: int) -> None:
        """Select another one, ``by`` places further down, or the last or first there is."""
        rows = self.listed()
        if self.selected(rows) is not None:
            self._place = max(0, min(self._place + by, len(rows) - 1))
            self._select(rows)

    def next_filter(self) -> None:
        """Show the runs of the next filter."""
        names = list(FILTERS)
        self.filter = names[(names.index(self.filter) + 1) % len(names)]

    def _select(self, rows: Sequence[BoardRow]) -> BoardRow:
        self._selected = rows[self._place].id
        return rows[self._place]


def _has(entry: Mapping[str, Json], words: Sequence[str]) -> bool:
    if not words:
        return True
    status = {entry["status"], status_of(entry)}
    text = " ".join([entry["action"], *entry["labels"], *status, entry["id"]]).casefold()
    return all(word in text for word in words)


def status_of(entry: Mapping[str, Json]) -> str:
    """Return a run's status in one word; of a running one also that it asks or stops."""
    status: str = entry["status"]
    if entry.get("cancelRequested"):
        return "stopping"
    return "asking" if entry.get("questions") else status
