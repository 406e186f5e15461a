"""Runs kept in this process: nothing to install, and lost with the process.

Theory of operation. Everything happens between two awaits of one event loop, so each
method is one atomic step. An entry holds the run's record; the few fields that change
with every block are kept separately and written into the record only on request. Each
reader waits on its own future, which the next append resolves. A sweep looks only at runs
that can be due. A run that has ended a while ago is kept as bytes, and its entry is created again
when it is asked for.
"""

import asyncio
import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, ClassVar

from yieldwire.clock import CLOCK, Clock, SystemClock
from yieldwire.errors import Conflict, KeyReused
from yieldwire.log import transitions
from yieldwire.log.cursor import check_within
from yieldwire.log.delivery import deliveries_of
from yieldwire.log.events import Block
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.setting import CountOrZero, settings
from yieldwire.stores import (
    REFUSALS_KEPT,
    Admission,
    Query,
    Reach,
    no_such_run,
    start_cancelled,
    too_many,
)
from yieldwire.stores.memory.archive import Archive
from yieldwire.stores.memory.awaited import Awaited
from yieldwire.stores.memory.deliveries import MemoryDeliveries
from yieldwire.stores.memory.entry import Entry
from yieldwire.stores.memory.live import Live
from yieldwire.stores.memory.lookout import Lookout
from yieldwire.stores.memory.queue import MemoryQueue
from yieldwire.stores.memory.revocations import MemoryRevocations
from yieldwire.stores.quicklog import QuickLogs


