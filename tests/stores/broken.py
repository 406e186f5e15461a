"""Stores with one fault each, for which the suite that stores must pass has to have an eye."""

import asyncio
import math
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from tests.stores.toy import Data, Kept, ToyStore
from yieldwire.clock import Clock
from yieldwire.errors import (
    AppendConflict,
    Fenced,
    ForeignCursor,
    InboxFull,
    KeyReused,
    RateLimited,
    StoreError,
)
from yieldwire.log import transitions
from yieldwire.log.delivery import Delivery, is_told
from yieldwire.log.events import Block
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Status, advance
from yieldwire.stores import Admission, Query, Revoked
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.memory.entry import Entry
from yieldwire.stores.queue import Slots
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock

# Appending.


class LeavesAGap(MemoryStore):
    """A block that is ahead of the log is taken."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        if after > entry.seq and entry.record.fence == fence:
            entry.seq = after
        return await super().append(run_id, block, after=after, fence=fence)


class Repeats(MemoryStore):
    """An append that is made again is written again."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        if entry.seq != after and entry.record.fence == fence and entry.stands_already(block):
            entry.add(replace(block, first=entry.seq + 1, last=entry.seq + block.size))
            return block.last
        return await super().append(run_id, block, after=after, fence=fence)


class TakesOtherBytesForARepeat(MemoryStore):
    """A repeat is known by its seqs alone."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        if entry.record.fence == fence and after < block.last <= entry.seq:
            return block.last
        return await super().append(run_id, block, after=after, fence=fence)


class RefusesTheNeighbours(MemoryStore):
    """What is appended at once with something that is refused is refused as well."""

    _refusal: StoreError | None = None

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        await asyncio.sleep(0)
        if self._refusal is not None:
            raise self._refusal
        try:
            return await super().append(run_id, block, after=after, fence=fence)
        except StoreError as exc:
            self._refusal = exc
            asyncio.get_running_loop().call_soon(self._forget_refusal)
            raise

    def _forget_refusal(self) -> None:
        self._refusal = None


class IgnoresTheFence(MemoryStore):
    """Any caller that knows the last seq can write."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        fence = self._entry(run_id).record.fence
        return await super().append(run_id, block, after=after, fence=fence)


class EndsTwice(MemoryStore):
    """A run that has ended is written to by its former holder."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        if entry.record.status.is_terminal and entry.seq == after:
            entry.add(block)
            return block.last
        return await super().append(run_id, block, after=after, fence=fence)


class EndsWithoutAnEvent(MemoryStore):
    """The status is written, and the block with the terminal event is not."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        if block.end is not None and entry.seq == after and entry.writer == fence:
            entry.record = transitions.append(entry.current(), block, after, 1.0)
            return block.last
        return await super().append(run_id, block, after=after, fence=fence)


class EndsWithoutAStatus(MemoryStore):
    """The terminal event is written, and the run is still running."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        if block.end is not None and entry.seq == after and entry.writer == fence:
            entry.add(block)
            return block.last
        return await super().append(run_id, block, after=after, fence=fence)


class EndsInTwoSteps(MemoryStore):
    """The status comes a moment before its event."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        running = entry.current()
        if block.end is not None and running.seq == after and running.fence == fence:
            entry.record = running._replace(status=advance(Status.RUNNING, block.end))
            await asyncio.sleep(0)
            entry.record = running
        return await super().append(run_id, block, after=after, fence=fence)


class WritesBeforeItRefuses(MemoryStore):
    """An append that is refused has left its block behind."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        try:
            return await super().append(run_id, block, after=after, fence=fence)
        except (AppendConflict, Fenced):
            self._entry(run_id).add(block)
            raise


class WakesNobody(MemoryStore):
    """Readers are not told of what is appended."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        change, entry.change = entry.change, None
        try:
            return await super().append(run_id, block, after=after, fence=fence)
        finally:
            entry.change = change


# Reading.


