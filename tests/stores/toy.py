"""A store written from the contract's docstrings alone: what one needs, and nothing for speed.

Its instances share one `Data`, as processes share a database. Python changes it in one step between
two awaits, which acts as the database's transaction.
"""

import asyncio
import math
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from yieldwire import errors, stores
from yieldwire.clock import Clock
from yieldwire.log import transitions
from yieldwire.log.cursor import check_within
from yieldwire.log.delivery import Delivery, deliveries_of
from yieldwire.log.events import Block
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.stores import Admission, Query, Reach, Revoked
from yieldwire.stores.deliveries import DEAD_LETTERS_KEPT, Outstanding
from yieldwire.stores.inbox import InboxState, accept
from yieldwire.stores.line import Line, QueuedGroup, QueuedPlace
from yieldwire.stores.queue import (
    NO_SLOTS,
    Slots,
    Waiting,
    by_caller,
    claim_seconds,
    claim_until,
    next_in_line,
)


@dataclass
class Kept:
    """One run."""

    record: RunRecord
    admission: Admission
    read_until: float
    lease_until: float | None
    expires: float = math.inf
    blocks: list[Block] = field(default_factory=list)
    readers: dict[str, float] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    checkpoints: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Posted:
    """One delivery, and when it is due; ``None``: it was given up."""

    delivery: Delivery
    due_at: float | None


@dataclass
class Data:
    """Everything that is kept, and the event that the next change sets."""

    runs: dict[str, Kept] = field(default_factory=dict)
    refused: dict[str, float] = field(default_factory=dict)
    revocations: list[tuple[str, float]] = field(default_factory=list)
    posted: dict[tuple[str, str], Posted] = field(default_factory=dict)
    change: asyncio.Event = field(default_factory=asyncio.Event)


