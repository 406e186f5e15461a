"""The threads of one store: one writes, one reads. They start with the first call.

They belong to the event loop of that call. A store that is opened for another loop ends them,
and the first call there starts new ones.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Final, TypeVar

from yieldwire.clock import Clock
from yieldwire.errors import StoreError
from yieldwire.stores.opening import Openings
from yieldwire.stores.sqlite.failure import explain
from yieldwire.stores.sqlite.file import FileSettings, connect, prepare
from yieldwire.stores.sqlite.item import Joint
from yieldwire.stores.sqlite.lane import Lane
from yieldwire.stores.statements import layouts
from yieldwire.stores.waits import Waits

T = TypeVar("T")


class Lanes:
    """Both lanes of one file.

    ``joint`` writes what many request at once, and ``on_foreign_write`` is called when other
    processes have written.
    """

    def __init__(
        self,
        settings: FileSettings,
        clock: Clock,
        joint: Joint,
        on_foreign_write: Callable[[], None],
    ) -> None:
        self.settings: Final = settings
        self._clock, self._joint, self._on_foreign_write = clock, joint, on_foreign_write
        self._writer: Lane | None = None
        self._reader: Lane | None = None
        self.openings: Final = Openings(self._end)

    @property
    def writer(self) -> Lane:
        """The lane that writes. If it fails, whether the data was written is unknown.

        Raises:
            StoreError: If the store is closed.
        """
        if self._writer is None:
            self.openings.begin()
            self._writer = Lane(
                self._connect_writer,
                self._explain,
                name="yieldwire writer",
                writes=True,
                joint=self._joint,
                on_foreign_write=self._on_foreign_write,
            )
        return self._writer

    async def read(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do ``work`` in a read transaction, independent of concurrent writes.

        Raises:
            StoreError: If the file failed.
        """
        reader = await self.open_reader()
        return await reader.do(work)

    async def open_reader(self) -> Lane:
        """Start to read, and return the lane that does; every call after the first is fast.

        Raises:
            StoreError: If the file failed.
        """
        if self._reader is None:
            await self.writer.do(lambda _: None)  # the first writer creates the layout
        if self._reader is None:
            self.openings.begin()
            self._reader = Lane(
                self._connect_reader, self._explain, name="yieldwire reader", writes=False
            )
        return self._reader

    def ask(self, work: Callable[[sqlite3.Connection], T], *, size: int = 0) -> "asyncio.Future[T]":
        """Queue ``work``, which moves ``size`` bytes, for the reading lane; return its future.

        Raises:
            StoreError: If the lane has not started, or is closed.
        """
        if self._reader is None:
            raise StoreError("The store is closed.")
        return self._reader.ask(work, size=size)

    def watch(self, waits: Waits) -> None:
        """Watch for writes of other processes while somebody waits."""
        writer = self._writer
        if writer is None:
            return
        was = writer.is_watching, writer.is_patient
        writer.is_watching, writer.is_patient = is_now = bool(waits), waits.is_patient
        if writer.is_watching and is_now != was:
            writer.nudge()

    async def _end(self) -> None:
        """End both threads, after their queued work."""
        try:
            for lane in (self._reader, self._writer):
                if lane is not None:
                    await lane.close()
        finally:
            self._reader = self._writer = None

    def _connect_writer(self) -> sqlite3.Connection:
        connection = connect(self.settings)
        try:
            prepare(connection, self.settings.path, self._clock, layouts(__package__))
        except BaseException:
            connection.close()
            raise
        return connection

    def _connect_reader(self) -> sqlite3.Connection:
        return connect(self.settings, read_only=True)

    def _explain(self, exc: Exception) -> StoreError:
        return explain(exc, self.settings.path)
