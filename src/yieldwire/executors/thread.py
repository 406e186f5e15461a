"""Blocking actions: a generator or a function, driven by a thread.

The thread encodes and collects chunks and wakes the loop once for all that it has collected;
the loop appends them as blocks. The thread waits while it is too far ahead, and stops at its
next yield when the run is cancelled: its generator is closed in the thread itself.

What the thread needs of the loop is a *call*: the loop makes it after it has taken the chunks that
the thread put before it, so a call has its place among them.
"""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any, Final, TypeVar, cast

from yieldwire.errors import InvalidOutput, YieldwireError
from yieldwire.errors.debug import at_yield
from yieldwire.executors.generator import late
from yieldwire.executors.pending import BLOCK_BYTES
from yieldwire.executors.writer import LogWriter
from yieldwire.log.chunks import Result

T = TypeVar("T")

AT_THREAD_END: Final = contextvars.ContextVar[tuple[Callable[[], object], ...]](
    "AT_THREAD_END", default=()
)
"""Called in the thread of a blocking action at its end; middleware adds to it."""

_END: Final = object()
MAX_IN_FLIGHT: Final = 1024
MAX_IN_FLIGHT_BYTES: Final = 4 * BLOCK_BYTES
"""Events, and their bytes, that a thread can collect before it waits for the loop."""


class Bridge:
    """Shared by one thread and the loop."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer
        self._lock = threading.Lock()
        self._gathered: list[bytes | Callable[[], None]] = []
        """Chunks, and the calls among them."""
        self._gathered_bytes = 0
        self._asked: list[Callable[[], Awaitable[None]]] = []
        """Coroutines to run for the thread, which waits for them."""
        self._awaited: set[Future[Any]] = set()
        """Their results."""
        self._iterated: set[AsyncGenerator[Any, None]] = set()
        """The loop's generators that the thread iterates over."""
        self.news: Final = asyncio.Event()
        """Whether there are collected chunks, or the thread is done."""
        self._room = threading.Event()
        self._room.set()
        self.is_stopped: bool = False
        self.outcome: Final = Future[object]()
        """What the thread ends with."""

    # The thread's side.

    def run(self, function: Callable[[], object]) -> None:
        """Run the action's function: this is all that its thread does."""
        try:
            with ExitStack() as stack:
                for close in AT_THREAD_END.get():
                    stack.callback(close)
                result = function()
        except BaseException as exc:  # noqa: BLE001 - raised again where the thread is awaited
            self.outcome.set_exception(exc)
        else:
            self.outcome.set_result(result)
        self._wake()

    def put(self, chunk: object, /) -> None:
        """Hand over a chunk; wait for space first."""
        data = self._writer.encode(chunk)
        self._room.wait()
        with self._lock:
            self._gathered.append(data)
            self._gathered_bytes += len(data)
            events = len(self._gathered)
            is_full = events >= MAX_IN_FLIGHT or self._gathered_bytes >= MAX_IN_FLIGHT_BYTES
            if is_full and not self.is_stopped:
                self._room.clear()
        if events == 1:
            self._wake()

    def call(self, call: Callable[[], None], /) -> None:
        """Make the loop call ``call``, which must not raise, after the chunks put before."""
        with self._lock:
            self._gathered.append(call)
        self._wake()

    def wait_for(self, start: Callable[[], Awaitable[T]], /) -> T:
        """Run a coroutine in the loop after the chunks put before, and return its result.

        Raises:
            asyncio.CancelledError: If the run must stop.
            BaseException: Any error of the coroutine.
        """
        awaited = Future[T]()
        with self._lock:
            if self.is_stopped:
                raise asyncio.CancelledError
            self._awaited.add(awaited)
            self._asked.append(partial(_answer, start, awaited))
        try:
            self._wake()
            return awaited.result()
        finally:
            with self._lock:
                self._awaited.discard(awaited)

    def iterate(self, items: AsyncGenerator[T, None], /) -> Iterator[T]:
        """Yield what a generator of the loop yields.

        It is closed when this iterator is, and when the action is over.

        Raises:
            asyncio.CancelledError: If the run must stop.
            BaseException: Any error of the generator.
        """
        with self._lock:
            self._iterated.add(items)
        try:
            while (item := self.wait_for(partial(anext, items, _END))) is not _END:
                yield cast("T", item)
        finally:
            # Nothing waits here: this can be closed anywhere, and when nobody answers any more.
            with self._lock:
                self._asked.append(partial(self._close, items))
            self._wake()

    def _wake(self) -> None:
        try:
            self._writer.loop.call_soon_threadsafe(self.news.set)
        except RuntimeError:
            self.stop()  # the loop is closed: nobody takes the chunks

    # The loop's side.

    def put_gathered(self) -> list[Callable[[], Awaitable[None]]]:
        """Put the collected chunks and make the calls among them, which makes space.

        Return the coroutines to run for the thread after that.
        """
        self.news.clear()
        with self._lock:
            gathered, self._gathered, self._gathered_bytes = self._gathered, [], 0
            asked, self._asked = self._asked, []
            self._room.set()
        put = self._writer.put_encoded
        for each in gathered:
            if isinstance(each, bytes):
                put(each)
            else:
                each()
        return asked

    async def hand_over(self) -> None:
        """Write what was collected, and run the coroutines for which the thread waits."""
        asked = self.put_gathered()
        await self._writer.flush()
        if self._writer.is_stopping:
            raise asyncio.CancelledError
        for answer in asked:
            await answer()

    async def _close(self, items: AsyncGenerator[Any, None]) -> None:
        with self._lock:
            self._iterated.discard(items)
        await items.aclose()

    async def close(self) -> None:
        """Close the generators that the thread has left behind."""
        for items in [*self._iterated]:
            await self._close(items)

    def stop(self) -> None:
        """Tell the thread to stop at its next yield, and end what it waits for."""
        with self._lock:
            self.is_stopped = True
            self._room.set()
            awaited = [each for each in self._awaited if not each.done()]
        for each in awaited:
            each.set_exception(asyncio.CancelledError())