class ChangesBytes(MemoryStore):
    """What is read has been read and written again on the way."""

    async def read(self, run_id: str, after: int, **options: Any) -> Sequence[Block]:  # noqa: ANN401
        page = await super().read(run_id, after, **options)
        return [replace(block, body=block.body.replace("✓".encode(), b"???")) for block in page]


class ForgetsWhatItSaid(MemoryStore):
    """Events read otherwise when the run has ended."""

    async def read(self, run_id: str, after: int, **options: Any) -> Sequence[Block]:  # noqa: ANN401
        page = await super().read(run_id, after, **options)
        if not self._entry(run_id).record.status.is_terminal:
            return page
        return [replace(block, body=block.body.replace(b"text", b"TEXT")) for block in page]


class IgnoresTheCursor(MemoryStore):
    """A page begins where its first block does."""

    async def read(self, run_id: str, after: int, **options: Any) -> Sequence[Block]:  # noqa: ANN401
        page = await super().read(run_id, after, **options)
        blocks = self._entry(run_id).page(0, sys.maxsize)
        return [
            next((whole for whole in blocks if whole.last == block.last), block) for block in page
        ]


class AnswersForeignCursors(MemoryStore):
    """A cursor beyond the log is answered as if it were its end."""

    async def read(self, run_id: str, after: int, **options: Any) -> Sequence[Block]:  # noqa: ANN401
        try:
            return await super().read(run_id, after, **options)
        except ForeignCursor:
            return ()


class ShowsOthersRuns(MemoryStore):
    """A list looks past the owner."""

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        return await super().find(replace(query, everyone=True))


# Starting.


class CountsTooEarly(MemoryStore):
    """Runs are counted a moment before one more is made."""

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        if admission.key is None:
            self._check_limits(run, admission)
            await asyncio.sleep(0)
            admission = Admission(fingerprint=admission.fingerprint)
        return await super().create(run, admission)


class LooksTheKeyUpTooEarly(MemoryStore):
    """A key is looked up a moment before it is kept."""

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        if admission.key is None or admission.key in self._keys:
            return await super().create(run, admission)
        await asyncio.sleep(0)
        self._keys.pop(admission.key, None)
        return await super().create(run, admission)


class KeepsWhatItRefuses(MemoryStore):
    """A start that is refused has made a run."""

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        try:
            return await super().create(run, admission)
        except (KeyReused, RateLimited):
            await super().create(run, Admission())
            raise


class LooksTheFeedUpTooEarly(MemoryStore):
    """A feed's run is looked up a moment before a new one is kept."""

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        if admission.feed is None or admission.feed in self._feeds:
            return await super().create(run, admission)
        await asyncio.sleep(0)
        self._feeds.pop(admission.feed, None)
        return await super().create(run, admission)


class SharesAFeedThatStops(MemoryStore):
    """A feed's run is joined until it has ended, though it was asked to stop."""

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        feeds = dict(self._feeds)
        run = await super().request_cancel(run_id, reason)
        if not run.status.is_terminal:
            self._feeds = feeds
        return run


class FreesTheFeedOfTheNextRun(MemoryStore):
    """A run that ends takes the feed from whichever run has it."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        last = await super().append(run_id, block, after=after, fence=fence)
        if block.end is not None:
            self._feeds.clear()
        return last


class ForgetsTheKeyWithTheEnd(MemoryStore):
    """A key is free as soon as its run has ended."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        last = await super().append(run_id, block, after=after, fence=fence)
        entry = self._entry(run_id)
        if entry.key is not None and entry.record.status.is_terminal:
            self._keys.pop(entry.key, None)
        return last


# Leases, time, purging.


class SweepsWithTheOldFence(MemoryStore):
    """A worker whose run was taken away, and begun again, still holds it."""

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        before = {run_id: entry.record.fence for run_id, entry in self._entries.items()}
        swept = await super().sweep()
        for run in swept:
            entry = self._entry(run.id)
            entry.record = entry.record._replace(fence=before[run.id])
        return swept


