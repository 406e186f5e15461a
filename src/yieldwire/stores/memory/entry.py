"""One run in memory: its record, its log, and its waiting readers."""

import asyncio
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores import Deliver
from yieldwire.stores.waiters import fail, resolve

_PACK: Final = 8
_PACK_BYTES: Final = 8 * 1024
"""This many small blocks are joined into one when newer ones follow."""
_AT_ONCE: Final = 64
"""How many readers are served before others get a turn."""
_RUN_BYTES: Final = 3_000
_BLOCK_BYTES: Final = 200
"""The size of a run without its input and log, and of a block without its body."""


@dataclass(slots=True)
class Entry:
    """A run as it is kept. Its record is updated when it is requested."""

    record: RunRecord
    key: str | None
    fingerprint: str
    feed: str | None = None
    seq: int = 0
    first_seq: int = 1
    blocks: list[Block] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    waiters: dict[asyncio.Future[bool], Deliver | None] = field(default_factory=dict)
    readers: dict[str, float] = field(default_factory=dict)
    writer: int | None = None
    """The fence of the running attempt; ``None`` if none is running."""
    loose: int = 0
    """How many of the newest blocks are still as they were appended."""
    read_until: float = 0.0
    lease_until: float | None = None
    look_at: float = math.inf
    """The second in which a sweep looks at this run; infinite if none does."""

    def current(self) -> RunRecord:
        """Return the record with the current seqs."""
        record = self.record
        if record.seq != self.seq or record.first_seq != self.first_seq:
            record = self.record = record._replace(seq=self.seq, first_seq=self.first_seq)
        return record

    def add(self, block: Block) -> None:
        """Append ``block`` to the log and wake the waiting readers."""
        self.blocks.append(block)
        self.firsts.append(block.first)
        self.seq = block.last
        self.loose += 1
        if self.loose >= 2 * _PACK:
            self._pack()
        keep = self.record.keep
        if keep is not None and self.seq - self.first_seq + 1 > keep:
            self._trim(self.seq - keep + 1)
        if self.waiters:
            self._deliver(block, list(self.waiters))

    def page(self, after: int, max_bytes: int) -> Sequence[Block]:
        """Return the blocks after ``after``, the first one cut there, about ``max_bytes``."""
        if after >= self.seq:
            return ()
        place = max(0, bisect_right(self.firsts, after + 1) - 1)
        first = self.blocks[place].after(after)
        page, size = [first], len(first.body)
        for index in range(place + 1, len(self.blocks)):
            if size >= max_bytes:
                break
            block = self.blocks[index]
            page.append(block)
            size += len(block.body)
        return page

    def _pack(self) -> None:
        # A slow stream would keep a block for each event, at three times the memory.
        if self.record.keep is not None:
            self.loose = 0  # whole blocks are trimmed: larger ones would keep more than requested
            return
        self.loose = min(self.loose, len(self.blocks))
        start = len(self.blocks) - self.loose
        old = self.blocks[start : start + _PACK]
        self.loose -= len(old)
        size = 0
        for block in old:  # a generator would cost more than the rest of this
            size += len(block.body)
        if size <= _PACK_BYTES:
            packed = Block.join(old)
            self.blocks[start : start + _PACK] = [packed]
            self.firsts[start : start + _PACK] = [packed.first]

    def _trim(self, first_seq: int) -> None:
        # Whole blocks are removed; the one with `first_seq` stays, so a little more is kept.
        drop = bisect_right(self.firsts, first_seq) - 1
        if drop > 0:
            del self.blocks[:drop], self.firsts[:drop]
            self.first_seq = self.firsts[0]

    def last_read(self, now: float) -> float:
        """Return until when somebody was reading, as far as known at ``now``."""
        if self.readers:
            self.read_until = max(self.read_until, min(now, max(self.readers.values())))
        return self.read_until

    def due_at(self) -> float:
        """Return the earliest time at which this run needs maintenance."""
        record, due = self.record, math.inf
        if self.lease_until is not None:
            due = self.lease_until
        if record.linger is not None and not record.detached and record.cancel_reason is None:
            read_until = max(self.read_until, max(self.readers.values(), default=0.0))
            due = min(due, read_until + record.linger)
        return due

    def size(self) -> int:
        """Return about how many bytes the run takes."""
        record = self.record
        log = sum(len(block.body) + _BLOCK_BYTES for block in self.blocks)
        facts = len(record.input) + len(record.context) + sum(map(len, record.labels))
        return _RUN_BYTES + facts + log

    def _deliver(self, block: Block, waiters: list[asyncio.Future[bool]]) -> None:
        """Offer the appended block to the waiting readers, or wake them."""
        if len(waiters) > _AT_ONCE:
            # That many deliveries take a while, so others get a turn in between.
            asyncio.get_running_loop().call_soon(self._deliver, block, waiters[_AT_ONCE:])
            waiters = waiters[:_AT_ONCE]
        for waiter in waiters:
            if not waiter.done():
                try:  # the same as `offer`, without the call
                    deliver = self.waiters.get(waiter)
                    if deliver is None or not deliver(block):
                        resolve(waiter, is_news=True)
                except BaseException as exc:  # noqa: BLE001 - raised in the reader's own wait
                    fail(waiter, exc)

    def wake(self) -> None:
        """Wake all waiting readers."""
        for waiter in self.waiters:
            resolve(waiter, is_news=True)

    def stands_already(self, block: Block) -> bool:
        """Whether the log has exactly the bytes of ``block`` at its place."""
        place = bisect_right(self.firsts, block.first) - 1
        if place < 0 or block.last > self.seq:
            return False
        there = self.blocks[place].after(block.first - 1)
        while there.last < block.last:
            place += 1
            there = Block.join([there, self.blocks[place]])
        return there.begins_with(block)
