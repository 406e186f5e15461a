"""Where runs wait: how many are before them in their queue, about how long, or until when.

Theory of operation. A queue is looked at once a second at most, for all readers in this process
together: streams follow their runs and are told of changes, snapshots use the last look. A look
that takes long makes the next one later, so that looking stays a small part of all work. The
pace of a queue is what was seen of it: by how much followed runs have moved forward.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Self

from yieldwire.clock import Clock
from yieldwire.errors import Json, NotFound, StoreError
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.snapshot import iso_time
from yieldwire.stores import RunStore
from yieldwire.tasks import Tasks

LOOK_EVERY: Final = 1.0
"""Seconds between two looks at a queue, if they are quick."""
SHARE: Final = 0.05
"""The part of the time that looks at a queue can take."""
ASKED_FOR: Final = 30.0
"""For how many seconds a run is looked up after a snapshot of it."""
PACE_SECONDS: Final = 600.0
PACE_MOVES: Final = 50
"""The pace is that of this time, or of this number of moves if they took less."""
FINE: Final = 50
"""A place is told again if it has changed by more than one part in this many."""


class Standing(NamedTuple):
    """Where a pending run waits.

    Attributes:
        before: About how many runs are before it in its queue; ``None`` if that is not known.
        expected: About how many seconds it waits; ``None`` if that is not known.
        not_before: The time before which it does not start, in seconds since the epoch.
    """

    before: int | None = None
    expected: float | None = None
    not_before: float | None = None

    def to_json(self) -> Json:
        """Return it as on the wire."""
        return {
            "before": self.before,
            "expectedMs": None if self.expected is None else round(1000 * self.expected),
            "notBefore": iso_time(self.not_before),
        }

    def differs(self, other: "Standing") -> bool:
        """Whether a reader should be told of ``other`` after this."""
        if self.before is None or other.before is None:
            return self != other
        if (self.expected is None) != (other.expected is None):
            return True
        return abs(self.before - other.before) > self.before // FINE


def json_of(standing: Standing | None) -> Json:
    """Return a standing as on the wire; ``None`` for a run that does not wait."""
    return None if standing is None else standing.to_json()


class Pace:
    """How fast a queue moves."""

    def __init__(self) -> None:
        self._moves = deque[float]((), PACE_MOVES)
        self._since: float | None = None

    def see(self, now: float, moved: int) -> None:
        """Record that ``moved`` runs have left the queue since the last call."""
        if self._since is None:
            self._since = now
        self._moves.extend([now] * min(moved, PACE_MOVES))
        while self._moves and self._moves[0] < now - PACE_SECONDS:
            self._moves.popleft()

    def seconds_for(self, runs: int, now: float) -> float | None:
        """Return in about how many seconds this many runs leave; ``None`` if none was seen."""
        if self._since is None or not self._moves:
            return None
        is_full = len(self._moves) == PACE_MOVES
        since = self._moves[0] if is_full else max(self._since, now - PACE_SECONDS)
        return runs * max(now - since, LOOK_EVERY) / len(self._moves)


class QueueView:
    """What is known of a queue in this process."""

    def __init__(self, store: RunStore, queue: str) -> None:
        self._store, self._queue = store, queue
        self._asked: dict[str, float] = {}
        """The runs to look up, each with the time until when."""
        self._lock, self._pace = asyncio.Lock(), Pace()
        self._before: Mapping[str, int] = {}
        self.looked_at: float = -1.0
        self._next_at = -1.0
        """When the last look began."""

    def ask(self, run_id: str) -> None:
        """Look the run up for a while."""
        self._asked[run_id] = asyncio.get_running_loop().time() + ASKED_FOR

    async def look(self) -> None:
        """Look at the queue, unless that was done a moment ago.

        Raises:
            StoreError: If the store failed.
        """
        loop = asyncio.get_running_loop()
        async with self._lock:
            began = loop.time()
            if began < self._next_at:
                return
            self._asked = {run: until for run, until in self._asked.items() if until > began}
            before = (await self._store.line(self._queue, [*self._asked])).before()
            took = loop.time() - began
            self._pace.see(began, self._moved(before))
            self._before, self.looked_at = before, began
            self._next_at = began + max(LOOK_EVERY, took / SHARE)

    def _moved(self, before: Mapping[str, int]) -> int:
        """Return how many runs have left since the last look, as far as that can be seen.

        Of the runs that are gone only one that was the first counts: others can be cancelled.
        """
        ahead = [was - before[run] for run, was in self._before.items() if run in before]
        first = [1 for run, was in self._before.items() if run not in before and was == 0]
        return max([0, *ahead, sum(first)])

    def standing(self, run_id: str) -> Standing | None:
        """Return where the run was at the last look; ``None`` if it was not there."""
        before = self._before.get(run_id)
        if before is None:
            return None
        return Standing(before, self._pace.seconds_for(before + 1, self.looked_at))


class Standings:
    """The standings of one application's runs."""

    def __init__(self, store: RunStore, clock: Clock) -> None:
        self._store = store
        self.clock = clock
        self._views: dict[str, QueueView] = {}
        self._followed: dict[FollowedRun, None] = {}
        self._tasks: Tasks | None = None
        self._looking: asyncio.Task[None] | None = None

    def begin(self, tasks: Tasks) -> None:
        """Look at queues in the running loop, in one of ``tasks``; forget what was seen before."""
        self._tasks, self._looking = tasks, None
        self._views, self._followed = {}, {}

    async def of(self, run: RunRecord) -> Standing | None:
        """Return where the run waits; ``None`` if it does not."""
        late = self._late(run)
        if late is not None or run.queue is None or run.status is not Status.PENDING:
            return late
        view = self._view(run.queue)
        view.ask(run.id)
        try:
            await view.look()
        except StoreError:
            return Standing()
        return view.standing(run.id) or Standing()

    def add(self, followed: "FollowedRun") -> None:
        """Tell a reader from now on, while the run waits."""
        self._followed[followed] = None
        if self._tasks is not None and self._looking is None:
            self._looking = self._tasks.own(self._look())

    def drop(self, followed: "FollowedRun") -> None:
        """Tell a reader no longer."""
        self._followed.pop(followed, None)

    async def _look(self) -> None:
        try:
            while followed_now := list(self._followed):
                for followed in followed_now:
                    if followed.run.queue is not None:
                        self._view(followed.run.queue).ask(followed.run.id)
                for followed in followed_now:
                    try:
                        await self._update(followed)
                    except NotFound:
                        self.drop(followed)
                    except StoreError:
                        continue  # the next look tries again
                await asyncio.sleep(LOOK_EVERY)
        finally:
            self._looking = None

    async def _update(self, followed: "FollowedRun") -> None:
        run = followed.run
        standing = self._late(run)
        if standing is None and run.queue is not None:
            view = self._view(run.queue)
            await view.look()
            standing = view.standing(run.id)
            if standing is None and view.looked_at < followed.since:
                return  # it can be there since
        if standing is None:
            run = await self._store.get(run.id)
            standing = self._late(run)
        if standing is not None or run.status is not Status.PENDING:
            followed.tell(run, standing)
        else:
            followed.run = run  # it was taken

    def _view(self, queue: str) -> QueueView:
        if queue not in self._views:
            self._views[queue] = QueueView(self._store, queue)
        return self._views[queue]

    def _late(self, run: RunRecord) -> Standing | None:
        is_late = run.not_before is not None and run.not_before > self.clock.now()
        if not is_late or run.status is not Status.PENDING:
            return None
        return Standing(not_before=run.not_before)