class RenewsForAnybody(MemoryStore):
    """A heartbeat asks for no fence."""

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        fence = self._entry(run_id).record.fence
        return await super().heartbeat(run_id, fence=fence, lease=lease)


class KeepsTheWishToStop(MemoryStore):
    """A heartbeat does not say that the run should stop."""

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        await super().heartbeat(run_id, fence=fence, lease=lease)
        return None

    async def asked_to_stop(self, run_ids: Collection[str], /) -> Mapping[str, str]:
        return {}


class ClaimsTwice(MemoryStore):
    """A run that is running can be begun by another worker."""

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        entry = self._entry(run_id)
        if entry.record.status is Status.RUNNING:
            entry.record = entry.record._replace(status=Status.PENDING)
        return await super().claim(run_id, lease=lease)


class TriesForEver(MemoryStore):
    """Attempts never run out."""

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        for entry in self._entries.values():
            if entry.record.retries:
                entry.record = entry.record._replace(retries=entry.record.attempt)
        return await super().sweep()


class BelievesTheLastReason(MemoryStore):
    """Asking again to stop changes why."""

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        entry = self._entry(run_id)
        if not entry.record.status.is_terminal:
            entry.record = entry.record._replace(cancel_reason=None)
        return await super().request_cancel(run_id, reason)


class PurgesByAge(MemoryStore):
    """Retention counts from the start, and nobody looks whether the run has ended."""

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        if run_id is not None:
            return await super().purge(run_id)
        now = self._clock.now()
        old = [
            each
            for each, entry in self._entries.items()
            if now >= entry.record.created_at + entry.record.retention
        ]
        for each in old:
            self._lookout.drop(self._entries[each])
            self._forget(each)
        return old


class PurgesRunningRuns(MemoryStore):
    """A run is deleted by name although it has not ended."""

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        if run_id is None:
            return await super().purge()
        self._entry(run_id)
        self._forget(run_id)
        return [run_id]


class KeepsTheKeyOfAPurgedRun(MemoryStore):
    """A purge leaves the key behind, and its run."""

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        keys, entries = dict(self._keys), dict(self._entries)
        purged = await super().purge(run_id)
        for key, known in keys.items():
            if known in purged:
                self._keys[key], self._entries[known] = known, entries[known]
        return purged


class ForgetsAtTheClose(MemoryStore):
    """Loses its runs with everything else."""

    async def close(self) -> None:
        await super().close()
        self._entries.clear()


class LivesByTheWallClock(MemoryStore):
    """Durations are told by a clock that people set."""

    def __init__(self, *, clock: MovingClock) -> None:
        super().__init__(clock=_WallClock(clock))


class _WallClock:
    def __init__(self, clock: MovingClock) -> None:
        self._clock = clock

    def now(self) -> float:
        return self._clock.now()

    def monotonic(self) -> float:
        return self._clock.now()


# Messages and checkpoints.


class GivesANumberAgain(MemoryStore):
    """A message has the number of the one before it."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        sent = await super().send(run_id, message, most=most, most_bytes=most_bytes)
        messages = self._entry(run_id).opened_inbox().messages
        if sent is messages[-1] and len(messages) == 2:
            messages[-1] = sent = sent._replace(number=1)
        return sent


class IgnoresTheKeyOfAMessage(MemoryStore):
    """A message that is sent again is accepted again."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        message = message._replace(key=None)
        return await super().send(run_id, message, most=most, most_bytes=most_bytes)


class LooksTheKeyOfAMessageUpTooEarly(MemoryStore):
    """A key is looked up a moment before its message is kept."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        messages = self._entry(run_id).opened_inbox().messages
        if message.key is not None and all(each.key != message.key for each in messages):
            await asyncio.sleep(0)
            for place, each in enumerate(messages):
                if each.key == message.key:
                    messages[place] = each._replace(key=None)
        return await super().send(run_id, message, most=most, most_bytes=most_bytes)


class TakesASecondAnswer(MemoryStore):
    """The last answer to a question counts."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        messages = self._entry(run_id).opened_inbox().messages
        messages[:] = [each._replace(question=None) for each in messages]
        return await super().send(run_id, message, most=most, most_bytes=most_bytes)


