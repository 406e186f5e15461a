"""Wake-ups between processes: one connection listens, and waits are looked up by a timer too.

Theory of operation. A notification names runs and carries no events, so losing one costs time and
nothing else: while somebody waits, all waits are looked up every two seconds. Without
notifications that is done ten times a second: while the listening connection is lost, which comes
back by itself, and for good if notifications do not arrive. The store finds that out by sending
one to itself: PgBouncer, if it gives each transaction another connection, never delivers it.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from secrets import token_hex
from typing import Final

import psycopg
from psycopg import Notify

from yieldwire.errors import StoreError
from yieldwire.stores.postgres.connections import Connections, cut
from yieldwire.stores.postgres.layout import DatabaseConnection
from yieldwire.stores.postgres.news import News, Telling, told
from yieldwire.stores.work import settled
from yieldwire.tasks import Tasks

logger: Final = logging.getLogger("yieldwire.worker")

_LOOK_SECONDS: Final = 2.0
_POLL_SECONDS: Final = 0.1
"""How often waits are looked up: while notifications arrive, and while they do not."""
_PROBE_SECONDS: Final = 5.0
"""How long the store's notification to itself can take."""
_CHECK_SECONDS: Final = 30.0
"""How often the listening connection is checked."""
_RETRY_SECONDS: Final = 0.5
"""How long after a loss the next connection is tried."""


class NewsListener:
    """Listens from the first wait on, for one event loop.

    ``dsn`` is where to listen, if not with the pool's. ``on_news`` is called with what other
    processes wrote. ``look`` looks up every wait, and returns whether there is any.
    """

    def __init__(
        self,
        connections: Connections,
        dsn: str | None,
        *,
        channel: str,
        on_news: Callable[[News], None],
        look: Callable[[], bool],
    ) -> None:
        self._connections, self._dsn, self._channel = connections, dsn, channel
        self._on_news, self._look = on_news, look
        self._name = token_hex(8)
        self._tasks: Tasks | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_heard = False
        self._telling: Telling | None = None

    def tell(self, run_id: str, last: int | None = None) -> None:
        """Tell other processes what is new; see `Telling.tell`."""
        if self._telling is None:
            self._telling = Telling(self._name, self._send, self._connections.own)
        self._telling.tell(run_id, last)

    async def _send(self, payloads: Sequence[str]) -> None:
        values = {"channel": self._channel, "payloads": payloads}
        with suppress(StoreError):  # waits are looked up too
            await self._connections.repeat(lambda session: session.all("notify", **values))

    def begin(self) -> None:
        """Listen, and look waits up by the timer; if that has begun, this does nothing."""
        if self._tasks is None:
            self._tasks = Tasks()
            self._tasks.own(self._listen())
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_POLL_SECONDS, self._tick)

    def _tick(self) -> None:
        self._timer = None
        if self._look():
            seconds = _LOOK_SECONDS if self._is_heard else _POLL_SECONDS
            self._timer = asyncio.get_running_loop().call_later(seconds, self._tick)

    async def _listen(self) -> None:
        is_told = False
        while True:
            try:
                async with await self._connections.settings.connect(self._dsn) as connection:
                    await connection.execute(f'LISTEN "{self._channel}"'.encode())
                    # In another task: psycopg's pool can lose the cancellation of one that waits.
                    await settled(self._connections.own(self._send([self._name])))
                    if not await self._hears_itself(connection):
                        logger.warning(_CANNOT_LISTEN)
                        return
                    is_told = False
                    await self._hear(connection)
            except psycopg.Error as exc:
                if not is_told:  # once for each loss
                    logger.warning("no wake-ups from other processes, so they are polled: %s", exc)
                is_told = True
            await asyncio.sleep(_RETRY_SECONDS)

    async def _hears_itself(self, connection: DatabaseConnection) -> bool:
        async for notification in connection.notifies(timeout=_PROBE_SECONDS):
            if self._take(notification):
                return True
        return False

    async def _hear(self, connection: DatabaseConnection) -> None:
        self._is_heard = True
        self._look()  # for what was written before it listened
        try:
            while True:
                async for notification in connection.notifies(timeout=_CHECK_SECONDS):
                    self._take(notification)
                loop, timeout = asyncio.get_running_loop(), self._connections.settings.timeout
                timer = loop.call_later(timeout, cut, connection)
                await connection.execute("SELECT 1")
                timer.cancel()
        finally:
            self._is_heard = False
            if self._timer is not None:  # it can be two seconds away
                self._timer.cancel()
                self._tick()

    def _take(self, notification: Notify) -> bool:
        """Return whether a notification is the store's own; others are news."""
        sender, news = told(notification.payload)
        if sender == self._name:
            return True
        self._on_news(news)
        return False

    async def close(self) -> None:
        """Listen no more."""
        tasks = self._tasks
        if self._telling is not None:
            self._telling.close()
        self.forget()
        if tasks is not None:
            await tasks.cancel()

    def forget(self) -> None:
        """Drop what belongs to the event loop, as it is gone."""
        if self._timer is not None:
            self._timer.cancel()
        self._tasks = self._timer = self._telling = None
        self._is_heard = False


_CANNOT_LISTEN: Final = (
    "The database's notifications do not arrive, as behind PgBouncer with pool_mode=transaction, "
    "so this process asks it ten times a second while somebody waits. For wake-ups, give "
    "PostgresStore a DSN that leads to the server itself: listen='postgresql://…'."
)