class ToyStore:
    """One process's view of the data."""

    reach: ClassVar[Reach] = "machine"
    generation = 0
    blobs: None = None

    def __init__(self, data: Data, clock: Clock) -> None:
        self.data: Final = data
        self.now, self.wall = clock.monotonic, clock.now

    def _kept(self, run_id: str) -> Kept:
        if run_id not in self.data.runs:
            raise stores.no_such_run(run_id)
        return self.data.runs[run_id]

    def _changed(self) -> None:
        self.data.change.set()
        self.data.change = asyncio.Event()

    def _take(self, kept: Kept, step: tuple[RunRecord, Block | None]) -> RunRecord:
        kept.record, block = step
        self._post(deliveries_of(kept.record, block))
        if block is not None:
            kept.blocks.append(block)
            while kept.record.keep and kept.blocks[0].last <= block.last - kept.record.keep:
                kept.blocks.pop(0)
            kept.record = kept.record._replace(first_seq=kept.blocks[0].first)
        if kept.record.status.is_terminal:
            kept.expires = min(kept.expires, self.now() + kept.record.retention)
        self._changed()
        return kept.record

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        for kept in self.data.runs.values():
            if admission.key is not None and kept.admission.key == admission.key:
                if kept.admission.fingerprint != admission.fingerprint:
                    raise errors.KeyReused
                return kept.record
        if self.data.refused.get(admission.key or "", 0.0) > self.now():
            raise stores.start_cancelled()
        live = [kept for kept in self.data.runs.values() if not kept.record.status.is_terminal]
        for kept in live if admission.feed is not None else []:
            if kept.admission.feed == admission.feed and kept.record.cancel_reason is None:
                arrival = self.now() + transitions.arrival_seconds(kept.record)
                kept.read_until = max(kept.read_until, arrival)
                return kept.record
        mine = [kept.record.action for kept in live if kept.record.quota_key == run.quota_key]
        stores.too_many(run, admission, same=mine.count(run.action), every=len(mine))
        run = transitions.create(run, self.wall(), claims=admission.claims)
        seconds = claim_seconds(run, admission.lease)
        until = None if seconds is None else self.now() + seconds
        read_until = self.now() + transitions.arrival_seconds(run)
        self.data.runs[run.id] = Kept(run, admission, read_until, until)
        self._changed()
        return run

    async def get(self, run_id: str, /) -> RunRecord:
        return self._kept(run_id).record

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        kept = self._kept(run_id)
        if kept.record.seq != after and kept.record.fence == fence:
            there = [each.after(after) for each in kept.blocks if each.last > after]
            if there and Block.join(there).begins_with(block):
                return block.last
        transitions.check_right(kept.record, fence)
        self._take(kept, (transitions.append(kept.record, block, after, self.wall()), block))
        return block.last

    async def read(
        self, run_id: str, after: int, *, max_bytes: int = 262_144, wait: float = 0.0, **_: object
    ) -> Sequence[Block]:
        kept = self._kept(run_id)
        check_within(after, kept.record.seq)
        if wait > 0 and after == kept.record.seq and not kept.record.status.is_terminal:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.data.change.wait(), wait)
            return await self.read(run_id, after, max_bytes=max_bytes)
        wanted = [block for block in kept.blocks if block.last > after]
        return stores.page_of(wanted, after, max_bytes)

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        ids = [*self.data.runs]
        last = ids.index(query.before) if query.before in self.data.runs else len(ids)
        runs = [self.data.runs[id_].record for id_ in reversed(ids[:last])]
        return [run for run in runs if query.matches(run)][: query.limit]

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        kept = self._kept(run_id)
        kept.record = transitions.claim(kept.record, self.wall())
        kept.lease_until = None if lease is None else self.now() + lease
        return kept.record

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        kept = self._kept(run_id)
        transitions.check_right(kept.record, fence)
        kept.lease_until = self.now() + lease
        return kept.record.cancel_reason

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        kept = self._kept(run_id)
        step = transitions.restart(kept.record, fence, self.wall(), delay)
        kept.lease_until = claim_until(step[0], self.now() + delay + transitions.CLAIM_SECONDS)
        return self._take(kept, step)

    def _queued(self, queues: Collection[str]) -> tuple[dict[Waiting, Kept], Counter[Any]]:
        waiting, taken = dict[Waiting, Kept](), Counter[Any]()
        for number, kept in enumerate(self.data.runs.values()):
            run, place = kept.record, (kept.record.action, kept.record.quota_key)
            if run.is_queued and kept.lease_until is None:
                if run.queue in queues and (run.not_before or 0.0) <= self.wall():
                    waiting[Waiting(*place, run.priority, number)] = kept
            elif run.queue is not None and not run.status.is_terminal:
                taken[place] += 1
        return waiting, taken

    def _next(self, queues: Collection[str], slots: Mapping[str, Slots]) -> Kept | None:
        waiting, taken = self._queued(queues)
        found = next_in_line(waiting, taken, slots)
        return None if found is None else waiting[found]

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        waiting, taken = self._queued([queue])
        numbers, places = dict[tuple[str, int], list[int]](), dict[str, QueuedPlace]()
        for _, caller, priority, number in waiting:
            numbers.setdefault((caller, priority), []).append(number)
        for (_, caller, priority, number), kept in waiting.items():
            if kept.record.id in run_ids:
                rank = numbers[caller, priority].index(number)
                places[kept.record.id] = QueuedPlace(caller, priority, number, rank)
        groups = [QueuedGroup(*kind, len(each), each[0]) for kind, each in numbers.items()]
        runs = [kept.record for kept in waiting.values()]
        since = max(runs[0].created_at, runs[0].not_before or 0.0) if runs else None
        return Line(groups, by_caller(taken), places, since)

    async def take(
        self,
        queues: Collection[str],
        *,
        slots: Mapping[str, Slots] = NO_SLOTS,
        lease: float,
        wait: float = 0.0,
    ) -> RunRecord | None:
        if (kept := self._next(queues, slots)) is None and wait > 0:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.data.change.wait(), wait)
            kept = self._next(queues, slots)
        if kept is None:
            return None
        kept.lease_until = self.now() + lease
        return kept.record

    async def asked_to_stop(self, run_ids: Collection[str], /) -> Mapping[str, str]:
        runs = [kept.record for id_, kept in self.data.runs.items() if id_ in run_ids]
        return {run.id: run.cancel_reason for run in runs if run.cancel_reason and not run.ended_at}

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        kept = self._kept(run_id)
        has_ended = kept.record.status.is_terminal
        state = InboxState.of(kept.messages, message, has_ended=has_ended)
        known = accept(message, state, most=most, most_bytes=most_bytes)
        if known is None:
            known = message._replace(number=state.last + 1, at=self.wall())
            kept.messages.append(known)
            self._changed()
        return known

    async def inbox(self, run_id: str, after: int, *, wait: float = 0.0) -> Sequence[Message]:
        kept = self._kept(run_id)
        if wait > 0 and not kept.messages[after:] and not kept.record.status.is_terminal:
            with suppress(TimeoutError):
                await asyncio.wait_for(self.data.change.wait(), wait)
        return self._kept(run_id).messages[after:]

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        kept = self._kept(run_id)
        kept.record = transitions.save(kept.record, seq, fence)
        kept.checkpoints[name] = data

    async def saved(self, run_id: str, /) -> Mapping[str, bytes]:
        return dict(self._kept(run_id).checkpoints)

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        kept = self._kept(run_id)
        return self._take(kept, transitions.ask_to_stop(kept.record, reason, self.wall()))

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        now, wall, changed = self.now(), self.wall(), list[RunRecord]()
        for kept in self.data.runs.values():
            read_until = max([kept.read_until, *(min(now, at) for at in kept.readers.values())])
            if is_forsaken := transitions.is_forsaken(kept.record, read_until, now):
                self._take(kept, transitions.ask_to_stop(kept.record, "unattended", wall))
            is_over = kept.record.status.is_terminal
            if is_lost := not is_over and (kept.lease_until or math.inf) < now:
                until = now + (lease or transitions.CLAIM_SECONDS)
                run = self._take(kept, transitions.take_away(kept.record, wall))
                kept.lease_until = claim_until(run, until)
            if is_forsaken or is_lost:
                changed.append(kept.record)
        return changed

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        if run_id is not None and not self._kept(run_id).record.status.is_terminal:
            raise errors.Conflict(f"Run {run_id} has not ended.")
        expired = [id_ for id_, kept in self.data.runs.items() if kept.expires <= self.now()]
        purged = expired if run_id is None else [run_id]
        for id_ in purged:
            del self.data.runs[id_]
        for key, posted in [*self.data.posted.items()]:
            if posted.delivery.run_id == run_id:
                del self.data.posted[key]
        self._changed()
        return purged

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        kept = self.data.runs.get(run_id)
        if kept is not None:
            kept.readers[reader] = self.now() + seconds
            if seconds == 0 and kept.admission.feed is None:
                kept.read_until = self.now()

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        for kept in self.data.runs.values():
            if kept.admission.key == key:
                return kept.record
        self.data.refused[key] = max(self.data.refused.get(key, 0.0), self.now() + seconds)
        return None

    async def revoke(self, owner: str, /) -> float:
        self.data.revocations.append((owner, time.monotonic()))
        return self.data.revocations[-1][1]

    async def revoked(self, since: int, /) -> Revoked:
        last = len(self.data.revocations)
        newer = self.data.revocations[since:][-stores.REVOCATIONS_KEPT :]
        return Revoked(last=last, at=dict(newer), is_whole=len(newer) == last - since)

    def _post(self, deliveries: Sequence[Delivery]) -> None:
        for each in deliveries:
            self.data.posted.setdefault((each.id, each.url), Posted(each, self.now()))

    async def due(
        self, *, limit: int, lease: float, without: Collection[str] = ()
    ) -> Sequence[Delivery]:
        waiting = [
            (each.due_at, each)
            for each in self.data.posted.values()
            if each.due_at is not None and each.delivery.url not in without
        ]
        due = [each for at, each in sorted(waiting, key=lambda pair: pair[0]) if at <= self.now()]
        for each in due[:limit]:
            each.due_at = self.now() + lease
            each.delivery = each.delivery._replace(tries=each.delivery.tries + 1)
        return [each.delivery for each in due[:limit]]

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        key = (delivery.id, delivery.url)
        posted = self.data.posted.get(key)
        if failure is None:
            self.data.posted.pop(key, None)
        elif posted is not None and posted.delivery.tries == delivery.tries:
            posted.delivery = posted.delivery._replace(failure=failure)
            posted.due_at = None if again_in is None else self.now() + again_in

    async def outstanding(self, run_id: str, /) -> Sequence[Outstanding]:
        return [
            Outstanding(each.delivery, None if each.due_at is None else each.due_at - self.now())
            for each in self.data.posted.values()
            if each.delivery.run_id == run_id
        ]

    async def dead_letters(self, *, limit: int) -> Sequence[Delivery]:
        dead = [each.delivery for each in self.data.posted.values() if each.due_at is None]
        return dead[::-1][: min(limit, DEAD_LETTERS_KEPT)]

    async def open(self) -> None:
        """Nothing is held open."""

    async def close(self) -> None:
        self._changed()