class TakesAnAnswerAfterTheTimeout(MemoryStore):
    """A question that has timed out can still be answered."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        messages = self._entry(run_id).opened_inbox().messages
        for place, each in enumerate(messages):
            if each.is_timeout and not message.is_timeout:
                messages[place] = each._replace(question=None)
        return await super().send(run_id, message, most=most, most_bytes=most_bytes)


class TakesMessagesAfterTheEnd(MemoryStore):
    """A message is accepted that no attempt will read."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        entry = self._entry(run_id)
        inbox, now = entry.opened_inbox(), self._clock.now()
        return inbox.send(message, now, most=most, most_bytes=most_bytes, has_ended=False)


class HasRoomForAnything(MemoryStore):
    """An inbox has no limit."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        return await super().send(run_id, message, most=sys.maxsize, most_bytes=sys.maxsize)


class RefusesATimeoutForRoom(MemoryStore):
    """A question stays open because the inbox is full."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        if len(self._entry(run_id).opened_inbox().messages) >= most:
            raise InboxFull
        return await super().send(run_id, message, most=most, most_bytes=most_bytes)


class WakesNobodyForAMessage(MemoryStore):
    """Who waits for a message is not told of it."""

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        inbox = self._entry(run_id).opened_inbox()
        change, inbox.change = inbox.change, None
        try:
            return await super().send(run_id, message, most=most, most_bytes=most_bytes)
        finally:
            inbox.change = change


