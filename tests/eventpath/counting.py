"""Event loops, stores and a chunk that count what is done with them."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator, Sequence
from contextvars import Context
from dataclasses import dataclass, fields
from pathlib import Path
from selectors import SelectSelector
from typing import Any, ClassVar, Final, TypeVar, TypeVarTuple

from pydantic import BaseModel, model_serializer

from tests.support.virtual import VirtualLoop
from yieldwire.log.events import Block
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.quicklog import BlockWriter, QuickLog
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


@dataclass(slots=True)
class Counts:
    """How often each thing was done that a stream is made of.

    Attributes:
        sends: Messages to the server: the head, and each piece of the body.
        appends: Blocks that were handed to the store.
        encodes: Chunks that were turned into JSON.
        wakes: Returns of a reader's wait in the store.
        tasks: Tasks that were created.
        timers: Timers that were set in the loop.
        callbacks: Steps that were asked of the loop, by its own thread.
        calls: The same by other threads.
    """

    sends: int = 0
    appends: int = 0
    encodes: int = 0
    wakes: int = 0
    tasks: int = 0
    timers: int = 0
    callbacks: int = 0
    calls: int = 0

    def reset(self) -> None:
        """Begin again."""
        Token.encoded = 0
        for each in fields(self):
            setattr(self, each.name, 0)


class Counting(asyncio.BaseEventLoop):
    """What both loops count. A task's steps are callbacks too."""

    counts: Counts

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: object = None,
        context: Context | None = None,
    ) -> asyncio.Task[T]:
        self.counts.tasks += 1
        return super().create_task(coro, name=name, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[*Ts], object],
        *args: *Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.counts.timers += 1
        return super().call_at(when, callback, *args, context=context)

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self.counts.callbacks += 1
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> asyncio.Handle:
        self.counts.calls += 1
        return super().call_soon_threadsafe(callback, *args, context=context)


class LeapingLoop(Counting, VirtualLoop):
    """Counts on a clock that passes only while everybody waits. It notices no other thread."""

    def __init__(self) -> None:
        self.counts = Counts()
        super().__init__()


class StillLoop(Counting, asyncio.SelectorEventLoop):
    """Counts while the clock does not move, and notices other threads."""

    def __init__(self) -> None:
        self.counts = Counts()
        self.clock: Final = MovingClock()
        self._selector = _Selector()
        super().__init__(self._selector)

    def time(self) -> float:
        return self.clock.monotonic()

    def hear_late(self, lag: Callable[[], None]) -> None:
        """Have ``lag`` called before what other threads ask for is done."""
        self._selector.lag = lag


class _Selector(SelectSelector):
    lag: Callable[[], None] | None = None

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(timeout)
        if self.lag is not None:
            self.lag()
        return events


def run_in(loop: Counting, program: Coroutine[Any, Any, T]) -> T:
    """Run ``program`` to its end in this loop, and close it."""
    with asyncio.Runner(loop_factory=lambda: loop, debug=False) as runner:
        return runner.run(program)


def wait_for_actions(is_full: Callable[[], bool]) -> None:
    """Return when no thread of an action is there, or they can do no more for now."""
    for thread in threading.enumerate():
        while thread.name == "yieldwire action" and thread.is_alive() and not is_full():
            thread.join(0.001)


class _CountedLog:
    def __init__(self, log: QuickLog, counts: Counts) -> None:
        self._log, self._counts = log, counts

    def append_nowait(self, block: Block, fence: int, writer: BlockWriter, /) -> bool | None:
        answer = self._log.append_nowait(block, fence, writer)
        self._counts.appends += answer is not False
        return answer


class _CountedStore:
    """Counts the blocks that are put into a store, and how often those who wait in it wake up."""

    _counts: Counts

    def quick_log(self, run_id: str, /) -> Any:  # noqa: ANN401 - the log, of the store's own type
        log: QuickLog | None = super().quick_log(run_id)  # type: ignore[misc]
        return log and _CountedLog(log, self._counts)

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        self._counts.appends += 1
        last: int = await super().append(run_id, block, after=after, fence=fence)  # type: ignore[misc]
        return last

    async def read(
        self,
        run_id: str,
        after: int,
        *,
        max_bytes: int = 262_144,
        wait: float = 0.0,
    ) -> Sequence[Block]:
        page: Sequence[Block] = await super().read(  # type: ignore[misc]
            run_id, after, max_bytes=max_bytes, wait=wait
        )
        self._counts.wakes += wait > 0
        return page


class CountedMemory(_CountedStore, MemoryStore):
    """A store in memory that counts."""

    __module__ = MemoryStore.__module__  # as an included store: another one is guarded

    def __init__(self, loop: LeapingLoop | StillLoop) -> None:
        super().__init__(clock=loop.clock)
        self._counts = loop.counts


class CountedSQLite(_CountedStore, SQLiteStore):
    """A store in a file that counts."""

    __module__ = SQLiteStore.__module__

    def __init__(self, path: Path, loop: StillLoop) -> None:
        super().__init__(path, clock=loop.clock)
        self._counts = loop.counts


class Token(BaseModel):
    """A chunk that counts how often any of its kind is turned into JSON."""

    encoded: ClassVar[int] = 0
    text: str

    @model_serializer
    def encode(self) -> dict[str, str]:
        Token.encoded += 1
        return {"type": "text", "text": self.text}
