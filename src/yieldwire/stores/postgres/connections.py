"""The connections of one store to its database, and the work that is done with them.

Theory of operation. All work is done in tasks of the store, so a caller that is cancelled leaves
nothing half done. A transaction sends its statements without waiting for each answer (libpq's
pipeline mode), so it takes two round trips: one up to the rows that it decides by, and one for
what it writes. A connection that does not answer in time is cut, which fails its work. Work whose
connection is lost before it can have written is done again with another connection.
"""

import asyncio
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from yieldwire.errors import StoreError, YieldwireError
from yieldwire.setting import Rule
from yieldwire.stores.opening import Openings
from yieldwire.stores.postgres.failure import AGAIN, MOVED, explain, is_lost
from yieldwire.stores.postgres.layout import DatabaseConnection, prepare
from yieldwire.stores.postgres.session import Row, Session, Texts
from yieldwire.stores.postgres.text import adaptation
from yieldwire.stores.work import Works, settled

T = TypeVar("T")
SessionWork = Callable[[Session], Awaitable[T]]

DSN: Final = Rule(
    lambda value: isinstance(value, str) and value.startswith(("postgresql://", "postgres://")),
    "a URL such as 'postgresql://user@host/database'",
)
"""The rule for the address of a database."""
_TRIES: Final = 5
"""How often work is done that conflicts with other work, or whose connection was lost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseSettings:
    """Where the database is, and how it is used.

    Attributes:
        dsn: libpq's connection string or URL.
        connections: The most connections at a time.
        timeout: How many seconds a call waits for a connection, and for an answer.
        layouts: The layouts that are known.
    """

    dsn: str
    connections: int
    timeout: float
    layouts: Mapping[int, str]

    @property
    def where(self) -> str:
        """The database, for messages: without its password."""
        given = conninfo_to_dict(self.dsn)
        name, host = given.get("dbname", ""), given.get("host") or given.get("hostaddr") or ""
        return f"the database {name or 'of PostgreSQL'}" + (f" at {host}" if host else "")

    async def connect(self, dsn: str | None = None) -> DatabaseConnection:
        """Open a connection that is in no pool.

        Raises:
            psycopg.Error: If there is none.
        """
        connection = await AsyncConnection[Row].connect(dsn or self.dsn, **self.keywords)
        connection.row_factory = dict_row
        return connection

    @property
    def keywords(self) -> dict[str, Any]:
        """What every connection has in common."""
        return {
            "autocommit": True,
            "context": adaptation(),
            "row_factory": dict_row,
            "connect_timeout": max(2, round(self.timeout)),
        }


class Connections:
    """A pool of connections, opened by the first work.

    ``on_change`` is called when a connection was lost, and before a new one is used: the database
    can be another one than before.
    """

    def __init__(
        self, settings: DatabaseSettings, texts: Texts, on_change: Callable[[], None]
    ) -> None:
        self.settings: Final = settings
        self._texts, self._on_change = texts, on_change
        self.openings: Final = Openings(self._release)
        self._works = Works()
        self._pool: AsyncConnectionPool[DatabaseConnection] | None = None
        self._opening: asyncio.Future[AsyncConnectionPool[DatabaseConnection]] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    # Work.

    def own(self, work: Coroutine[Any, Any, T]) -> "asyncio.Future[T]":
        """Do ``work`` in a task of the store, and return the future of its outcome."""
        return self._works.start(work)

    def start(self, work: SessionWork[T]) -> "asyncio.Future[T]":
        """Start work of statements that can be repeated, each of them alone."""
        return self.own(self.repeat(work))

    async def do(self, work: SessionWork[T]) -> T:
        """Do work as `start` does. A cancellation waits until it is done.

        Raises:
            StoreError: If the database failed, or the store is closed.
        """
        return await settled(self.start(work))

    async def transact(self, work: SessionWork[T]) -> T:
        """Do work in one transaction. A cancellation waits until it is done.

        Raises:
            StoreError: If the database failed, or the store is closed. If it failed during the
                commit, whether anything was written is unknown.
        """
        return await settled(self.own(self.transaction(work)))

    async def repeat(self, work: SessionWork[T]) -> T:
        """Do work as `start` does, in the caller's task, which must be the store's.

        Raises:
            StoreError: If the database failed, or the store is closed.
        """
        return await self._try(lambda connection: work(Session(connection, self._texts)))

    async def transaction(self, work: SessionWork[T]) -> T:
        """Do work as `transact` does, in the caller's task, which must be the store's.

        Raises:
            StoreError: If the database failed, or the store is closed.
        """
        return await self._try(partial(self._transact, work))

    async def _try(self, work: Callable[[DatabaseConnection], Awaitable[T]]) -> T:
        clock = asyncio.get_running_loop().time
        until = clock() + self.settings.timeout
        for tries_left in reversed(range(_TRIES)):
            try:
                async with self._connection() as connection:
                    return await work(connection)
            except YieldwireError:
                raise
            except Exception as exc:
                needs_other = is_lost(exc) or isinstance(exc, MOVED)
                if needs_other:
                    await self._lose()
                is_again = needs_other or isinstance(exc, AGAIN)
                if not (is_again and tries_left and clock() < until):
                    raise await self._explained(exc) from exc
        raise AssertionError  # pragma: no cover - the last try returns or raises

    async def _transact(self, work: SessionWork[T], connection: DatabaseConnection) -> T:
        is_committing = False
        try:
            async with connection.pipeline():
                await connection.execute("BEGIN")
                result = await work(Session(connection, self._texts))
                is_committing = True
                await connection.execute("COMMIT")
        except BaseException as exc:
            if is_committing and is_lost(exc):
                raise self._unknown(exc) from exc
            await self._roll_back(connection)
            raise
        return result

    async def _roll_back(self, connection: DatabaseConnection) -> None:
        if connection.info.transaction_status is not TransactionStatus.IDLE:
            with suppress(psycopg.Error):
                await connection.rollback()

    # Connections.

    async def migrate(self) -> tuple[int, int]:
        """Prepare the database, and return its layout before and after.

        Raises:
            StoreError: If the database failed, or its layout is newer.
        """
        known = self.settings.layouts
        try:
            async with await self.settings.connect() as connection:
                return await prepare(connection, self._texts.schema, known), max(known)
        except psycopg.Error as exc:
            raise explain(exc, self.settings.where) from exc

    @asynccontextmanager
    async def _connection(self) -> AsyncGenerator[DatabaseConnection, None]:
        """Lend a connection of the pool, and cut it if it does not answer in time."""
        pool = self._pool or await self._opened()
        connection = await pool.getconn(self.settings.timeout)
        timer = asyncio.get_running_loop().call_later(self.settings.timeout, cut, connection)
        try:
            yield connection
        finally:
            timer.cancel()
            await pool.putconn(connection)

    async def _opened(self) -> AsyncConnectionPool[DatabaseConnection]:
        """Return the pool; the first call prepares the database."""
        if self._opening is None:
            self.openings.begin()
            self._loop = asyncio.get_running_loop()
            self._opening = self.own(self._open())
        opening = self._opening
        try:
            return await asyncio.shield(opening)
        finally:
            if self._opening is opening and opening.done() and self._pool is None:
                self._opening = None  # a later call tries again

    async def _open(self) -> AsyncConnectionPool[DatabaseConnection]:
        async with await self.settings.connect() as connection:
            await prepare(connection, self._texts.schema, self.settings.layouts)
            is_direct = await _is_direct(connection)
        pool = AsyncConnectionPool(
            self.settings.dsn,
            connection_class=AsyncConnection[Row],
            kwargs={**self.settings.keywords, "prepare_threshold": 2 if is_direct else None},
            min_size=1,
            max_size=self.settings.connections,
            timeout=self.settings.timeout,
            configure=self._note_new,
            open=False,
        )
        await pool.open()
        self._pool = pool
        return pool

    async def _note_new(self, _: DatabaseConnection) -> None:
        self._on_change()

    async def _lose(self) -> None:
        """Replace all connections, as one was lost: the others probably are too."""
        self._on_change()
        if self._pool is not None:
            await self._pool.drain()

    async def _explained(self, exc: Exception) -> StoreError:
        if isinstance(exc, PoolTimeout):
            try:  # what the pool does not say
                async with await self.settings.connect():
                    pass
            except psycopg.Error as reason:
                exc = reason
        return explain(exc, self.settings.where)

    def _unknown(self, exc: BaseException) -> StoreError:
        self._on_change()
        return StoreError(
            f"The connection to {self.settings.where} was lost during a commit: {exc}"
        )

    async def _release(self) -> None:
        if self._loop is not None and self._loop is not asyncio.get_running_loop():
            self._works.abandon(self._loop)
            pool = None  # its connections are closed with its deletion
        else:
            await self._works.wait()
            pool = self._pool
        self._pool = self._opening = self._loop = None
        self._works = Works()
        if pool is not None:
            await pool.close()


async def _is_direct(connection: DatabaseConnection) -> bool:
    """Whether nothing is between, such as PgBouncer, which gives each transaction to any server.

    It has its own numbers for connections.
    """
    cursor = await connection.execute("SELECT pg_backend_pid() AS pid")
    row = await cursor.fetchone()
    return row is not None and row["pid"] == connection.info.backend_pid


def cut(connection: DatabaseConnection) -> None:
    """Make a connection fail whatever it waits for: psycopg would wait for the cancellation too."""
    with suppress(OSError), socket.socket(fileno=os.dup(connection.fileno())) as its:
        its.shutdown(socket.SHUT_RDWR)