class LetsWaitBehindTheEnd(MemoryStore):
    """Who waits for a message is not told that the run has ended."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        inbox, entry.inbox = entry.inbox, None
        try:
            return await super().append(run_id, block, after=after, fence=fence)
        finally:
            entry.inbox = inbox


class SavesForAnybody(MemoryStore):
    """A checkpoint is kept for any fence."""

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        fence = self._entry(run_id).record.fence
        await super().save(run_id, name, data, seq=seq, fence=fence)


class SavesAPlaceThatIsNotThere(MemoryStore):
    """The saved place can be beyond the log."""

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        await super().save(run_id, name, data, fence=fence)
        if seq is not None:
            entry = self._entry(run_id)
            entry.record = entry.record._replace(saved_seq=seq)


class KeepsNothingInItsEvent(MemoryStore):
    """The event *restarted* of a sweep does not say what was saved."""

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        entries = [entry for entry in self._entries.values() if entry.record.saved_seq]
        places = [entry.record.saved_seq for entry in entries]
        for entry in entries:
            entry.record = entry.record._replace(saved_seq=0)
        swept = await super().sweep(lease=lease)
        for entry, place in zip(entries, places, strict=True):
            entry.record = entry.record._replace(saved_seq=place)
        return swept


class ForgetsCheckpointsWithTheAttempt(MemoryStore):
    """The next attempt begins without any."""

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        run = await super().claim(run_id, lease=lease)
        self._entry(run_id).checkpoints = None
        return run


class RestartsForAnybody(MemoryStore):
    """A worker that was given up restarts the run of another."""

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        fence = self._entry(run_id).record.fence
        return await super().restart(run_id, fence=fence, delay=delay)


class RestartsWithTheOldFence(MemoryStore):
    """A worker that has restarted its run still holds it."""

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        run = await super().restart(run_id, fence=fence, delay=delay)
        entry = self._entry(run_id)
        entry.record = run._replace(fence=fence)
        return entry.record


class RestartsAtOnce(ToyStore):
    """A sweep hands a restarted run out before its delay is over."""

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        return await super().restart(run_id, fence=fence, delay=0.0)


# Queues.


class GivesARunTwice(MemoryStore):
    """Nothing says that a run was taken."""

    async def take(self, *args: Any, **named: Any) -> RunRecord | None:  # noqa: ANN401 - all of it
        run = await super().take(*args, **named)
        if run is not None:
            entry = self._entry(run.id)
            entry.lease_until = None
            self._file(entry)
        return run


class CountsNoSlots(MemoryStore):
    """The limits of actions have no effect."""

    async def take(self, *args: Any, **named: Any) -> RunRecord | None:  # noqa: ANN401 - all of it
        return await super().take(*args, **{**named, "slots": {}})


class ServesTheFirst(ToyStore):
    """The oldest run is next, whatever its caller and its priority."""

    def _next(self, queues: Collection[str], slots: Mapping[str, Slots]) -> Kept | None:
        for kept in self.data.runs.values():
            if kept.record.is_queued and kept.lease_until is None and kept.record.queue in queues:
                return kept
        return None


class HandsOutWhatWaits(ToyStore):
    """A sweep hands out runs that wait in a queue."""

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        changed = await super().sweep(lease=lease)
        waiting = [kept.record for kept in self.data.runs.values() if kept.record.is_queued]
        return [*changed, *(run for run in waiting if run not in changed)]


class TakesLateRunsEarly(ToyStore):
    """A retry does not wait for its delay."""

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        run = await super().restart(run_id, fence=fence, delay=delay)
        self._kept(run_id).record = run._replace(not_before=None)
        return run


class StartsLateRunsEarly(ToyStore):
    """A run that starts later must be claimed as soon as any other."""

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        created = await super().create(run, admission)
        kept = self._kept(created.id)
        if kept.lease_until is not None:
            kept.lease_until = self.now() + transitions.CLAIM_SECONDS
        return created


class WakesNoWorker(MemoryStore):
    """Who waits for a run waits until its time is over."""

    def _see_queued(self, entry: Entry) -> None:
        self._file(entry)


class LosesWhatWasNotClaimed(MemoryStore):
    """A run that was taken and not claimed stays taken."""

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        changed = await super().sweep(lease=lease)
        for run in changed:
            if run.is_queued:
                entry = self._entry(run.id)
                entry.lease_until = math.inf
                self._file(entry)
        return changed


class ForgetsWhoStops(MemoryStore):
    """Runs that have ended are among those that were asked to stop."""

    async def asked_to_stop(self, run_ids: Collection[str], /) -> Mapping[str, str]:
        runs = [self._entries[each].record for each in run_ids if each in self._entries]
        return {run.id: run.cancel_reason for run in runs if run.cancel_reason is not None}


class KeepsMessagesToItself(ToyStore):
    """Messages are in the memory of the process that accepted them."""

    def __init__(self, data: Data, clock: Clock) -> None:
        super().__init__(data, clock)
        self._messages: dict[str, list[Message]] = {}

    def _kept(self, run_id: str) -> Kept:
        kept = super()._kept(run_id)
        return replace(kept, messages=self._messages.setdefault(run_id, []))


# Refused keys.


class RefusesNothing(MemoryStore):
    """A start that comes after its cancellation begins a run."""

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        found = await super().refuse(key, seconds=seconds)
        self._refused.clear()
        return found


class RefusesWhatHasARun(MemoryStore):
    """A run that has begun is not found by its key."""

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        self._refused[key] = self._clock.monotonic() + seconds
        return None


class RefusesForEver(MemoryStore):
    """Nobody ever forgets a refused key."""

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        return await super().refuse(key, seconds=math.inf)


# Revocations.


class ForgetsRevocations(MemoryStore):
    """What was told once is told to nobody else."""

    async def revoked(self, since: int, /) -> Revoked:
        told = await super().revoked(since)
        self._revocations.clear()
        return told


class HidesWhatItForgot(MemoryStore):
    """A caller that asks too late is told that there was nothing."""

    async def revoked(self, since: int, /) -> Revoked:
        return replace(await super().revoked(since), is_whole=True)


class RevokesByAnotherClock(MemoryStore):
    """The time of a revocation cannot be compared with that of a request."""

    async def revoke(self, owner: str, /) -> float:
        await super().revoke(owner)
        return self._clock.monotonic()


# Deliveries of webhooks.


class TellsOnlyOfAppends(MemoryStore):
    """A run that is ended by the store itself has no deliveries."""

    _is_append = False

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        self._is_append = True
        try:
            return await super().append(run_id, block, after=after, fence=fence)
        finally:
            self._is_append = False

    def _post(self, deliveries: Sequence[Delivery]) -> None:
        if self._is_append:
            super()._post(deliveries)


class TellsInASecondStep(MemoryStore):
    """A crash between an event and its deliveries loses them: here every one is such a crash."""

    def _post(self, deliveries: Sequence[Delivery]) -> None:
        return


class TellsOfNoQuestion(MemoryStore):
    """Appends a question as any other block, so that only ends have deliveries."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        entry = self._entry(run_id)
        told, entry.record = entry.record, entry.record.changed(question_webhooks=())
        try:
            return await super().append(run_id, block, after=after, fence=fence)
        finally:
            entry.record = entry.record.changed(question_webhooks=told.question_webhooks)


