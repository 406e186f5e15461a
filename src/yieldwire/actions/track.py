"""`track`: a loop that reports how far it is.

Theory of operation. The context of an attempt's task has the writer of its log, and so have the
helpers and the threads that the action starts. A loop reports there, at most ten times a second.
Without an attempt it shows a bar in the terminal or the notebook.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from operator import length_hint
from time import monotonic
from typing import Any, Final, Generic, Protocol, TypeVar, cast

from yieldwire.display.following import Bar, bar_here
from yieldwire.display.progress import ShownProgress
from yieldwire.errors import UsageError
from yieldwire.log.chunks import Progress

T = TypeVar("T")

EVERY: Final = 0.1
"""Seconds between two reports of a loop."""
TURN_EVERY: Final = 0.005
"""How long a loop that never waits can keep the event loop to itself, in seconds."""
_END: Final = object()


class Reporter(Protocol):
    """Takes the progress of one loop at a time."""

    tracked: object | None
    """What identifies the loop that reports; ``None``: the next one does."""
    is_stopping: bool
    """Whether the run must stop."""

    @property
    def is_in_loop(self) -> bool:
        """Whether this is called in the event loop in which `drain` can be awaited."""
        ...

    def report(self, progress: Progress, /) -> None:
        """Take a progress. Can be called in any thread."""
        ...

    async def drain(self) -> None:
        """Write what was reported if it is time to, and give others a turn."""
        ...

    def untrack(self) -> None:
        """End the loop that reports."""
        ...


class _Here:
    """Where there is no run: a bar, if people would see it."""

    tracked: object | None = None
    is_stopping = False
    is_in_loop = False

    def __init__(self) -> None:
        self._bar: Bar | None = None

    def report(self, progress: Progress, /) -> None:
        self._bar = self._bar or bar_here()
        if self._bar is not None:
            current, total, message = progress.current, progress.total, progress.message or ""
            self._bar.show(ShownProgress(current, total, progress.percent, message))

    async def drain(self) -> None:
        pass

    def untrack(self) -> None:
        self.tracked = None
        if self._bar is not None:
            self._bar.close()
            self._bar = None


REPORTER: Final[ContextVar[Reporter]] = ContextVar("yieldwire_reporter")
"""Where the loops of this context report. Set by attempts."""


@contextmanager
def reporting_to(reporter: Reporter) -> Generator[None, None, None]:
    """Let the loops of a block report to ``reporter``."""
    before = REPORTER.set(reporter)
    try:
        yield
    finally:
        # Fixtures and dependencies of frameworks leave a block in another context, where nothing
        # was set.
        with suppress(ValueError):
            REPORTER.reset(before)


_HERE: Final = _Here()


class Track(Generic[T]):
    """Iterates the items of a loop, and reports its progress. See `track`."""

    def __init__(
        self,
        items: Iterable[T] | AsyncIterable[T],
        message: str | Callable[[T], str] | None,
        total: float | None,
    ) -> None:
        self._items, self._message, self._total = items, message, total

    def __iter__(self) -> Iterator[T]:
        items = self._items
        if isinstance(items, AsyncIterable) and not isinstance(items, Iterable):
            raise UsageError("These items are asynchronous: write `async for … in track(…)`.")
        return self._iterate(items)

    def _iterate(self, items: Iterable[T]) -> Iterator[T]:
        count = _Count(self._message, _total_of(items, self._total))
        item: Any = _END
        try:
            for item in items:
                if monotonic() >= count.due:
                    count.begin(item)
                yield item
                count.done += 1
            count.finish(item)
        finally:
            count.close()

    def __aiter__(self) -> AsyncIterator[T]:
        items = self._items
        if isinstance(items, AsyncIterable):  # also if it can block: a query of Django is both
            return _AsyncLoop(aiter(items), _Count(self._message, self._total))
        total = _total_of(items, self._total)
        return _AsyncLoop(iter(items), _Count(self._message, total))


def track(
    items: Iterable[T] | AsyncIterable[T],
    message: str | Callable[[T], str] | None = None,
    *,
    total: float | None = None,
) -> Track[T]:
    """Iterate items, and report how far that is.

    In an action, also in a function that it calls, in a helper or a thread that it starts, this
    puts `Progress` into the run's log: before the first item, then at most ten times a second, and
    at the end of the loop. If the run is cancelled, a loop in blocking code stops at an item. A
    type of chunks that the action declares must include `Progress`.

    One loop at a time reports: those within it, or in other tasks meanwhile, do not.

    Elsewhere this shows a bar: in a notebook, or in a terminal if Rich is installed.

    With ``async for``, items can be asynchronous or not; if not, others get a turn between them.

    Example:
        >>> sum(track([1, 2, 3]))
        6

    Args:
        items: What to iterate.
        message: What the progress says, or a function that returns it for the current item.
        total: How many items there are; by default their length, if it is known. It is not
            looked up for asynchronous items.

    Raises:
        asyncio.CancelledError: If the run must stop. Do not catch it.
        InvalidOutput: If the action declares a type of chunks that does not include `Progress`.
    """
    return Track(items, message, total)


class _Count:
    """How far one loop is."""

    def __init__(self, message: str | Callable[[Any], str] | None, total: float | None) -> None:
        self._message, self._total = message, total
        self.reporter: Final[Reporter] = REPORTER.get(_HERE)
        self._is_shown = self.reporter.tracked is None
        if self._is_shown:
            self.reporter.tracked = object()
        # The cleanup of a cancelled run can have loops as well.
        self.is_stoppable: Final = not self.reporter.is_stopping
        self.done = 0
        self.due = 0.0
        """When to report again."""

    def begin(self, item: object) -> None:
        """Report that an item is next, or stop."""
        if self.is_stoppable and self.reporter.is_stopping:
            raise asyncio.CancelledError
        self._report(item, self._total)
        self.due = monotonic() + EVERY

    def finish(self, item: object) -> None:
        """Report the end of the loop, whose last item was this."""
        self._report(item, self.done if self._total is None else self._total)

    def _report(self, item: object, total: float | None) -> None:
        if self._is_shown:
            message = self._message
            if callable(message):
                message = None if item is _END else message(item)
            self.reporter.report(Progress(self.done, total=total, message=message))

    def close(self) -> None:
        """Let another loop report."""
        if self._is_shown:
            self._is_shown = False
            self.reporter.untrack()


class _AsyncLoop(AsyncIterator[T]):
    """An iterator and not a generator, so that it ends as soon as its loop is left."""

    def __init__(self, items: AsyncIterator[T] | Iterator[T], count: _Count) -> None:
        self._items, self._count = items, count
        self._plain = None if isinstance(items, AsyncIterator) else items
        self._item: object = _END
        self._turn_at = 0.0

    async def __anext__(self) -> T:
        count = self._count
        count.done += self._item is not _END
        if self._plain is None:
            item = await anext(cast("AsyncIterator[T]", self._items), _END)
        else:
            item = next(self._plain, _END)
        if item is _END:
            count.finish(self._item)
            count.close()
            raise StopAsyncIteration
        self._item = item
        now = monotonic()
        if now >= count.due:
            count.begin(item)
        if now >= self._turn_at and count.is_stoppable and count.reporter.is_in_loop:
            self._turn_at = now + TURN_EVERY
            await count.reporter.drain()
        return cast("T", item)

    def __del__(self) -> None:
        self._count.close()


def _total_of(items: Iterable[Any], total: float | None) -> float | None:
    if total is not None:
        return total
    try:
        hint = length_hint(items, -1)
    except OverflowError:  # a range can be longer than a length
        return None
    return None if hint < 0 else hint
