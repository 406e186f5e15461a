"""A store as several processes see it: each over its own link, which is slow and can break."""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from random import Random
from typing import ClassVar, Final, TypeVar

from yieldwire.errors import StoreError
from yieldwire.log.delivery import Delivery
from yieldwire.log.events import Block
from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.transitions import CLAIM_SECONDS
from yieldwire.stores import Admission, Query, Reach, Revoked
from yieldwire.stores.deliveries import Outstanding
from yieldwire.stores.line import Line
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.queue import NO_SLOTS, Slots

T = TypeVar("T")

SLOWEST: Final = 0.02
"""Seconds that a call takes on its way, and its answer on the way back."""
LOST_ANSWERS: Final = 0.02
"""The share of appends whose answer is lost on its way."""


class Witness(MemoryStore):
    """A memory store that processes share, and which remembers what it forgets."""

    reach: ClassVar[Reach] = "machine"
    blobs: None = None

    def __init__(self, loop: asyncio.AbstractEventLoop, store_clock: "SharedClock") -> None:
        super().__init__(clock=store_clock)
        self._loop = loop
        self.purged: Final[dict[str, tuple[RunRecord, list[Block]]]] = {}
        self.ended: Final[dict[str, float]] = {}
        self._pending_since: dict[str, float] = {}

    def _forget(self, run_id: str) -> None:
        entry = self._entry(run_id)
        self.purged[run_id] = entry.current(), [*entry.page(0, sys.maxsize)]
        super()._forget(run_id)

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        """Hand pending runs to the caller, as every store does that outlives a process."""
        swept, now = [*await super().sweep()], self._loop.time()
        pending = {
            run_id
            for run_id, entry in self._entries.items()
            if entry.record.status is Status.PENDING
        }
        since = {run_id: self._pending_since.get(run_id, now) for run_id in pending}
        for run_id in [each for each in pending if now - since[each] > CLAIM_SECONDS]:
            since[run_id] = now
            swept.append(await self.get(run_id))
        self._pending_since = since
        return swept

    async def everything(self) -> dict[str, tuple[RunRecord, list[Block]]]:
        """Return every run that there ever was, with its log."""
        kept = {each.id: each for each in await self.find(Query(everyone=True, limit=10_000))}
        logs = {run_id: list(await self.read(run_id, 0, max_bytes=10**9)) for run_id in kept}
        return self.purged | {run_id: (run, logs[run_id]) for run_id, run in kept.items()}

    def note_ends(self) -> None:
        """Note when runs ended, by the loop's time."""
        for run_id, entry in self._entries.items():
            if entry.record.status.is_terminal and run_id not in self.ended:
                self.ended[run_id] = self._loop.time()