class ForgetsTheLeaseOfWhoAsks(MemoryStore):
    """Writes a question as it writes an end: the run has no lease afterwards."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        last = await super().append(run_id, block, after=after, fence=fence)
        if is_told(block):
            self._entry(run_id).lease_until = None
        return last


class SendsTwice(MemoryStore):
    """A claim keeps nobody else from the delivery."""

    async def due(
        self, *, limit: int, lease: float, without: Collection[str] = ()
    ) -> Sequence[Delivery]:
        return await super().due(limit=limit, lease=0.0, without=without)


class SettlesForAnybody(MemoryStore):
    """A process that lost its claim takes the delivery from the next one."""

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        known = self._waiting.get((delivery.id, delivery.url))
        delivery = delivery if known is None else delivery._replace(tries=known.tries)
        await super().settle(delivery, failure=failure, again_in=again_in)


class ForgetsDeliveriesWithTheRun(MemoryStore):
    """The end of a run's retention is the end of its deliveries."""

    def _forget(self, run_id: str) -> None:
        super()._forget(run_id)
        self._forget_deliveries(run_id)


# The same in SQL: one statement each, a condition short or a word too much.

STATEMENTS: Final[Mapping[str, tuple[str, str, str]]] = {
    "renews a lease with any fence": ("renew_lease", "AND fence = :fence", ""),
    "renews a lease that has ended": ("renew_lease", "AND status = 'running'", ""),
    "takes away what is still held": ("lost", "lease_until < :now", "lease_until > :now"),
    "counts an event too many": ("insert_block", ":last", ":last + 1"),
    "counts one too many together": (
        "put_blocks",
        "puts.last, CASE",
        "puts.last + 1, CASE",
    ),
    "begins a block too late": ("put_blocks", "puts.after + 1", "puts.after + 2"),
    "puts a block with any fence": ("put_blocks", "heads.fence = puts.fence AND", ""),
    "takes a run twice": ("waiting", "AND lease_until IS NULL", ""),
    "takes from every queue": ("waiting", "queue IN (SELECT value FROM json_each(:queues))", "1"),
    "takes what must wait": ("waiting", "AND coalesce(not_before <= :now, 1)", ""),
    "takes the newest first": ("waiting", "min(n)", "max(n)"),
    "sees only runs that run": ("taken", "status = 'running' OR lease_until IS NOT NULL", "1 = 0"),
    "counts what was taken": ("line", "AND lease_until IS NULL", ""),
    "counts what starts later": ("line", "AND coalesce(not_before <= :now, 1)", ""),
    "knows places of other queues": ("places", "queue = :queue AND", ""),
    "knows one rank for all priorities": ("places", "quota_key, priority ORDER", "quota_key ORDER"),
    "waits from the creation": ("waits_since", "coalesce(not_before, 0)", "0"),
    "asks about every run": ("asked_to_stop", "AND ended_at IS NULL", ""),
    "puts a block anywhere": ("put_blocks", "heads.seq = puts.after AND", ""),
    "puts a block behind an end": ("put_blocks", "AND heads.status = 'running'", ""),
    "puts a block and trims nothing": ("put_blocks", "heads.keep >= puts.last", "1"),
    "loses the end of a block": ("put_blocks", "THEN puts.ending", "THEN NULL"),
    "tells nobody of an end": (
        "put_blocks",
        "heads.webhooks IS NULL",
        "1",
    ),
    "appends to a log that has ended": (
        "head",
        "*",
        "n, 'running' AS status, fence, keep, seq, first_seq",
    ),
    "trims from the newest block on": ("block_with", "ORDER BY first LIMIT", "LIMIT"),
    "reads a block too few": (
        "blocks_behind",
        "behind.first > :after",
        "behind.first > 1 + :after",
    ),
    "shares a feed that has ended": ("run_by_feed", "AND ended_at IS NULL", ""),
    "shares a feed that stops": ("run_by_feed", "AND cancel_reason IS NULL", ""),
    "takes every feed for the same": ("run_by_feed", "feed = :feed", "feed IS NOT NULL"),
    "does not wait for who joins": ("touch", "max(read_until, :until)", "read_until"),
    "counts runs that have ended": ("count_live", "AND ended_at IS NULL", ""),
    "counts everybody's runs": ("count_live", "quota_key = :quota_key AND", ""),
    "misses that a reader leaves": ("leave", "reader = :reader", "0"),
    "waits for who has left": ("read", "feed IS NULL", "0"),
    "purges what has not expired": ("expired", "expires_at <= :now", "expires_at IS NOT NULL"),
    "trims what is kept": (
        "trim",
        "SELECT previous FROM blocks WHERE id = :block",
        "VALUES (:block)",
    ),
    "does not say what was trimmed": ("trim_log", ":first", "first_seq"),
    "forgets when a run ended": ("end_runs", "ended_at = ends.column3,", ""),
    "keeps what has ended forever": ("end_runs", "ends.column4 + retention", "NULL"),
    "claims without an attempt": ("claim_runs", "attempt = attempt + 1", "attempt = attempt"),
    "claims without a lease": ("claim_runs", "claims.column5", "NULL"),
    "tells of revocations again": ("revoked", "n > :since", "n >= :since"),
    "gives the first number again": ("inbox", "max(number)", "min(number)"),
    "counts timeouts as messages": ("inbox", "AND NOT is_timeout) AS count", ") AS count"),
    "counts no bytes": ("inbox", "sum(length(data))", "0"),
    "takes messages after the end": ("inbox", "ended_at IS NOT NULL AS", "0 AS"),
    "looks in every inbox for a key": ("message_by_key", "run = :run AND", ""),
    "finds no message by its key": ("message_by_key", "AND key = :key", "AND 0"),
    "finds no answer": ("message_by_question", "AND question = :question", "AND 0"),
    "reads a message again": ("messages_behind", "number > :after", "number >= :after"),
    "saves with any fence": ("save_place", "AND fence = :fence", ""),
    "saves in a run that does not run": ("save_place", "AND status = 'running'", ""),
    "saves a place beyond the log": ("save_place", ":seq <= (", "0 < ("),
    "saves the first place": ("save_place", "coalesce(:seq, saved_seq)", "saved_seq"),
    "keeps the first checkpoint": ("save", "excluded.data", "data"),
    "counts owners, not revocations": ("revoked", "count(*)", "1"),
    "sends what is not due": ("due_deliveries", "due_at <= :now", "due_at IS NOT NULL"),
    "sends to who is left out": ("due_deliveries", "url NOT IN", "'' NOT IN"),
    "counts no try": ("claim_delivery", "tries + 1", "tries"),
    "settles for another URL too": ("delete_delivery", "AND url = :url", ""),
    "settles an older try": ("retry_delivery", "AND tries = :tries", ""),
    "tells of other runs' deliveries": ("deliveries_of_run", "run_id = :id", "1"),
    "keeps every dead letter": ("forget_dead_letters", ":most", ":most + 1000"),
    "forgets what waits as dead": ("forget_dead_letters", "due_at IS NULL AND n", "n"),
    "deletes other runs' deliveries": ("forget_deliveries", "run_id = :id", "1"),
}


