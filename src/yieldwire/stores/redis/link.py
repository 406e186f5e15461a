"""One connection, on which everything that is asked for at one moment takes one round trip.

Theory of operation. A request is queued. While a round trip is under way, the next requests
collect, and share the next one: so its cost does not depend on how many runs have something to
write. None of them was made after the outcome of another was known, so their order does not
matter. A task does the work, and ends when there is none: an idle store has no task.

A connection that failed is not used again. The next request opens a new one, so that a server
that was restarted is found again automatically.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final

from yieldwire.errors import StoreError
from yieldwire.stores.quicklog import report_unheard
from yieldwire.stores.redis.scripts import RedisCommand, in_full
from yieldwire.stores.redis.server import (
    FAILURES,
    Connection,
    Server,
    is_demoted,
    is_error,
    is_unknown_script,
    next_reply,
    packed,
)
from yieldwire.tasks import Tasks

MOST_AT_ONCE: Final = 1_000
MOST_BYTES_AT_ONCE: Final = 8 * 1024 * 1024
"""Requests of one round trip, and about the bytes that they send and get, so that the first of them
does not wait too long, and the server does not need much memory for its replies."""


class QueuedCommands:
    """Commands of one caller, whose replies have about ``size`` bytes.

    Raises:
        StoreError: If one cannot be sent.
    """

    __slots__ = ("commands", "done", "is_over", "replies", "sent", "size")

    def __init__(self, commands: Sequence[RedisCommand], size: int = 0) -> None:
        self.commands: Sequence[RedisCommand] = commands
        self.done: asyncio.Future[list[Any]]
        """Resolved with the replies. Set by the link if the caller awaits them."""
        self.sent: list[bytes] = [*map(packed, commands)]
        self.size: int = size + sum(map(len, self.sent))
        """About how many bytes they send and get."""
        self.replies: list[Any] = []
        self.is_over: bool = False
        """Whether the outcome is known."""

    def tell(self, error: StoreError | None) -> None:
        """Report the outcome. Called in the loop."""
        if self.done.done():
            return
        if error is None:
            self.done.set_result(self.replies)
        else:
            self.done.set_exception(error)


class Link:
    """Asks the server, and gives each caller the replies to its own commands.

    An error of a command reaches only its caller. If the connection fails, all callers at that
    time get the error: whether their commands were carried out is unknown.
    """

    def __init__(
        self, server: Server, tasks: Tasks, on_connect: Callable[[], None] = lambda: None
    ) -> None:
        self._server, self._tasks, self._on_connect = server, tasks, on_connect
        self._loop = asyncio.get_running_loop()
        self._queue: deque[QueuedCommands] = deque()
        self._connection: Connection | None = None
        self._is_working = self._is_closing = False
        self.trips: int = 0
        """How many round trips there were."""

    def ask(self, *commands: RedisCommand, size: int = 0) -> "asyncio.Future[list[Any]]":
        """Queue commands, whose replies have about ``size`` bytes; return the replies' future.

        Raises:
            StoreError: If one cannot be sent, or the store is closed.
        """
        return self._ask(QueuedCommands(commands, size))

    def _ask(self, request: QueuedCommands) -> "asyncio.Future[list[Any]]":
        request.done = done = asyncio.get_running_loop().create_future()
        self.put(request)
        return done

    def put(self, request: QueuedCommands) -> None:
        """Queue commands; `QueuedCommands.tell` reports their outcome, but not within this call.

        Raises:
            StoreError: If the store is closed.
        """
        if self._is_closing:
            raise StoreError("The store is closed.")
        self._queue.append(request)
        if not self._is_working:
            self._is_working = True
            self._tasks.own(self._work())

    async def finish(self, command: RedisCommand) -> Any:  # noqa: ANN401 - any reply
        """Return the reply to a command. A cancellation waits until it is there.

        Raises:
            StoreError: If the server failed, or refused it.
        """
        request = QueuedCommands((command,))
        try:
            return (await self._ask(request))[0]
        except asyncio.CancelledError:
            if not request.is_over:
                # Only the waiting was cancelled: the command was sent, and is awaited again.
                request.done = asyncio.get_running_loop().create_future()
                await asyncio.wait({request.done})
            if not request.done.cancelled():
                request.done.exception()  # marks it as retrieved
            raise

    async def close(self) -> None:
        """Close the connection, after the queued requests."""
        self._is_closing = True
        while self._is_working:
            await self._tasks.wait(None)
        await self._drop()

    async def _work(self) -> None:
        try:
            while self._queue:
                batch = self._take()
                try:
                    await self._serve(batch)
                except BaseException as exc:
                    self._fail(batch, exc)
                    raise
        finally:
            self._is_working = False
            for request in self._queue:  # only if this was cancelled
                self._settle(request, StoreError("The store is closed."))
            self._queue.clear()

    def _take(self) -> list[QueuedCommands]:
        batch, size = list[QueuedCommands](), 0
        while self._queue and len(batch) < MOST_AT_ONCE and size < MOST_BYTES_AT_ONCE:
            request = self._queue.popleft()
            size += request.size
            batch.append(request)
        return batch

    async def _serve(self, batch: list[QueuedCommands]) -> None:
        try:
            async with asyncio.timeout(self._server.timeout):
                await self._exchange(batch)
        except (*FAILURES, StoreError) as exc:
            await self._drop()
            self._fail(batch, exc)
            return
        for request in batch:
            failure = next(filter(is_error, request.replies), None)
            self._settle(request, None if failure is None else self._server.explained(failure))

    async def _exchange(self, batch: list[QueuedCommands]) -> None:
        await self._trip([(request, range(len(request.sent))) for request in batch])
        if not any(is_error(reply) for request in batch for reply in request.replies):
            return
        moved = next(
            (reply for each in batch for reply in each.replies if self._server.move(reply)), None
        )
        if moved is not None:
            await self._drop()
            await self._trip([(request, range(len(request.sent))) for request in batch])
        unknown = [
            (request, places)
            for request in batch
            if (
                places := [n for n, reply in enumerate(request.replies) if is_unknown_script(reply)]
            )
        ]
        for request, places in unknown:
            for place in places:
                request.sent[place] = packed(in_full(request.commands[place]))
        if unknown:
            await self._trip(unknown)
        if any(is_demoted(reply) for request in batch for reply in request.replies):
            await self._drop()

    async def _trip(self, wanted: Sequence[tuple[QueuedCommands, Sequence[int]]]) -> None:
        """Send some commands of requests, and put their replies in their places."""
        connection = await self._open()
        self.trips += 1
        await connection.send_packed_command(
            [request.sent[place] for request, places in wanted for place in places],
            check_health=False,
        )
        for request, places in wanted:
            request.replies = request.replies or [None] * len(request.sent)
            for place in places:
                request.replies[place] = await next_reply(connection)

    async def _open(self) -> Connection:
        connection = self._connection
        if connection is not None and not await _is_usable(connection):
            await self._drop()
            connection = None
        if connection is None:
            connection = self._connection = await self._server.connect()
            self._on_connect()
        return connection

    async def _drop(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.disconnect(nowait=True)

    def _fail(self, batch: Sequence[QueuedCommands], exc: BaseException) -> None:
        for request in batch:
            self._settle(request, self._server.explained(exc))

    def _settle(self, request: QueuedCommands, error: StoreError | None) -> None:
        if request.is_over or not _is_running(self._loop):
            return  # nobody of a loop that is gone waits for it
        request.is_over = True
        try:
            request.tell(error)
        except Exception as exc:  # noqa: BLE001 - the others have an outcome too
            report_unheard(exc)


async def _is_usable(connection: Connection) -> bool:
    """Whether a connection that was idle is as it was left."""
    try:
        return connection.is_connected and not await connection.can_read()
    except FAILURES:
        return False


def _is_running(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False
