"""One thread with one connection, which does the loop's database work, many items at a time.

Everything that was requested in one turn of the loop, or while the thread was busy, is done at
once, and by the writer in one transaction: a group commit. None of these items was requested after
the outcome of another was known, so their order does not matter, and those that can be done
together come first. The loop gets all outcomes in one call.

A connection that failed is not used again. The next item opens a new one, so that a disk with
free space again, or a restored file, is noticed automatically.
"""

import asyncio
import queue
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, Final, TypeVar, cast

from yieldwire.errors import StoreError, YieldwireError
from yieldwire.stores.quicklog import report_unheard
from yieldwire.stores.sqlite.failure import is_of_item
from yieldwire.stores.sqlite.item import Item, Joint, WorkItem, split

T = TypeVar("T")

Explain = Callable[[Exception], StoreError]
"""Explains a failure in words. Called in the thread."""

MOST_AT_ONCE: Final = 512
MOST_BYTES_AT_ONCE: Final = 8 * 1024 * 1024
"""Items done in one transaction, and about the bytes that they write or read, so that the first
of them does not wait too long."""
_WATCH_SECONDS: Final = 0.02
"""How often a watching thread checks whether another process has written."""
_PATIENT_SECONDS: Final = 0.25
"""How often it does in the end, if nothing comes, and all who wait are patient."""
_PATIENCE: Final = 20
"""The quiet time, in pauses between two checks: after five seconds, the pause is the longest."""
_IDLE_SECONDS: Final = 1.0
"""How often an idle thread checks whether its event loop was closed."""


def pause_after(quiet: float) -> float:
    """Return how long to wait for the next check if nothing came for ``quiet`` seconds."""
    return min(max(quiet / _PATIENCE, _WATCH_SECONDS), _PATIENT_SECONDS)