class MisspeltSQLiteStore(SQLiteStore):
    """An SQLite store with another text in one of its statements."""

    def __init__(self, path: Path, *, clock: MovingClock, fault: str) -> None:
        super().__init__(path, clock=clock)
        name, right, wrong = STATEMENTS[fault]
        statement = self._sql[name]
        assert right in statement
        self._sql[name] = statement.replace(right, wrong)


def misspelt(fault: str) -> Callable[..., MisspeltSQLiteStore]:
    """Return what opens a store with that fault."""
    return partial(MisspeltSQLiteStore, fault=fault)


# What only shows when two instances share their data.


class WakesOnlyItsOwn(ToyStore):
    """An append wakes the readers of the instance that it was made to."""

    def __init__(self, data: Data, clock: Clock) -> None:
        super().__init__(replace(data, change=asyncio.Event()), clock)


class RemembersRecords(ToyStore):
    """A record that was read is read from memory until the instance itself changes something."""

    def __init__(self, data: Data, clock: Clock) -> None:
        super().__init__(data, clock)
        self._known: dict[str, RunRecord] = {}

    async def get(self, run_id: str, /) -> RunRecord:
        if run_id not in self._known:
            self._known[run_id] = await super().get(run_id)
        return self._known[run_id]

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        self._known.clear()
        return await super().claim(run_id, lease=lease)

    def _changed(self) -> None:
        self._known.clear()
        super()._changed()


