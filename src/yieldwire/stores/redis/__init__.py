"""Runs kept in Redis or Valkey: for processes on many machines.

Theory of operation. Every change is one Lua script, which is atomic and checks fence, status, seq
or version. What several runs write at one moment shares a round trip (`link`). The blocks that
this process wrote last are cached in memory for its own readers. A reader waits on a future, which
an append of this process resolves; one connection listens for the appends of all others
(`wakeups`). All keys of a store begin with the same prefix in braces, so that a cluster keeps them
on one node.

Guarantee: what the server acknowledged is as safe as the server keeps it. With an append-only file
it survives the death of the server's process; see the guide for what else it takes. If the server
has lost something, a run is unknown or a cursor is foreign: the store never fills a gap.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, ClassVar, Final
from urllib.parse import urlsplit

from yieldwire.clock import CLOCK, Clock
from yieldwire.errors import KeyReused, StoreError
from yieldwire.log import transitions
from yieldwire.log.events import Block
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.setting import Rule, SomeSeconds, settings
from yieldwire.stores import (
    REFUSALS_KEPT,
    Admission,
    Query,
    Reach,
    no_such_run,
    start_cancelled,
    too_many,
)
from yieldwire.stores.blobs import Blobs
from yieldwire.stores.location import FileLocation, blobs_at
from yieldwire.stores.machine import boot_id
from yieldwire.stores.reads import Reads
from yieldwire.stores.redis.appends import RedisAppends
from yieldwire.stores.redis.deliveries import RedisDeliveries
from yieldwire.stores.redis.inbox import InboxKeys
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.log import LogKeys
from yieldwire.stores.redis.policy import warn_of_eviction
from yieldwire.stores.redis.queue import RedisQueue
from yieldwire.stores.redis.records import (
    Kept,
    RedisHash,
    new_fields,
    number,
    optional,
    pairs,
    to_record,
)
from yieldwire.stores.redis.revocations import RedisRevocations
from yieldwire.stores.redis.runs import Decide, Decision, Lease, RunKeys
from yieldwire.stores.redis.scripts import Scripts
from yieldwire.stores.redis.server import SENTINEL, Server
from yieldwire.stores.redis.waits import RedisWaits
from yieldwire.stores.tails import Tails

SCHEMES: Final = ("redis", "rediss", "valkey", "valkeys", "unix", SENTINEL)
"""The schemes of the URLs of servers."""


def is_url(value: object) -> bool:
    """Whether ``value`` is the URL of a server."""
    if not isinstance(value, str):
        return False
    parts = urlsplit(value)
    return parts.scheme in SCHEMES and bool(parts.path if parts.scheme == "unix" else parts.netloc)


def _is_prefix(value: object) -> bool:
    return isinstance(value, str) and value.isprintable() and not {*value} & {*"{}"} and value != ""


def _url_hint(value: object) -> str:
    return f"write 'redis://{value}'" if isinstance(value, str) and "/" not in value else ""


_URL: Final = Rule(is_url, "a URL such as 'redis://localhost:6379/0'", _url_hint)
_PREFIX: Final = Rule(_is_prefix, "a text without braces")


@settings
class RedisStore(RedisAppends, RedisDeliveries, RedisQueue, RedisRevocations):
    """Keeps runs in Redis 6.2 or newer, or Valkey, which any number of processes can share.

    Args:
        url: The server: ``redis://user:password@host:port/db``, ``rediss://`` for TLS, ``unix://``
            or ``redis+sentinel://host:port,host:port/service/db``. Options of redis-py's
            connections can follow after ``?``.
        prefix: What all keys begin with, in braces. Stores with different prefixes share nothing.
        timeout: How many seconds the server can take for one round trip.
        files: Where these processes keep the files of inputs and messages: a folder that all of
            them share, or a URL of fsspec such as ``s3://bucket/prefix``, which has no other use;
            ``None``: files are only for the process that gets them.
        clock: The source of time; without it the server's clock, which all processes share.

    Raises:
        MissingDependency: If the extra ``redis`` is not installed.
        StoreError: From the first call, if the server cannot be used; the message says why.
    """

    reach: ClassVar[Reach] = "network"

    def __init__(
        self,
        url: Annotated[str, _URL],
        *,
        prefix: Annotated[str, _PREFIX] = "yieldwire",
        timeout: SomeSeconds = 5.0,
        files: FileLocation | None = None,
        clock: Annotated[Clock, CLOCK] | None = None,
    ) -> None:
        boot_id()  # reads it once, before anybody waits for it
        self.blobs: Blobs | None = blobs_at(files, clock)
        self._scripts = Scripts(prefix, clock)
        self.generation: int = 0
        self._links = RedisLinks(Server(url, timeout), self._note_connected)
        self._logs = LogKeys(self._links, self._scripts)
        self._runs = RunKeys(self._links, self._scripts)
        self._inbox = InboxKeys(self._links, self._scripts)
        self._tails = Tails()
        self._reads = Reads(self._ask_page)
        self._waits = RedisWaits(self._links, self._scripts, self._reads, self._tails)

    def _note_connected(self) -> None:
        """Note that the server can be another one, or have an older copy than before."""
        self.generation += 1
        self._tails.forget_all()

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        """Create a run, or return the one that the idempotency key or the feed already has."""
        limits = (admission.action_limit, admission.caller_limit)
        lease = admission.lease
        if not admission.claims:
            lease = lease or transitions.CLAIM_SECONDS
        create = self._scripts.call(
            "create",
            run.id,
            "queue" if run.is_queued else "" if lease is None else number(lease),
            number(run.linger or 0.0) if transitions.needs_readers(run) else "",
            optional(admission.key),
            admission.fingerprint,
            optional(admission.feed),
            *("" if limit is None else limit for limit in limits),
            run.quota_key,
            run.action,
            number(transitions.ARRIVAL_SECONDS),
            "claimed" if admission.claims else "",
            *new_fields(run, admission),
        )
        outcome, *rest = await self._links.writer.finish(create)
        if outcome == b"new":
            return transitions.create(run, float(rest[0]), claims=admission.claims)
        if outcome == b"refused":
            raise start_cancelled()
        if outcome == b"limit":
            same, every = rest
            too_many(run, admission, same=same, every=every)
        known, fields = _known(*rest)
        if outcome == b"known" and fields[b"fingerprint"].decode() != admission.fingerprint:
            raise KeyReused
        return known

    async def get(self, run_id: str, /) -> RunRecord:
        """Return the run's current record."""
        (reply,) = await self._links.reader.ask((b"HGETALL", self._scripts.key("run:", run_id)))
        if not reply:
            raise no_such_run(run_id)
        return to_record(run_id, pairs(reply))

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

    def _ask_page(
        self, run_id: str, after: int, max_bytes: int
    ) -> "asyncio.Future[Sequence[Block]]":
        return self._links.begin(self._logs.page(run_id, after, max_bytes))

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        """Return the matching runs, newest first."""
        return await self._runs.find(query)

    async def _step(self, run_id: str, decide: Decide, lease: Lease = "keep") -> RunRecord:
        """Take a step that other processes, and readers of this one, learn of."""
        try:
            return await self._links.whole(self._runs.step(run_id, decide, lease))
        finally:
            self._tails.forget(run_id)  # the log can have been trimmed
            self._waits.wake(run_id)

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        """Start the next attempt of a pending run."""

        def decide(kept: Kept) -> Decision:
            return transitions.claim(kept.record, kept.now), None

        return await self._links.whole(self._runs.step(run_id, decide, lease))

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        """Renew the lease, and return why the run must be cancelled, if it must."""
        beat = self._scripts.call("heartbeat", run_id, fence, number(lease))
        outcome, *rest = await self._links.writer.finish(beat)
        if outcome == b"ok":
            return rest[0].decode() if rest and rest[0] is not None else None
        transitions.check_right((await self._runs.kept(run_id)).record, fence)
        raise StoreError("The run was being changed; try again.")

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        """End a running attempt so that another one follows."""
        return await self._step(
            run_id,
            lambda kept: transitions.restart(kept.record, fence, kept.now, delay),
            delay + transitions.CLAIM_SECONDS,
        )

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        """Ask a run to stop."""
        return await self._step(
            run_id, lambda kept: transitions.ask_to_stop(kept.record, reason, kept.now)
        )

    async def asked_to_stop(self, run_ids: Collection[str], /) -> Mapping[str, str]:
        """Return why runs must be cancelled, of those among these that must."""
        return await self._runs.asked_to_stop(run_ids)

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        """Run time-based maintenance, and return the runs that changed."""
        stopped = await self._runs.step_due(
            "linger", lambda kept: transitions.ask_to_stop(kept.record, "unattended", kept.now)
        )
        # For the caller of this, which gets them here.
        until = lease or transitions.CLAIM_SECONDS
        taken = await self._runs.step_due(
            "leases", lambda kept: transitions.take_away(kept.record, kept.now), lease=until
        )
        changed = [*{run.id: run for run in [*stopped, *taken]}.values()]
        for run in changed:
            self._tails.forget(run.id)
            self._waits.wake(run.id)
        return changed

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        """Delete runs with their log and key."""
        if run_id is None:
            purged = await self._runs.forget_expired()
        else:
            await self._runs.forget(run_id)
            purged = [run_id]
        for forgotten in purged:
            self._tails.forget(forgotten)
            self._waits.wake(forgotten)
        return purged

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        """Accept a message to a run that has not ended."""
        try:
            return await self._inbox.send(run_id, message, most=most, most_bytes=most_bytes)
        finally:
            self._waits.inboxes.wake(
                run_id
            )  # also if this call is cancelled: it is accepted anyway

    async def inbox(self, run_id: str, after: int, *, wait: float = 0.0) -> Sequence[Message]:
        """Return the messages after number ``after``, or wait for the next."""
        if wait > 0:
            await self._waits.wait(self._waits.inboxes, run_id, after, wait)
        return await self._inbox.behind(run_id, after)

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        """Keep ``data`` as the checkpoint ``name``."""
        save = self._scripts.call("save", run_id, fence, name, data, "" if seq is None else seq)
        while await self._links.writer.finish(save) != b"ok":
            transitions.save((await self._runs.kept(run_id)).record, seq, fence)

    async def saved(self, run_id: str, /) -> Mapping[str, bytes]:
        """Return the run's checkpoints by name."""
        run, checkpoints = (self._scripts.key(kind, run_id) for kind in ("run:", "saved:"))
        is_there, saved = await self._links.reader.ask((b"EXISTS", run), (b"HGETALL", checkpoints))
        if not is_there:
            raise no_such_run(run_id)
        return {name.decode(): data for name, data in pairs(saved).items()}

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        """Record that ``reader`` follows the run for the next ``seconds``; 0: it has left."""
        await self._links.writer.finish(self._scripts.call("hold", run_id, reader, number(seconds)))

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        """Return the run of ``key``; if there is none, refuse the key."""
        refuse = self._scripts.call("refuse", optional(key), number(seconds), REFUSALS_KEPT)
        outcome, *rest = await self._links.writer.finish(refuse)
        return None if outcome == b"refused" else _known(*rest)[0]

    async def open(self) -> None:
        """Serve the event loop of this call, also after a close, or in another loop than before."""
        if await self._links.openings.open():
            self._waits.forget_all()
            self._reads.forget_all()
        self._links.begin(warn_of_eviction(self._links))

    async def close(self) -> None:
        """Close every connection, after the queued requests, and wake all waiting readers."""
        if self._links.openings.leave():
            await self._waits.close()
            await self._links.openings.release()


def _known(run_id: bytes, reply: Sequence[bytes]) -> tuple[RunRecord, RedisHash]:
    """Return the run of a key or a feed.

    Raises:
        StoreError: If the server has lost it.
    """
    fields = pairs(reply)
    if not fields:
        error = StoreError(
            f"The run {run_id.decode()} of this key is lost: Redis has evicted it. Give the server "
            "the policy noeviction."
        )
        error.retryable = False
        raise error
    return to_record(run_id.decode(), fields), fields
