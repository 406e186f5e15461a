"""Runs kept in PostgreSQL, for an application on many machines.

Theory of operation. Every method is one statement or one transaction, so its steps are atomic for
all processes that share the database. Appends, reads, heartbeats and holds of many runs that are
requested at the same time share a statement. The blocks that this process wrote last are cached in
memory for its own readers. A reader waits on a future, without a connection: an append of this
process resolves it, or a notification of another process, or a timer if none arrives.

Guarantee: everything acknowledged survives the death of every process, and that of the database
server and its machine unless ``fsync`` or ``synchronous_commit`` is off. Nothing depends on the
clocks of the machines: the time is the server's.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Annotated, ClassVar, Final, TypeVar

from yieldwire.clock import CLOCK, Clock
from yieldwire.errors import MissingDependency

try:
    from yieldwire.stores.postgres.connections import DSN, Connections, DatabaseSettings
except ImportError as _exc:
    raise MissingDependency("psycopg", "postgres", "PostgresStore") from _exc

from yieldwire.log import transitions
from yieldwire.log.events import Block
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.setting import Count, SomeSeconds, settings
from yieldwire.stores import Admission, Query, Reach, Revoked
from yieldwire.stores.blobs import Blobs
from yieldwire.stores.location import FileLocation, blobs_at
from yieldwire.stores.machine import boot_id
from yieldwire.stores.postgres import checkpoints, inbox, keys, leases, log, queue, revocations
from yieldwire.stores.postgres.appends import QUEUES, PostgresAppends
from yieldwire.stores.postgres.deliveries import PostgresDeliveries
from yieldwire.stores.postgres.layout import SCHEMA
from yieldwire.stores.postgres.listening import NewsListener
from yieldwire.stores.postgres.news import News
from yieldwire.stores.postgres.queue import PostgresQueue
from yieldwire.stores.postgres.session import Session, Texts
from yieldwire.stores.reads import Reads
from yieldwire.stores.statements import layouts, statements
from yieldwire.stores.tails import Tails
from yieldwire.stores.waiters import Heads
from yieldwire.stores.waits import Waits
from yieldwire.stores.work import Batches

T = TypeVar("T")
CallT = TypeVar("CallT")

_AT_ONCE: Final = 512
"""Appends, pages, heartbeats and the like in one statement."""


@settings
class PostgresStore(PostgresAppends, PostgresDeliveries, PostgresQueue):
    """Keeps runs in a PostgreSQL database, which processes on many machines share.

    The tables are in a schema of their own, and are created when the store is first used.

    Args:
        dsn: The database, as a URL of libpq: ``"postgresql://user:password@host/database"``.
        schema: Where the tables are; applications with different schemas do not meet.
        listen: Where to listen for notifications, if ``dsn`` leads to a pooler such as PgBouncer
            that gives each transaction another connection: a URL of the server itself.
        connections: The most connections at a time; one more listens.
        timeout: How many seconds a call waits for a connection, and then for an answer.
        files: Where these processes keep the files of inputs and messages: a folder that all of
            them share, or a URL of fsspec such as ``s3://bucket/prefix``, which has no other use;
            ``None``: files are only for the process that gets them.
        clock: The source of time; by default the server's clock.

    Raises:
        StoreError: From the first call, if the database cannot be used; the message says why.
    """

    reach: ClassVar[Reach] = "network"

    def __init__(  # noqa: PLR0913 - settings, passed by name
        self,
        dsn: Annotated[str, DSN],
        *,
        schema: Annotated[str, SCHEMA] = "yieldwire",
        listen: Annotated[str, DSN] | None = None,
        connections: Count = 4,
        timeout: SomeSeconds = 10.0,
        files: FileLocation | None = None,
        clock: Annotated[Clock, CLOCK] | None = None,
    ) -> None:
        self.blobs: Blobs | None = blobs_at(files, clock)
        database = DatabaseSettings(
            dsn=dsn, connections=connections, timeout=timeout, layouts=layouts(__package__)
        )
        texts = Texts(statements(__package__), schema, clock)
        self.schema: str = schema
        self._texts, self._tails = texts, Tails()
        self.generation: int = 0
        self._connections = Connections(database, texts, self._note_connected)
        self._reads = Reads(self._ask_page)
        self._waits = Waits(
            partial(self._ask_heads, "heads"),
            partial(self._ask_heads, "inbox_heads"),
            lambda demands: self._connections.start(partial(queue.met, demands=demands)),
            begin=self._begin_wait,
            watch=lambda _: None,
        )
        self._listening = NewsListener(
            self._connections, listen, channel=schema, on_news=self._hear, look=self._look_for_all
        )
        self._appends = self._together(log.append_all, size=lambda each: len(each.block.body))
        self._pages = self._together(log.read_all, size=lambda page: page.max_bytes)
        self._beats, self._holds = self._together(leases.beat_all), self._together(leases.hold_all)
        self._revocations = self._together(partial(revocations.revoke_all, machine=boot_id()))
        self._refusals = Batches(self._refuse_all, self._connections.own, most=_AT_ONCE)
        self._batches: Final = (
            self._appends,
            self._pages,
            self._beats,
            self._holds,
            self._revocations,
            self._refusals,
        )

    def _together(
        self,
        do: Callable[[Session, Sequence[CallT]], Awaitable[Sequence[T | Exception]]],
        *,
        size: Callable[[CallT], int] = lambda _: 0,
    ) -> Batches[CallT, T]:
        """Return what does the calls of one moment in one statement, which can be repeated."""

        async def do_all(items: Sequence[CallT]) -> Sequence[T | Exception]:
            return await self._connections.repeat(lambda session: do(session, items))

        return Batches(do_all, self._connections.own, most=_AT_ONCE, size=size)

    def _note_connected(self) -> None:
        """Note that the database can be another one, or have less than before."""
        self.generation += 1
        self._tails.forget_all()

    # Runs and their logs.

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        """Create a run, or return the one that the idempotency key or the feed already has."""
        create = partial(keys.create, schema=self.schema, run=run, admission=admission)
        try:
            return await self._connections.transact(create)
        finally:
            if run.queue is not None:
                self._wake_takers()

    async def get(self, run_id: str, /) -> RunRecord:
        """Return the run's current record."""
        return await self._connections.do(partial(log.record, run_id=run_id))

    async def read(
        self, run_id: str, after: int, *, max_bytes: int = 262_144, wait: float = 0.0
    ) -> Sequence[Block]:
        """Return the blocks after ``after``, the first one cut there, or wait for the next."""
        if page := self._tails.page(run_id, after, max_bytes):
            return page
        if wait > 0:
            await self._waits.wait(self._waits.logs, run_id, after, wait)
            if page := self._tails.page(run_id, after, max_bytes):
                return page
        return await self._reads.page(run_id, after, max_bytes)

    def _ask_page(self, run_id: str, after: int, max_bytes: int) -> asyncio.Future[Sequence[Block]]:
        return self._pages.ask(log.Page(run_id, after, max_bytes))

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        """Return the matching runs, newest first."""
        return await self._connections.do(partial(log.find, texts=self._texts, query=query))

    # Waiting.

    def _ask_heads(self, name: str, run_ids: set[str]) -> asyncio.Future[Heads]:
        return self._connections.start(partial(log.heads, name=name, run_ids=run_ids))

    async def _begin_wait(self) -> None:
        self._listening.begin()

    def _look_for_all(self) -> bool:
        self._reads.forget_all()
        self._waits.look_for_all()
        return bool(self._waits)

    def _hear(self, news: News) -> None:
        """Wake those who wait for what another process wrote."""
        self._reads.forget_all()
        for place, last in news.items():
            if place == QUEUES:
                self._waits.takers.look_for_all()
            elif last is None:
                self._waits.wake(place)
            else:
                self._waits.logs.wake(place, last)

    def _changed(self, run_id: str) -> None:
        """Wake all who wait for something of a run, as it can have ended, or be gone."""
        self._tails.forget(run_id)  # the log can have been trimmed
        self._reads.forget_all()
        self._waits.wake(run_id)
        self._listening.tell(run_id)

    # Leases.

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        """Start the next attempt of a pending run."""
        return await self._connections.transact(partial(leases.claim, run_id=run_id, lease=lease))

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        """Renew the lease, and return why the run must be cancelled, if it must."""
        beat = leases.Beat(run_id, fence, lease)
        renewed = await self._beats.do(beat)
        if renewed is None:
            return await self._connections.do(partial(leases.check_right, beat=beat))
        (reason,) = renewed
        return reason

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        """End a running attempt so that another one follows."""
        restart = partial(leases.restart, run_id=run_id, fence=fence, delay=delay)
        try:
            return await self._connections.transact(restart)
        finally:
            self._changed(run_id)
            self._wake_takers()

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        """Ask a run to stop."""
        ask = partial(leases.ask_to_stop, run_id=run_id, reason=reason)
        try:
            return await self._connections.transact(ask)
        finally:
            self._changed(run_id)

    async def asked_to_stop(self, run_ids: Collection[str], /) -> Mapping[str, str]:
        """Return why runs must be cancelled, of those among these that must."""
        return await self._connections.do(partial(leases.asked_to_stop, run_ids=[*run_ids]))

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        """Run time-based maintenance, and return the runs that changed."""
        if not await self._connections.do(leases.is_due):
            return []
        await self._connections.transact(leases.forget_old)
        take_away = partial(leases.take_away_lost, lease=lease or transitions.CLAIM_SECONDS)
        changed: dict[str, RunRecord] = {}
        for work in (leases.stop_forsaken, take_away):
            size = leases.SWEPT_AT_ONCE
            while size == leases.SWEPT_AT_ONCE:
                runs = await self._connections.transact(work)
                changed |= {run.id: run for run in runs}
                size = len(runs)
        for run_id in changed:
            self._changed(run_id)
        self._wake_takers()
        return [*changed.values()]

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        """Delete runs with their log and key."""
        if run_id is not None:
            await self._connections.transact(partial(leases.purge, run_id=run_id))
            purged: Sequence[str] = [run_id]
        elif await self._connections.do(leases.has_expired):
            purged = await self._connections.transact(leases.purge_expired)
        else:
            purged = []
        for forgotten in purged:
            self._changed(forgotten)
        return purged

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        """Record that ``reader`` follows the run for the next ``seconds``; 0: it has left."""
        await self._holds.do(leases.Hold(run_id, reader, seconds))

    # What others tell a run, and what attempts leave.

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        """Accept a message to a run that has not ended."""
        send = partial(inbox.send, run_id=run_id, message=message)
        try:
            return await self._connections.transact(partial(send, most=most, most_bytes=most_bytes))
        finally:
            self._waits.inboxes.wake(run_id)  # also if this call is cancelled: it is accepted
            self._listening.tell(run_id)

    async def inbox(self, run_id: str, after: int, *, wait: float = 0.0) -> Sequence[Message]:
        """Return the messages after number ``after``, or wait for the next."""
        if wait > 0:
            await self._waits.wait(self._waits.inboxes, run_id, after, wait)
        return await self._connections.do(partial(inbox.behind, run_id=run_id, after=after))

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        """Keep ``data`` as the checkpoint ``name``."""
        save = partial(checkpoints.save, run_id=run_id, checkpoint=(name, data))
        await self._connections.do(partial(save, seq=seq, fence=fence))

    async def saved(self, run_id: str, /) -> Mapping[str, bytes]:
        """Return the run's checkpoints by name."""
        return await self._connections.do(partial(checkpoints.saved, run_id=run_id))

    # Access.

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        """Return the run of ``key``; if there is none, refuse the key."""
        return await self._refusals.do(keys.Refusal(key, seconds))

    async def _refuse_all(self, refusals: Sequence[keys.Refusal]) -> Sequence[RunRecord | None]:
        refuse = partial(keys.refuse_all, schema=self.schema, refusals=refusals)
        return await self._connections.transaction(refuse)

    async def revoke(self, owner: str, /) -> float:
        """Record that the access of ``owner`` was revoked, and return when."""
        return await self._revocations.do(revocations.Revocation(owner, time.monotonic()))

    async def revoked(self, since: int, /) -> Revoked:
        """Return the revocations after number ``since``."""
        return await self._connections.do(
            partial(revocations.revoked, since=since, machine=boot_id())
        )

    # Opening.

    async def migrate(self) -> tuple[int, int]:
        """Change the layout to that of this version, and return which it was before, and is.

        0: there were no tables. The first use of a store does the same.

        Raises:
            StoreError: If the database failed, or its layout is newer.
        """
        return await self._connections.migrate()

    async def open(self) -> None:
        """Serve the event loop of this call, also after a close, or in another loop than before."""
        if await self._connections.openings.open():
            self._listening.forget()
            self._waits.forget_all()
            self._reads.forget_all()
            for batches in self._batches:
                batches.forget()

    async def close(self) -> None:
        """Close the connections when the work that was begun is done, and wake all who wait."""
        if self._connections.openings.leave():
            self._waits.wake_all()
            await self._listening.close()
            await self._connections.openings.release()
