"""Following a run: the one loop that every reader runs.

Read the log after the cursor; if there is nothing, wait; repeat. Live streaming, replay, resume,
a second reader and polling are this loop. A reader waits in the run's audience if the run is
executed in this process, and else in the store. In the audience it gets the next block itself, if
that follows what it has; in every other case it reads again, so there is no gap. If the store can
have lost something meanwhile, the reader first checks that the log still has its last event.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Final, Protocol, Self, TypeAlias

from yieldwire.clock import Clock
from yieldwire.errors import ForeignCursor, Unauthorized
from yieldwire.hooks import NOBODY, Watch
from yieldwire.log.cursor import mark_of
from yieldwire.log.events import Block
from yieldwire.runs.access import Caller
from yieldwire.runs.outlet import Outlet
from yieldwire.runs.presence import Presence
from yieldwire.stores import RunStore

Blocks: TypeAlias = Sequence[Block]

PAGE_BYTES: Final = 65_536
"""About the bytes sent at a time; a reader that does not read costs a few times that."""


class Gathering(Protocol):
    """The readers of a run in this process, as `executors.audience.Audience`."""

    is_live: bool
    """Whether the run is executed here, so that its readers wait and are served here."""
    seq: int
    """The last seq that was published here."""

    def wait(self, outlet: Outlet, /) -> None:
        """Deliver to ``outlet``, which has everything up to ``seq``, until it stops waiting."""
        ...

    def stop_waiting(self, outlet: Outlet, /) -> None:
        """Deliver to ``outlet`` no longer."""
        ...

    def read(self, reader: object, seq: int, /) -> None:
        """Record that ``reader`` has sent everything up to ``seq``."""
        ...

    def left(self, reader: object, /) -> None:
        """Record that ``reader`` is gone."""
        ...


_PYTHON: Final = Caller()


class Reader(Presence):
    """One reader of one run: holds the run while it is present, and can be asked to leave."""

    __slots__ = (
        "_audience",
        "_generation",
        "_has_read",
        "_is_interrupted",
        "_mark",
        "_open_readers",
        "_outlet",
        "_page",
        "_reading",
        "_shows_debug",
        "caller",
        "is_leaving",
        "is_revoked",
    )

    def __init__(  # noqa: PLR0913 - values that an application passes to each
        self,
        store: RunStore,
        audience: Gathering,
        clock: Clock,
        run_id: str,
        open_readers: "set[Reader] | None" = None,
        *,
        is_needed: bool = True,
        shows_debug: bool = False,
        watch: Watch = NOBODY,
    ) -> None:
        super().__init__(store, clock, run_id, is_needed=is_needed, watch=watch)
        self.caller: Caller = _PYTHON
        """The caller that reads."""
        self.is_revoked: bool = False
        """Whether the reader was asked to leave because its caller lost access."""
        self._mark: int | None = None
        """The mark of the event at which the reader began, until it has another."""
        self._shows_debug, self._audience = shows_debug, audience
        self._open_readers = set[Reader]() if open_readers is None else open_readers
        self._reading: asyncio.Task[object] | None = None
        """The task that waits for the store."""
        self._outlet = Outlet()
        """The reader's place, and where blocks go while it waits in the audience."""
        self._generation = store.generation
        self._page: Blocks = ()
        """The page that `first` returned, which `next` returns again."""
        self._has_read = self._is_interrupted = False
        self.is_leaving: bool = False
        """Whether `next` returns nothing more: it was asked to leave, or the run has ended."""

    def open(self) -> Self:
        """Begin to be present; `close` ends that."""
        self._open_readers.add(self)
        return self

    async def __aenter__(self) -> Self:
        return self.open()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave."""
        self._open_readers.discard(self)
        await self._end()

    async def _end(self) -> None:
        self._audience.left(self)
        await self._go()

    def leave(self) -> None:
        """Ask the reader to end between two blocks; safe to call at any time in the loop."""
        self.interrupt()
        self.is_leaving = True

    def interrupt(self) -> None:
        """Let `next` return an empty page, and `news` return: now, or when it waits again."""
        if self._reading is not None and not self._is_interrupted:
            self._reading.cancel()
        self._is_interrupted = True
        self._outlet.wake()

    def revoke(self) -> None:
        """Ask the reader to end, because its caller lost access."""
        self.is_revoked = True
        self.leave()

    def check(self) -> None:
        """Return if the caller is allowed to read on.

        Raises:
            Unauthorized: If the access was revoked, or has expired.
        """
        if self.is_revoked or self.caller.has_expired:
            raise Unauthorized

    async def first(
        self, wait: float, page: Blocks | None = None, *, tick: float = 15, linger: float | None = 0
    ) -> Blocks:
        """Return the first page of a log that has just started, or nothing.

        Waits at most ``wait`` seconds; ``page`` is what was already read, if something was. A run
        that can ``linger`` for two ticks is held only after half a tick, which most never reach.

        Raises:
            NotFound: If the run is gone.
        """
        if linger is not None and linger < 2 * tick:
            await self.hold(tick)
        else:
            self._hold_after(1.5 * tick)
        if page is None:
            await asyncio.sleep(0)  # most runs have something by then, and some have ended
        self._page = page or ()
        self._page = await self.next(wait) or ()
        return self._page

    async def news(self, after: int, within: float) -> None:
        """Return when there is something after ``after``, or after ``within`` seconds.

        Raises:
            NotFound: If the run is gone.
        """
        self._outlet.seq = after
        await self.next(within)

    async def pages(self, after: int, *, tick: float) -> AsyncGenerator[Blocks, None]:
        """Yield everything after ``after``, as `next` returns it. Close the iterator to leave.

        Raises:
            NotFound: If the run does not exist, or is gone.
            ForeignCursor: If ``after`` is beyond the log's end.
        """
        self.begin(after)
        try:
            while (page := await self.next(tick)) is not None:
                yield page
        finally:
            await self._end()

    async def check_place(self, seq: int, mark: int | None) -> None:
        """Return if the log's event ``seq`` has this mark, or if either is unknown.

        Raises:
            NotFound: If the run is gone.
            ForeignCursor: If it has another: the log's end was lost, and others followed.
        """
        self._generation = self._store.generation
        if mark is None or seq == 0:
            return
        for block in await self._store.read(self.run_id, seq - 1, max_bytes=1):
            if block.first == seq and mark_of(block.at) != mark:
                raise ForeignCursor("The log has lost its end, and other events are there now.")

    def begin(self, after: int, outlet: Outlet | None = None, *, mark: int | None = None) -> None:
        """Start after ``after``, whose event has the mark; `next` returns a `first` page again.

        While the reader waits, each block that is appended in this process is sent by ``outlet``,
        in the task that appended it, and `next` returns only those that it does not send.
        """
        self._come(after)
        self._outlet = outlet or Outlet()
        self._outlet.seq = after
        self._mark, self._has_read = mark, False

    async def next(self, tick: float) -> Blocks | None:
        """Return the next page, or ``None`` after the run's last block, or when asked to leave.

        An empty page means that nothing came for ``tick`` seconds, that the outlet was woken, or
        that `interrupt` was called. A returned page counts as sent when the next one is requested.
        What the outlet raises is raised here; its block counts as sent.

        Raises:
            NotFound: If the run does not exist, or is gone.
            ForeignCursor: If the reader started beyond the log's end, or the log lost its place.
        """
        outlet, loop = self._outlet, asyncio.get_running_loop()
        if not self.is_leaving:
            self._audience.read(self, outlet.seq)
            await self.hold(tick)
        page, self._page = self._page, ()
        until, is_over = loop.time() + tick, False
        while not (page or is_over or self.is_leaving):
            left = until - loop.time()
            waits_here = self._audience.is_live and self._audience.seq <= outlet.seq
            if waits_here and self._has_read and not self._is_interrupted:
                outlet.waiter = waiter = loop.create_future()
                timer = loop.call_later(left, outlet.wake)
                self._audience.wait(outlet)
                try:
                    page = await waiter
                finally:
                    timer.cancel()
                    outlet.waiter = None
                    self._audience.stop_waiting(outlet)
                # If nothing came, the store is asked at the next tick: a log can be lost.
                self._has_read, is_over = False, True
            else:
                page = await self._read_within(0.0 if waits_here else left)
                self._has_read, is_over = True, self._is_interrupted or loop.time() >= until
                if not (page or waits_here or is_over) and await self._has_ended():
                    return None  # nothing follows a terminal event, and nobody waits for it
        if self.is_leaving:
            return None
        if not page:
            self._is_interrupted = False
            return ()
        return self._taken(page)

    def _taken(self, page: Blocks) -> Blocks:
        """Move behind ``page``, and return what of it is shown."""
        newest, self._has_read = page[-1], True
        self._outlet.seq = newest.last
        if newest.end is None:
            self._outlet.at = newest.newest_at
            return page
        self.is_leaving = True
        self._need_no_more()
        return page if self._shows_debug else [*page[:-1], newest.without_debug()]

    async def _has_ended(self) -> bool:
        run = await self._store.get(self.run_id)
        return run.status.is_terminal and run.seq <= self._outlet.seq

    async def _read_within(self, seconds: float) -> Blocks:
        """Read from the store, and wait there if there is nothing."""
        outlet = self._outlet
        self._reading = task = asyncio.current_task()
        asked = task.cancelling() if task is not None else 0
        try:
            wait = 0.0 if self._is_interrupted else seconds  # also while the store answered
            page = await self._store.read(self.run_id, outlet.seq, max_bytes=PAGE_BYTES, wait=wait)
            if self._store.generation != self._generation:
                mark = mark_of(outlet.at) if outlet.at else self._mark
                await self.check_place(outlet.seq, mark)
            return page
        except asyncio.CancelledError:
            # `interrupt` cancelled the wait, unless the whole task was cancelled too.
            if not self._is_interrupted or task is None or task.uncancel() > asked:
                raise
            return ()
        finally:
            self._reading = None