class LooksUpItsOwnKeys(ToyStore):
    """Keys and feeds are looked up among the runs that the instance has created."""

    def __init__(self, data: Data, clock: Clock) -> None:
        super().__init__(data, clock)
        self._own = set[str]()

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        every = self.data.runs
        self.data.runs = {id_: kept for id_, kept in every.items() if id_ in self._own}
        try:
            created = await super().create(run, admission)
            self._own |= self.data.runs.keys()
            every.update(self.data.runs)
        finally:
            self.data.runs = every
        return created


class CountsItsOwnReaders(ToyStore):
    """A sweep asks runs to stop whose readers are with another instance."""

    def __init__(self, data: Data, clock: Clock) -> None:
        super().__init__(data, clock)
        self._here = set[str]()

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        self._here.add(reader)
        await super().hold(run_id, reader, seconds=seconds)

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        for kept in self.data.runs.values():
            kept.readers = {each: at for each, at in kept.readers.items() if each in self._here}
        return await super().sweep(lease=lease)


class BelievesItsOwnClaims(ToyStore):
    """The worker that claimed a run here can write to it, although another took it over."""

    def __init__(self, data: Data, clock: Clock) -> None:
        super().__init__(data, clock)
        self._claimed: dict[str, int] = {}

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        run = await super().claim(run_id, lease=lease)
        self._claimed[run_id] = run.fence
        return run

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        self._claimed.clear()
        return await super().sweep(lease=lease)

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        if self._claimed.get(run_id) == fence:
            fence = self._kept(run_id).record.fence
        return await super().append(run_id, block, after=after, fence=fence)


class KeepsWhatItHasRead(ToyStore):
    """A run that was deleted through another instance can still be read here."""

    def __init__(self, data: Data, clock: Clock) -> None:
        super().__init__(data, clock)
        self._seen: dict[str, Kept] = {}

    def _kept(self, run_id: str) -> Kept:
        if run_id in self.data.runs:
            self._seen[run_id] = self.data.runs[run_id]
        return self._seen[run_id] if run_id in self._seen else super()._kept(run_id)

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        purged = await super().purge(run_id)
        for each in purged:
            self._seen.pop(each, None)
        return purged