class FollowedRun:
    """A run of whose standing a reader is told, while this is entered."""

    def __init__(
        self,
        standings: Standings,
        run: RunRecord,
        standing: Standing | None,
        notify: Callable[[], object],
    ) -> None:
        self._standings, self._notify = standings, notify
        self.run: RunRecord = run
        self._standing = standing
        self.since: float = asyncio.get_running_loop().time()
        """Since when it can be found in its queue, by the event loop's time."""
        self._has_news = False

    def __enter__(self) -> Self:
        if self._standing is not None:
            self._standings.add(self)
        return self

    def __exit__(self, *_: object) -> None:
        self._standings.drop(self)

    def tell(self, run: RunRecord, standing: Standing | None) -> None:
        """Take what is known now; notify the reader if it should know."""
        old, self.run = self._standing, run
        if standing is None:
            self._standings.drop(self)
        if standing is None or old is None or old.differs(standing):
            self._standing, self._has_news = standing, True
            self._notify()

    def news(self) -> Json | None:
        """Return what the reader has not been told yet, as on the wire."""
        if not self._has_news:
            return None
        self._has_news = False
        status = self.run.status.value
        return {"id": self.run.id, "status": status, "waiting": json_of(self._standing)}

    def see(self, page: Sequence[Block]) -> None:
        """Note that the log has more: the run waits only if another attempt follows."""
        self._standings.drop(self)
        if self._standing is not None:
            has_ended = page[-1].end is not None
            status = self.run.status if has_ended else Status.RUNNING
            self.run, self._standing = self.run.changed(status=status), None
            self._has_news = True
        if page[-1].end is None and any(block.has(EventType.RESTARTED) for block in page):
            self.run = self.run.changed(status=Status.PENDING)
            self.since = asyncio.get_running_loop().time()
            self._standings.add(self)