class Lane:
    """Does work on its own connection.

    An error of an item reaches only the caller of that item, and nothing that the item wrote is
    kept. If the file itself fails, all callers at that time get the error.
    """

    def __init__(
        self,
        connect: Callable[[], sqlite3.Connection],
        explain: Explain,
        *,
        name: str,
        writes: bool,
        joint: Joint | None = None,
        on_foreign_write: Callable[[], None] | None = None,
    ) -> None:
        self._connect, self._explain, self._writes = connect, explain, writes
        self._joint = joint
        self._connection: sqlite3.Connection | None = None
        self._seen: int | None = None
        self._looked_at = 0.0
        self._on_foreign_write = on_foreign_write
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Item] = deque()
        """Items that the thread does not have yet, so that the loop can still add to them."""
        self._is_busy = self._will_hand_over = False
        """Whether the thread has items, and whether it gets more in this turn of the loop."""
        self._queue: queue.SimpleQueue[list[Item] | None] = queue.SimpleQueue()
        self.is_watching = False
        """Whether to watch for writes of other processes; read by the thread."""
        self.is_patient = False
        """Whether to watch less often while nothing comes; read by the thread."""
        self._quiet_since = 0.0
        """When the watch began, or another process has written."""
        self._is_closing = self._is_closed = False
        self._over: Future[None] = Future()
        """Resolved when the thread has nothing more to do."""
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def ask(self, work: Callable[[sqlite3.Connection], T], *, size: int = 0) -> "asyncio.Future[T]":
        """Queue ``work``, which moves ``size`` bytes, for the thread; return its future.

        Raises:
            StoreError: If the lane is closed. If the database fails, the future has the error.
        """
        return self._ask(WorkItem(work, size))

    def _ask(self, item: Item) -> "asyncio.Future[Any]":
        item.done = done = self._loop.create_future()
        self.put(item)
        return done

    def put(self, item: Item) -> None:
        """Queue an item for the thread; `Item.tell` reports its outcome.

        Raises:
            StoreError: If the lane is closed.
        """
        if self._is_closing:
            raise StoreError("The store is closed.")
        self._waiting.append(item)
        if not (self._is_busy or self._will_hand_over):
            self._will_hand_over = True
            self._loop.call_soon(self._hand_over)

    def _hand_over(self) -> None:
        """Give the thread what is waiting."""
        self._will_hand_over = False
        if items := self._next():
            self._is_busy = True
            self._queue.put(items)

    def _next(self) -> list[Item]:
        """Return the items of the next transaction."""
        items, count, size = list[Item](), 0, 0
        while self._waiting and size < MOST_BYTES_AT_ONCE:
            count += self._waiting[0].count
            if items and count > MOST_AT_ONCE:
                break
            items.append(item := self._waiting.popleft())
            item.is_open = False
            size += item.size
        return items

    def _tell(self, items: list[Item]) -> None:
        """Report outcomes. What came meanwhile is done while they are."""
        self._is_busy = False
        self._hand_over()
        for item in items:
            try:
                item.tell()
            except Exception as exc:  # noqa: BLE001 - the others have an outcome too
                report_unheard(exc)

    async def do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in the thread. A cancellation waits until it is done.

        Raises:
            StoreError: If the database failed, or the lane is closed.
        """
        return cast("T", await self.finish(WorkItem(work)))

    async def finish(self, item: Item) -> Any:  # noqa: ANN401 - any result
        """Do an item, as `do` does.

        Raises:
            StoreError: If the database failed, or the lane is closed.
        """
        done = self._ask(item)
        try:
            return await done
        except asyncio.CancelledError:
            if not item.is_over:
                # Only the waiting was cancelled: the work continues, and is awaited again.
                item.done = self._loop.create_future()
                await asyncio.wait({item.done})
            if not item.done.cancelled():
                item.done.exception()  # marks it as retrieved
            raise

    def nudge(self) -> None:
        """Make the thread notice that it has to watch."""
        self._queue.put([])

    async def close(self) -> None:
        """End the thread, after its queued work. Can be called from any event loop."""
        self._is_closing = True
        while items := self._next():
            self._queue.put(items)
        self._queue.put(None)
        loop, is_over = asyncio.get_running_loop(), asyncio.Event()

        def tell(_: object) -> None:
            with suppress(RuntimeError):  # the loop was closed, and nobody waits there
                loop.call_soon_threadsafe(is_over.set)

        self._over.add_done_callback(tell)
        await is_over.wait()
        while self._thread.is_alive():  # noqa: ASYNC110 - for an instant; a join could block
            await asyncio.sleep(0)

    def _run(self) -> None:
        try:
            self._work()
        finally:
            self._over.set_result(None)

    def _work(self) -> None:
        while not self._is_closed:
            if items := self._wait():
                self._do_all(items)
                self._call(partial(self._tell, items))
            # Also between two commits: a process that writes without a pause can have readers too.
            if not self.is_watching:
                self._quiet_since = time.monotonic()
            elif self._on_foreign_write is not None:
                self._look(self._on_foreign_write)
        self._drop()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection, self._seen = self._connect(), None
        return self._connection

    def _drop(self) -> None:
        if self._connection is not None:
            with suppress(sqlite3.Error):
                # Closing alone can leave a lock behind if a cursor is still alive.
                self._connection.rollback()
            with suppress(sqlite3.Error):
                self._connection.close()
            self._connection = None

    def _look(self, on_foreign_write: Callable[[], None]) -> None:
        """Report if another process has written since the last, not too recent, check."""
        now = time.monotonic()
        if now - self._looked_at < _WATCH_SECONDS:
            return
        self._looked_at = now
        try:
            (version,) = self._open().execute("PRAGMA data_version").fetchone()
        except Exception:  # noqa: BLE001 - the next request gets the error
            self._drop()
            return
        if version != self._seen:
            self._seen, self._quiet_since = version, now
            self._call(on_foreign_write)

    def _pause(self) -> float:
        """Return how long to wait for work, at most."""
        if not self.is_watching:
            return _IDLE_SECONDS
        quiet = time.monotonic() - self._quiet_since
        return pause_after(quiet) if self.is_patient else _WATCH_SECONDS

    def _wait(self) -> list[Item]:
        """Return the next items, or nothing if it is time to watch."""
        try:
            items = self._queue.get(timeout=self._pause())
        except queue.Empty:
            # Nobody closes the store of an application that is gone with its event loop.
            self._is_closed = self._loop.is_closed()
            return []
        self._is_closed = items is None
        return items or []

    def _do_all(self, items: list[Item]) -> None:
        try:
            connection = self._begin()
            try:
                for item in self._without_joint(connection, items):
                    try:
                        item.result = item.do(connection)
                    except YieldwireError as exc:
                        item.error = exc  # a refusal, raised before anything is written
            except Exception as exc:
                if not (is_of_item(exc) and connection.in_transaction):
                    raise
                # One item failed, and the others can still succeed.
                connection.execute("ROLLBACK")
                split(items)
                self._do_apart(self._begin(), items)
            connection.execute("COMMIT")
        except Exception as exc:  # noqa: BLE001 - passed to all callers
            self._fail(items, exc)

    def _begin(self) -> sqlite3.Connection:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE" if self._writes else "BEGIN")
        return connection

    def _do_apart(self, connection: sqlite3.Connection, items: list[Item]) -> None:
        """Do each in a savepoint, so that one that fails does not affect the others."""
        for item in items:
            item.error = None
            connection.execute("SAVEPOINT item")
            try:
                item.result = item.do(connection)
            except YieldwireError as exc:
                item.error = exc
            except Exception as exc:
                if not (is_of_item(exc) and connection.in_transaction):
                    raise
                connection.execute("ROLLBACK TO item")
                item.error = self._explained(exc)
                item.error.retryable = False
            connection.execute("RELEASE item")

    def _fail(self, items: list[Item], exc: Exception) -> None:
        self._drop()
        error = self._explained(exc)
        for item in items:
            item.error = error

    def _explained(self, exc: Exception) -> StoreError:
        try:
            return self._explain(exc)
        except Exception as unexplained:  # noqa: BLE001 - the thread must continue
            error = StoreError(f"The store failed with {type(exc).__name__}, and {unexplained}.")
            error.__cause__ = exc
            return error

    def _without_joint(self, connection: sqlite3.Connection, items: list[Item]) -> list[Item]:
        """Do the items that can be done together, and return the rest."""
        if self._joint is None:
            return items
        joint = [item for item in items if item.is_joint]
        if not joint:
            return items
        if not self._joint.do_all(connection, joint):
            connection.execute("ROLLBACK")
            self._begin()
            split(items)
            return items
        return [item for item in items if not item.is_joint]

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            return  # the loop is closed: nobody waits for the outcome
