"""Following a run: the one loop that every reader runs.

Read the log after the cursor; if there is nothing, wait to be woken; repeat. Live streaming,
replay, resume, a second reader and polling are this loop. A wake-up carries no data, so there
is no gap between replayed and live events.
"""

import asyncio
import math
import secrets
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import Final, Protocol, Self

from yieldwire.clock import Clock
from yieldwire.errors import StoreError, Unauthorized
from yieldwire.hooks import NOBODY, Watch
from yieldwire.log.events import Block, EventType
from yieldwire.runs.access import Caller
from yieldwire.stores import Deliver, RunStore

PAGE_BYTES: Final = 65_536
"""About the bytes sent at a time; a reader that does not read costs a few times that."""


class Paced(Protocol):
    """A run that is executed in this process, and waits for its fastest reader here."""

    def read(self, reader: object, seq: int, /) -> None:
        """Record that ``reader`` has sent everything up to ``seq``."""
        ...

    def left(self, reader: object, /) -> None:
        """Record that ``reader`` is gone."""
        ...


class Reader:
    """One reader of one run: holds the run while it is present, and can be asked to leave."""

    caller: Caller = Caller()
    """The caller that reads."""
    is_revoked: bool = False
    """Whether the reader was asked to leave because its caller lost access."""

    def __init__(  # noqa: PLR0913 - values that an application passes to each
        self,
        store: RunStore,
        paced: Mapping[str, Paced],
        clock: Clock,
        run_id: str,
        open_readers: "set[Reader] | None" = None,
        *,
        is_needed: bool = True,
        shows_debug: bool = False,
        watch: Watch = NOBODY,
    ) -> None:
        self.run_id: Final = run_id
        self._watch = watch
        self._has_come = False
        self._shows_debug = shows_debug
        self._store, self._paced, self._clock = store, paced, clock
        self._open_readers = set[Reader]() if open_readers is None else open_readers
        self._waiting: asyncio.Task[object] | None = None
        self._seq = 0
        self._page: Sequence[Block] = ()
        self._take: Deliver | None = None
        self._is_interrupted = False
        self._is_behind, self._is_over = True, False
        # A run that does not need readers is not told about them.
        self._is_needed, self._held_until = is_needed, 0.0 if is_needed else math.inf
        self._has_held = self._has_left = False
        self.is_leaving = False
        """Whether the loop ended because it was asked to, before the run's end."""

    @cached_property
    def id(self) -> str:
        """The store's id for this reader."""
        return secrets.token_hex(8)

    async def __aenter__(self) -> Self:
        self._open_readers.add(self)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._open_readers.discard(self)
        self._take = None  # its owner refers to this reader: a cycle would be freed late
        await self._end()

    def _come(self) -> None:
        if self._watch.has_readers and not self._has_come:
            self._has_come = True
            self._watch.reader_came(self.run_id, self.id)

    async def _end(self) -> None:
        if self._has_come:
            self._has_come = False
            self._watch.reader_left(self.run_id, self.id)
        if not self._has_left:
            await self.release()

    def leave(self) -> None:
        """Ask the reader to end between two blocks; safe to call at any time in the loop."""
        if self._waiting is not None and not self.is_leaving:
            self._waiting.cancel()
        self.is_leaving = True

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

    async def hold(self, tick: float) -> None:
        """Keep the run attached for a while longer than until the next tick."""
        now = self._clock.monotonic()
        if now + tick > self._held_until:
            self._held_until, self._has_held, self._has_left = now + 3 * tick, True, False
            try:
                await self._store.hold(self.run_id, self.id, seconds=3 * tick)
            except StoreError:
                # What cannot be written, for example on a full disk, can often still be read.
                self._held_until = now + 2 * tick

    async def release(self) -> None:
        """Report that this reader has gone. Calling it again has no effect."""
        if self._has_left:
            return
        self._has_left = True
        run = self._paced.get(self.run_id)
        if run is not None:
            run.left(self)
        if not self._is_needed:
            return
        self._held_until = 0.0
        with suppress(StoreError):  # then it counts as present until its time is over
            await self._store.hold(self.run_id, self.id, seconds=0)

    async def first(
        self, within: float, *, tick: float = 15.0, linger: float | None = 0.0
    ) -> Sequence[Block]:
        """Return the first page of a log that has just started, or nothing.

        Waits at most ``within`` seconds. A run that has just started and can ``linger`` for
        longer than two ticks is held only after half a tick, which most runs never reach.

        Raises:
            NotFound: If the run is gone.
        """
        if linger is not None and linger < 2 * tick:
            await self.hold(tick)
        else:
            self._held_until = max(self._held_until, self._clock.monotonic() + 1.5 * tick)
        await asyncio.sleep(0)  # most runs have something by then, and some have ended
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        page = await self._read_within(0, within)
        while not page and not self.is_leaving and (left := until - loop.time()) > 0:
            page = await self._read_within(0, left)
        return self._shown(page) if page and page[-1].end is EventType.ERROR else page

    async def news(self, after: int, within: float) -> None:
        """Return when there is something after ``after``, or after ``within`` seconds.

        Raises:
            NotFound: If the run is gone.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + within
        while not await self._store.read(self.run_id, after, max_bytes=1):
            left = until - loop.time()
            if left <= 0 or self.is_leaving or await self._has_ended(after):
                return
            await self.hold(within)
            await self._read_within(after, left)

    async def pages(self, after: int, *, tick: float) -> AsyncGenerator[Sequence[Block], None]:
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

    def begin(self, after: int, page: Sequence[Block] = (), take: Deliver | None = None) -> None:
        """Start after ``after``. ``page`` is what was already read from there.

        While the reader waits, new blocks are passed to ``take`` where they are appended, if the
        store does so, and `next` returns only if ``take`` says that it must.
        """
        self._come()
        self._seq, self._page, self._take = after, page, take
        self._is_behind, self._is_over = True, False
        self._note(after)

    def take_all(self, page: Sequence[Block]) -> None:
        """Start with ``page``, which ends the log, and be over: there is nothing to wait for."""
        self._come()
        self._note_page(page)

    async def next(self, tick: float) -> Sequence[Block] | None:
        """Return the next page, or ``None`` after the run's last block, or when asked to leave.

        An empty page means that nothing came for ``tick`` seconds, or that ``take`` could not
        handle what came. A returned page counts as sent when the next page is requested.

        Raises:
            NotFound: If the run does not exist, or is gone.
            ForeignCursor: If the reader started beyond the log's end.
        """
        if self._must_end():
            return None
        await self.hold(tick)
        loop = asyncio.get_running_loop()
        is_woken, page, until = False, self._page, loop.time() + tick
        while not page:
            if self._is_behind:
                self._note(self._seq)
                page = await self._store.read(self.run_id, self._seq, max_bytes=PAGE_BYTES)
                if page:
                    break
                if is_woken and await self._has_ended(self._seq):
                    return None  # nothing follows a terminal event, and nobody waits for it
                await self.hold(tick)
            self._is_behind = is_woken = True
            page = await self._read_within(self._seq, until - loop.time(), self._deliver)
            if self.is_leaving:
                return None
            if self._is_interrupted or (not page and loop.time() >= until):
                self._is_interrupted = False
                return ()
        self._note_page(page)
        return self._shown(page) if page[-1].end is EventType.ERROR else page

    def _shown(self, page: Sequence[Block]) -> Sequence[Block]:
        if self._shows_debug:
            return page
        return [*page[:-1], page[-1].without_debug()]

    def _must_end(self) -> bool:
        return self._is_over or self.is_leaving

    def _deliver(self, block: Block) -> bool:
        """Pass on a new block; called by the store, in the task that appended it."""
        if block.first != self._seq + 1:
            return block.last <= self._seq
        if self._take is None or block.end is not None or self.is_leaving:
            self._note(self._seq)  # the run can have started since, and is paused from now on
            return False
        self._seq = block.last
        if not self._take(block):
            self._is_interrupted = True
            return False
        run = self._paced.get(self.run_id)
        if run is not None:
            run.read(self, block.last)
        return True

    def _note_page(self, page: Sequence[Block]) -> None:
        last = page[-1]
        self._seq, self._page = last.last, ()
        self._is_behind = _size(page) >= PAGE_BYTES  # there is more to read
        if last.end is not None:
            self._is_over = True
            self._has_left = not self._has_held  # a run that has ended needs no readers

    def _note(self, seq: int) -> None:
        run = self._paced.get(self.run_id)
        if run is not None:
            run.read(self, seq)

    async def _has_ended(self, after: int) -> bool:
        run = await self._store.get(self.run_id)
        return run.status.is_terminal and run.seq <= after

    async def _read_within(
        self, after: int, tick: float, deliver: Deliver | None = None
    ) -> Sequence[Block]:
        self._note(after)
        self._waiting = task = asyncio.current_task()
        asked = task.cancelling() if task is not None else 0
        try:
            wait = 0.0 if self.is_leaving else tick  # asked to leave while the store answered
            page = await self._store.read(
                self.run_id, after, max_bytes=PAGE_BYTES, wait=wait, deliver=deliver
            )
            if page:  # the run can have started since, and is paused from now on
                self._note(after)
            return page
        except asyncio.CancelledError:
            # `leave` cancelled the wait, unless the whole task was cancelled too.
            if not self.is_leaving or task is None or task.uncancel() > asked:
                raise
            return ()
        finally:
            self._waiting = None


def _size(page: Sequence[Block]) -> int:
    return len(page[0].body) if len(page) == 1 else sum(len(block.body) for block in page)