@settings
class MemoryStore(MemoryDeliveries, MemoryQueue, MemoryRevocations, QuickLogs):
    """Keeps runs in this process. It is lost with the process, and cannot be shared.

    Every method is atomic for the one event loop that uses the store. Memory is limited: if
    ended runs take more than ``ended_bytes``, the first to expire are deleted before their
    retention is over.
    """

    reach: ClassVar[Reach] = "process"
    generation: int = 0
    blobs: None = None

    def __init__(
        self,
        *,
        clock: Annotated[Clock, CLOCK] | None = None,
        ended_bytes: CountOrZero = 256 * 1024 * 1024,
    ) -> None:
        MemoryDeliveries.__init__(self, clock or SystemClock())
        MemoryQueue.__init__(self)
        MemoryRevocations.__init__(self)
        self._ids: dict[str, int] = {}
        """Every run, in the order of their creation, with its share of ``ended_bytes``."""
        self._entries: dict[str, Entry] = {}
        self._archive = Archive()
        """The runs that have no entry."""
        self._keys: dict[str, str] = {}
        self._refused: dict[str, float] = {}
        """Refused keys with the time until when, the oldest first."""
        self._feeds: dict[str, str] = {}
        """The run of each shared feed, until it ends or is asked to stop."""
        self._live = Live()
        self._lookout = Lookout()
        self._expiries: list[tuple[float, str]] = []
        self._ended_bytes, self._max_ended_bytes = 0, ended_bytes

    def _entry(self, run_id: str) -> Entry:
        try:
            return self._entries[run_id]
        except KeyError:
            if run_id in self._archive:
                return self._archive[run_id]
            raise no_such_run(run_id) from None

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        """Create a run, or return the one that the idempotency key or the feed already has."""
        has_name = admission.key is not None or admission.feed is not None
        if has_name and (known := self._known(admission)) is not None:
            return known.current()
        self._check_limits(run, admission)
        run = transitions.create(run, self._clock.now(), claims=admission.claims)
        entry = Entry(run, admission.key, admission.fingerprint, admission.feed, run.keep)
        entry.tells_questions = bool(run.question_webhooks)
        now = self._clock.monotonic()
        entry.read_until = now + transitions.arrival_seconds(run)
        if admission.claims:
            entry.writer = run.fence
            entry.lease_until = None if admission.lease is None else now + admission.lease
        elif run.not_before is not None and not run.is_queued:
            entry.lease_until = now + max(0.0, run.not_before - run.created_at)
        self._ids[run.id], self._entries[run.id] = 0, entry
        self._live.add(run)
        self._lookout.add(entry)
        if run.queue is not None:
            entry.number = next(self._numbers)
            self._see_queued(entry)
        if admission.key is not None:
            self._keys[admission.key] = run.id
        if admission.feed is not None:
            self._feeds[admission.feed] = run.id
        return entry.record

    def _known(self, admission: Admission) -> Entry | None:
        """Return the existing run for a start, if there is one."""
        if admission.key is not None and admission.key in self._keys:
            entry = self._entry(self._keys[admission.key])
            if entry.fingerprint != admission.fingerprint:
                raise KeyReused
            return entry
        if admission.key in self._refused:
            raise start_cancelled()
        if admission.feed is not None and admission.feed in self._feeds:
            entry = self._entries[self._feeds[admission.feed]]
            until = self._clock.monotonic() + transitions.arrival_seconds(entry.record)
            entry.read_until = max(entry.read_until, until)
            return entry
        return None

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        """Return the run of ``key``; if there is none, refuse the key."""
        if key in self._keys:
            return self._entry(self._keys[key]).current()
        until = max(self._refused.pop(key, 0.0), self._clock.monotonic() + seconds)
        self._refused[key] = until
        if len(self._refused) > REFUSALS_KEPT:
            del self._refused[next(iter(self._refused))]
        return None

    def _check_limits(self, run: RunRecord, admission: Admission) -> None:
        live = self._live.of_caller(run)
        too_many(run, admission, same=live.get(run.action, 0), every=sum(live.values()))

    async def get(self, run_id: str, /) -> RunRecord:
        """Return the run's current record."""
        return self._entry(run_id).current()

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        """Append ``block`` in one step, all or nothing, and return the last seq."""
        entry = self._entry(run_id)
        if block.end is None and block.first == after + 1 and entry.append_nowait(block, fence):
            return block.last
        if entry.seq != after and entry.record.fence == fence and entry.stands_already(block):
            return block.last
        transitions.check_right(entry.record, fence)
        step = transitions.append(entry.current(), block, after, self._clock.now())
        self._take(entry, (step, block))
        return block.last

    def quick_log(self, run_id: str, /) -> Entry | None:
        """Return the log of a run that is kept as it is, not as an archive."""
        return self._entries.get(run_id)

    async def read(
        self, run_id: str, after: int, *, max_bytes: int = 262_144, wait: float = 0.0
    ) -> Sequence[Block]:
        """Return the blocks after ``after``, the first one cut there, or wait for the next."""
        entry = self._entry(run_id)
        check_within(after, entry.seq)
        if after < entry.seq or wait <= 0 or entry.record.ended_at is not None:
            return entry.page(after, max_bytes)
        await entry.wait(wait)
        return self._entry(run_id).page(after, max_bytes)

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        """Return the matching runs, newest first."""
        return [*islice(filter(query.matches, self._newest(query)), query.limit)]

    def _newest(self, query: Query) -> Iterator[RunRecord]:
        run_ids = reversed(self._ids)
        if query.before is not None:
            for run_id in run_ids:
                if run_id == query.before:
                    break
        for run_id in run_ids:
            entry = self._entries.get(run_id)
            if entry is not None:
                yield entry.current()
            elif self._archive.can_match(run_id, query):
                yield self._archive.record(run_id)

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        """Start the next attempt of a pending run."""
        entry = self._entry(run_id)
        entry.record = transitions.claim(entry.current(), self._clock.now())
        entry.writer = entry.record.fence
        entry.lease_until = None
        if lease is not None:
            entry.lease_until = self._clock.monotonic() + lease
            self._lookout.note(entry)
        if entry.record.queue is not None:
            self._file(entry)
        return entry.record

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        """Renew the lease, and return why the run must be cancelled, if it must."""
        entry = self._entry(run_id)
        transitions.check_right(entry.record, fence)
        entry.lease_until = self._clock.monotonic() + lease
        self._lookout.note(entry)
        return entry.record.cancel_reason

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        """End a running attempt so that another one follows."""
        entry = self._entry(run_id)
        step = transitions.restart(entry.current(), fence, self._clock.now(), delay)
        entry.lease_until = None
        self._take(entry, step)
        return entry.current()

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        """Ask a run to stop."""
        entry = self._entry(run_id)
        self._take(entry, transitions.ask_to_stop(entry.current(), reason, self._clock.now()))
        return entry.current()

    async def asked_to_stop(self, run_ids: Collection[str], /) -> Mapping[str, str]:
        """Return why runs must be cancelled, of those among these that must."""
        records = [self._entries[run_id].record for run_id in run_ids if run_id in self._entries]
        return {
            record.id: record.cancel_reason
            for record in records
            if record.cancel_reason is not None and record.ended_at is None
        }

    def _take(self, entry: Entry, step: tuple[RunRecord, Block | None]) -> None:
        was_live = entry.record.ended_at is None
        entry.record, block = step
        has_ended = entry.record.ended_at is not None
        if entry.record.fence != entry.writer or has_ended:
            entry.writer = None
        if block is not None:
            entry.add(block)
        if entry.feed is not None and (has_ended or entry.record.cancel_reason is not None):
            self._feeds.pop(entry.feed, None)
            entry.feed = None  # the next run of the feed can begin before this one ends
        if entry.record.queue is not None:
            self._see_queued(entry)
        if was_live and has_ended:
            self._end(entry)
        if entry.record.webhooks or entry.record.question_webhooks:
            self._post(deliveries_of(entry.record, block))

    def _end(self, entry: Entry) -> None:
        record, entry.lease_until = entry.record, None
        self._live.drop(record)
        self._lookout.drop(entry)
        if entry.inbox is not None:
            entry.inbox.wake()
        self._ids[record.id] = size = entry.size()
        self._ended_bytes += size
        heapq.heappush(self._expiries, (self._clock.monotonic() + record.retention, record.id))
        old = self._archive.next(entry, size)
        if old is not None and old.record.id in self._entries and self._archive.keep(old):
            del self._entries[old.record.id]

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        """Run time-based maintenance, and return the runs that changed."""
        now, wall, changed = self._clock.monotonic(), self._clock.now(), list[RunRecord]()
        for key in [key for key, until in self._refused.items() if until <= now]:
            del self._refused[key]
        for entry in self._lookout.take(now):
            is_lost = entry.lease_until is not None and entry.lease_until < now
            is_forsaken = transitions.is_forsaken(entry.record, entry.held_until(), now)
            # Asked to stop first: a run without readers is not restarted.
            if is_forsaken:
                self._take(entry, transitions.ask_to_stop(entry.current(), "unattended", wall))
            if is_lost and not entry.record.status.is_terminal:
                entry.lease_until = None
                self._take(entry, transitions.take_away(entry.current(), wall))
            if is_forsaken or is_lost:
                changed.append(entry.current())
            if not entry.record.status.is_terminal:
                self._lookout.note(entry)
        return changed

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        """Delete runs with their log and key."""
        if run_id is not None:
            if not self._entry(run_id).record.status.is_terminal:
                raise Conflict(f"Run {run_id} has not ended; cancel it first.")
            self._forget(run_id)
            self._forget_deliveries(run_id)
            return [run_id]
        now, purged = self._clock.monotonic(), list[str]()
        while self._expiries and (
            self._expiries[0][0] <= now or self._ended_bytes > self._max_ended_bytes
        ):
            _, expired = heapq.heappop(self._expiries)
            if expired in self._ids:
                self._forget(expired)
                purged.append(expired)
        return purged

    def _forget(self, run_id: str) -> None:
        self._ended_bytes -= self._ids.pop(run_id)
        entry = self._entries.pop(run_id, None) or self._archive.pop(run_id)
        if entry.key is not None:
            self._keys.pop(entry.key, None)

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        """Accept a message to a run that has not ended."""
        entry, now = self._entry(run_id), self._clock.now()
        has_ended = entry.record.ended_at is not None
        inbox = entry.opened_inbox()
        return inbox.send(message, now, most=most, most_bytes=most_bytes, has_ended=has_ended)

    async def inbox(self, run_id: str, after: int, *, wait: float = 0.0) -> Sequence[Message]:
        """Return the messages after number ``after``, or wait for the next."""
        entry = self._entry(run_id)
        inbox = entry.opened_inbox()
        if inbox.behind(after) or wait <= 0 or entry.record.ended_at is not None:
            return inbox.behind(after)
        await inbox.wait(wait)
        self._entry(run_id)
        return inbox.behind(after)

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        """Keep ``data`` as the checkpoint ``name``."""
        entry = self._entry(run_id)
        entry.record = transitions.save(entry.current(), seq, fence)
        if entry.checkpoints is None:
            entry.checkpoints = {}
        entry.checkpoints[name] = data

    async def saved(self, run_id: str, /) -> Mapping[str, bytes]:
        """Return the run's checkpoints by name."""
        return dict(self._entry(run_id).checkpoints or {})

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        """Record that ``reader`` follows the run for the next ``seconds``; 0: it has left."""
        entry = self._entries.get(run_id)
        if entry is None:
            return
        now = self._clock.monotonic()
        if seconds > 0:
            entry.readers[reader] = now + seconds
        else:
            entry.readers.pop(reader, None)
            # Of a feed, somebody else can just have joined the readers.
            entry.read_until = now if entry.feed is None else max(entry.read_until, now)
            if not entry.record.status.is_terminal:
                self._lookout.note(entry)

    async def open(self) -> None:
        """Serve the event loop of this call. Runs do not change."""
        loop = asyncio.get_running_loop()
        for each in self._awaited():
            each.forget_waiters(loop)

    async def close(self) -> None:
        """Wake all who wait; there is nothing else to release."""
        for each in self._awaited():
            each.wake()

    def _awaited(self) -> Iterator[Awaited]:
        yield self._takers
        for entry in self._entries.values():
            yield entry
            if entry.inbox is not None:
                yield entry.inbox