async def _answer(start: Callable[[], Awaitable[T]], awaited: "Future[T]") -> None:
    try:
        result = await start()
    except (asyncio.CancelledError, GeneratorExit):
        raise  # the thread is stopped with its run
    except BaseException as exc:  # noqa: BLE001 - raised in the thread
        awaited.set_exception(exc)
    else:
        awaited.set_result(result)


async def run_blocking(
    function: Callable[[], Any], writer: LogWriter, *, is_generator: bool
) -> object:
    """Run a blocking function or generator in a thread, and return its result.

    Raises:
        asyncio.CancelledError: If the run must stop, once the thread has.
    """
    writer.bridge = bridge = Bridge(writer)
    target = partial(_drive_generator, function, bridge) if is_generator else function
    context = contextvars.copy_context()
    # A daemon: a function that never reaches its next yield must not block the exit.
    threading.Thread(
        target=context.run, args=(bridge.run, target), name="yieldwire action", daemon=True
    ).start()
    try:
        while not bridge.outcome.done():
            await bridge.news.wait()
            await bridge.hand_over()
        await bridge.hand_over()
    except BaseException:
        bridge.stop()
        # A thread cannot be stopped from outside: it is awaited, and the caller that cancelled
        # the run does not wait for it (`RunLimits.cancel_within`).
        # What it emits until then belongs to what it saves.
        while not bridge.outcome.done():
            await bridge.news.wait()
            with suppress(YieldwireError):
                bridge.put_gathered()
        with suppress(YieldwireError):
            bridge.put_gathered()
        raise
    finally:
        writer.bridge = None  # a cycle would wait for the garbage collector
        await bridge.close()
    result = bridge.outcome.result()
    if bridge.is_stopped:
        raise asyncio.CancelledError
    return result


def _drive_generator(function: Callable[[], Iterator[object]], bridge: Bridge) -> object:
    generator = function()
    held: Result[object] | None = None
    try:
        while not bridge.is_stopped:
            chunk = next(generator)
            if held is not None:
                raise late(generator)
            if isinstance(chunk, Result):
                held = chunk
                continue
            try:
                bridge.put(chunk)
            except InvalidOutput as exc:
                raise at_yield(exc, generator) from exc.__cause__
        return None
    except StopIteration as stop:
        return stop.value if held is None else held.value
    finally:
        if isinstance(generator, Generator):
            generator.close()
