"""One thread with one connection, which does what the loop asks of it, many things at a time.

Everything that was asked for while the thread was busy is done in one go, and for the writer
in one transaction: a group commit. The loop hears of the outcomes in one call.

A connection that failed is not used again. The next work makes a new one, so that a disk that
has room again, or a file that is there again, is noticed by itself.
"""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, TypeVar

from yieldwire.errors import StoreError, YieldwireError

T = TypeVar("T")

Work = Callable[[sqlite3.Connection], Any]
Explain = Callable[[Exception], StoreError]
"""Says in words what a failure means. Called in the thread."""
_Item = tuple[Work, "asyncio.Future[Any]"]

MOST_AT_ONCE: Final = 512
"""Things done in one transaction, so that the first of them need not wait for ever."""
_WATCH_SECONDS: Final = 0.02
"""How often a thread that is asked to watch looks whether another process has written."""


class Lane:
    """Does work on a connection of its own, in the order in which it was asked for.

    Work either raises a `YieldwireError` before it has written anything, or is part of a
    transaction that happens whole or not at all.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        explain: Explain,
        *,
        name: str,
        writes: bool,
        on_foreign_write: Callable[[], None] | None = None,
    ) -> None:
        self._connect, self._explain, self._writes = connect, explain, writes
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None
        self._on_foreign_write = on_foreign_write
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self.is_watching = False
        """Whether to look for what other processes write; read by the thread."""
        self._is_closing = self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, work: Callable[[sqlite3.Connection], T]) -> "asyncio.Future[T]":
        """Have ``work`` done in the thread, and return the future of its outcome.

        Raises:
            StoreError: If the lane is closed; that the database failed, the future says.
        """
        if self._is_closing:
            raise StoreError("The store is closed.")
        done: asyncio.Future[T] = self._loop.create_future()
        self._queue.put((work, done))
        return done

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in the thread. Cancellation waits until it is done, and then comes through.

        Raises:
            StoreError: If the database failed, or the lane is closed.
        """
        done = self.ask(work)
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait({done})
            done.exception()
            raise

    def nudge(self) -> None:
        """Let the thread see that it is to watch."""
        unheard = self._loop.create_future()
        unheard.cancel()
        self._queue.put((lambda _: None, unheard))

    async def close(self) -> None:
        """End the thread, after everything that was asked for."""
        self._is_closing = True
        self._queue.put(None)
        while self._thread.is_alive():
            await asyncio.to_thread(self._thread.join, 1.0)

    def _run(self) -> None:
        while not self._is_closed:
            items = self._next()
            if items:
                self._tell(self._do_all(items))
            # Also between two commits: whoever writes without a pause has readers as well.
            if self.is_watching and self._on_foreign_write is not None:
                self._look(self._on_foreign_write)
        self._drop()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection, self._seen = self._connect(), None
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                # Closing alone may leave a lock behind, where a cursor is still alive.
                self._connection.rollback()
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _look(self, on_foreign_write: Callable[[], None]) -> None:
        """Tell if another process has written since the last look."""
        try:
            (version,) = self._open().execute("PRAGMA data_version").fetchone()
        except Exception:  # noqa: BLE001 - whoever asks for something next is told
            self._drop()
            return
        if version != self._seen:
            self._seen = version
            self._call(on_foreign_write)

    def _next(self) -> list[_Item]:
        items: list[_Item] = []
        timeout = _WATCH_SECONDS if self.is_watching else None
        try:
            while len(items) < MOST_AT_ONCE:
                item = self._queue.get_nowait() if items else self._queue.get(timeout=timeout)
                if item is None:
                    self._is_closed = True
                    break
                items.append(item)
        except queue.Empty:
            pass
        return items

    def _do_all(
        self, items: list[_Item]
    ) -> list[tuple["asyncio.Future[Any]", Any, BaseException | None]]:
        outcomes: list[tuple[asyncio.Future[Any], Any, BaseException | None]] = []
        try:
            connection = self._open()
            connection.execute("BEGIN IMMEDIATE" if self._writes else "BEGIN")
            for work, done in items:
                try:
                    outcomes.append((done, work(connection), None))
                except YieldwireError as exc:
                    outcomes.append((done, None, exc))
            connection.execute("COMMIT")
        except Exception as exc:  # noqa: BLE001 - told to everybody who asked
            self._drop()
            error = self._explain(exc)
            return [(done, None, error) for _, done in items]
        return outcomes

    def _tell(
        self, outcomes: list[tuple["asyncio.Future[Any]", Any, BaseException | None]]
    ) -> None:
        self._call(lambda: _resolve(outcomes))

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return  # the loop is closed: nobody is left to be told


def _resolve(outcomes: list[tuple["asyncio.Future[Any]", Any, BaseException | None]]) -> None:
    for done, result, error in outcomes:
        if done.done():
            continue
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)