class SharedClock:
    """The loop's time, and a wall clock that somebody sets."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.offset = 1_750_000_000.0

    def now(self) -> float:
        return self._loop.time() + self.offset

    def monotonic(self) -> float:
        return self._loop.time()


class Link:
    """One process's way to the store. While it is broken, nothing passes either way.

    Now and then what it appended is in the log, and it fails to say so.
    """

    reach: ClassVar[Reach] = "machine"
    generation: int = 0
    blobs: None = None

    def __init__(self, store: Witness, random: Random) -> None:
        self._store, self._random = store, random
        self._is_whole = asyncio.Event()
        self._is_whole.set()

    async def break_for(self, seconds: float) -> None:
        """Let nothing pass for so long; what was asked for then is done, and answered, later."""
        self._is_whole.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._is_whole.set()  # also if a broken promise ends the play: others wait for it

    async def _pass(self, call: Callable[[], Awaitable[T]]) -> T:
        # As a store does it: once begun it is carried out, and cancellation waits for that.
        done = asyncio.ensure_future(self._pass_both_ways(call))  # noqa: TID251 - awaited here
        try:
            return await asyncio.shield(done)
        except asyncio.CancelledError:
            await asyncio.wait({done})
            done.exception()
            raise

    async def _pass_both_ways(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._travel()
        try:
            return await call()
        finally:
            self._store.note_ends()
            await self._travel()

    async def _travel(self) -> None:
        await asyncio.sleep(self._random.choice([0.0, self._random.random() * SLOWEST]))
        await self._is_whole.wait()

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        return await self._pass(lambda: self._store.create(run, admission))

    async def get(self, run_id: str, /) -> RunRecord:
        return await self._pass(lambda: self._store.get(run_id))

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        append = partial(self._store.append, run_id, block, after=after, fence=fence)
        last = await self._pass(append)
        if self._random.random() < LOST_ANSWERS:
            raise StoreError("The answer was lost.")
        return last

    async def read(
        self,
        run_id: str,
        after: int,
        *,
        max_bytes: int = 262_144,
        wait: float = 0.0,
    ) -> Sequence[Block]:
        read = partial(self._store.read, run_id, after, max_bytes=max_bytes)
        if wait <= 0:
            return await self._pass(read)
        page = await read(wait=wait)
        await self._travel()
        return page

    async def find(self, query: Query, /) -> Sequence[RunRecord]:
        return await self._pass(lambda: self._store.find(query))

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        return await self._pass(lambda: self._store.claim(run_id, lease=lease))

    async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
        return await self._pass(lambda: self._store.heartbeat(run_id, fence=fence, lease=lease))

    async def restart(self, run_id: str, *, fence: int, delay: float) -> RunRecord:
        return await self._pass(lambda: self._store.restart(run_id, fence=fence, delay=delay))

    async def send(self, run_id: str, message: Message, *, most: int, most_bytes: int) -> Message:
        send = partial(self._store.send, run_id, message, most=most, most_bytes=most_bytes)
        return await self._pass(send)

    async def inbox(self, run_id: str, after: int, *, wait: float = 0.0) -> Sequence[Message]:
        if wait <= 0:
            return await self._pass(lambda: self._store.inbox(run_id, after))
        messages = await self._store.inbox(run_id, after, wait=wait)
        await self._travel()
        return messages

    async def save(
        self, run_id: str, name: str, data: bytes, *, seq: int | None = None, fence: int
    ) -> None:
        await self._pass(lambda: self._store.save(run_id, name, data, seq=seq, fence=fence))

    async def saved(self, run_id: str, /) -> Mapping[str, bytes]:
        return await self._pass(lambda: self._store.saved(run_id))

    async def request_cancel(self, run_id: str, reason: str, /) -> RunRecord:
        return await self._pass(lambda: self._store.request_cancel(run_id, reason))

    async def asked_to_stop(self, run_ids: Collection[str], /) -> Mapping[str, str]:
        return await self._pass(lambda: self._store.asked_to_stop(run_ids))

    async def take(
        self,
        queues: Collection[str],
        *,
        slots: Mapping[str, Slots] = NO_SLOTS,
        lease: float,
        wait: float = 0.0,
    ) -> RunRecord | None:
        take = partial(self._store.take, queues, slots=slots, lease=lease)
        if wait <= 0:
            return await self._pass(take)
        run = await take(wait=wait)
        await self._travel()
        return run

    async def line(self, queue: str, run_ids: Collection[str], /) -> Line:
        return await self._pass(lambda: self._store.line(queue, run_ids))

    async def refuse(self, key: str, *, seconds: float) -> RunRecord | None:
        return await self._pass(lambda: self._store.refuse(key, seconds=seconds))

    async def sweep(self, *, lease: float | None = None) -> Sequence[RunRecord]:
        return await self._pass(self._store.sweep)

    async def purge(self, run_id: str | None = None) -> Sequence[str]:
        return await self._pass(lambda: self._store.purge(run_id))

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        await self._pass(lambda: self._store.hold(run_id, reader, seconds=seconds))

    async def revoke(self, owner: str, /) -> float:
        return await self._pass(lambda: self._store.revoke(owner))

    async def revoked(self, since: int, /) -> Revoked:
        return await self._pass(lambda: self._store.revoked(since))

    async def due(
        self, *, limit: int, lease: float, without: Collection[str] = ()
    ) -> Sequence[Delivery]:
        return await self._pass(lambda: self._store.due(limit=limit, lease=lease, without=without))

    async def settle(
        self, delivery: Delivery, *, failure: str | None = None, again_in: float | None = None
    ) -> None:
        await self._pass(lambda: self._store.settle(delivery, failure=failure, again_in=again_in))

    async def outstanding(self, run_id: str, /) -> Sequence[Outstanding]:
        return await self._pass(lambda: self._store.outstanding(run_id))

    async def dead_letters(self, *, limit: int) -> Sequence[Delivery]:
        return await self._pass(lambda: self._store.dead_letters(limit=limit))

    async def open(self) -> None:
        await asyncio.sleep(0)

    async def close(self) -> None:
        await asyncio.sleep(0)
