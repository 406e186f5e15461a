"""One run in memory: its record, its log, and its waiting readers."""

import asyncio
import math
import sys
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from operator import attrgetter
from typing import Final

from yieldwire.log.delivery import is_told
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores.memory.inbox import MemoryInbox
from yieldwire.stores.memory.pack import Pack
from yieldwire.stores.quicklog import BlockWriter
from yieldwire.stores.waiters import resolve

_FEW: Final = 8
_SMALL_BYTES: Final = 1024
"""The most events and bytes of a small block, which is packed together with others."""
_FIRST: Final = attrgetter("first")
_RUN_BYTES: Final = 3_000
_BLOCK_BYTES: Final = 200
_TIME_BYTES: Final = 8
"""The size of a run without its input and log, of a block without its body, of an event's time."""


@dataclass(slots=True)
class Entry:
    """A run as it is kept. Its record is updated when it is requested."""

    record: RunRecord
    key: str | None
    fingerprint: str
    feed: str | None = None
    keep: int | None = None
    """How many events a feed keeps, as in the record."""
    tells_questions: bool = False
    """Whether webhooks are told about the run's questions."""
    seq: int = 0
    first_seq: int = 1
    pieces: list[Block | Pack] = field(default_factory=list)
    """The log."""
    pack: Pack | None = None
    """The last piece, if small blocks can be added to it."""
    waiters: dict[asyncio.Future[bool], None] | None = None
    """Ordered, so that those who came first are served first; ``None``: nobody waits."""
    readers: dict[str, float] = field(default_factory=dict)
    writer: int | None = None
    """The fence of the running attempt; ``None`` if none is running."""
    read_until: float = 0.0
    lease_until: float | None = None
    look_at: float = math.inf
    """The second in which a sweep looks at this run; infinite if none does."""
    inbox: MemoryInbox | None = None
    checkpoints: dict[str, bytes] | None = None

    def current(self) -> RunRecord:
        """Return the record with the current seqs."""
        record = self.record
        if record.seq != self.seq or record.first_seq != self.first_seq:
            record = self.record = record.changed(seq=self.seq, first_seq=self.first_seq)
        return record

    def append_nowait(
        self, block: Block, /, *, after: int, fence: int, writer: BlockWriter
    ) -> bool:
        """Append a block that only continues the log; return whether this was one."""
        is_next = self.seq == after == block.first - 1 and self.writer == fence
        if not is_next or block.end is not None or (self.tells_questions and is_told(block)):
            return False
        self.add(block)  # the record is not rebuilt for every block
        writer.submitted(None)
        return True

    def add(self, block: Block) -> None:
        """Append ``block`` to the log and wake the waiting readers."""
        last, body, keep = block.last, block.body, self.keep
        count = last - block.first + 1
        # Of a feed whole blocks are trimmed: packs would keep more than requested.
        is_small = count <= _FEW and len(body) <= _SMALL_BYTES and block.end is None
        if is_small and keep is None and (count == 1 or b"\n@" not in body):
            pack = self.pack
            if pack is None or not pack.add(body, count, block.at):
                self.pack = pack = Pack(self.record.id, block.first)
                self.pieces.append(pack)
                pack.add(body, count, block.at)
            self.seq = last
        else:
            self.pack = None
            self.seq = last
            self.pieces.append(block)
            if keep is not None and last - self.first_seq + 1 > keep:
                self._trim(last - keep + 1)
        if self.waiters:
            self.wake()

    def page(self, after: int, max_bytes: int) -> Sequence[Block]:
        """Return the blocks after ``after``, the first one cut there, about ``max_bytes``."""
        page, size = list[Block](), 0
        if after >= self.seq:
            return page
        pieces: Iterable[Block | Pack] = self.pieces
        if after >= self.first_seq:
            place = max(0, bisect_right(self.pieces, after + 1, key=_FIRST) - 1)
            pieces = islice(pieces, place, None)
        for piece in pieces:
            while after < piece.last and size < max_bytes:
                if isinstance(piece, Pack):
                    block = piece.block(after, max_bytes - size)
                else:
                    block = piece.after(after)
                page.append(block)
                size += len(block.body)
                after = block.last
        return page

    def _trim(self, first_seq: int) -> None:
        # Whole blocks are removed; the one with `first_seq` stays, so a little more is kept.
        drop = bisect_right(self.pieces, first_seq, key=_FIRST) - 1
        if drop > 0:
            del self.pieces[:drop]
            self.first_seq = self.pieces[0].first

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
            read_until = max(self.read_until, *self.readers.values(), 0.0)
            due = min(due, read_until + record.linger)
        return due

    def size(self) -> int:
        """Return about how many bytes the run takes."""
        record = self.record
        size = _RUN_BYTES + len(record.input) + len(record.context)
        size += _TIME_BYTES * (self.seq - self.first_seq + 1)
        for piece in self.pieces:
            size += len(piece.body) + _BLOCK_BYTES
        if record.labels:
            size += sum(map(len, record.labels))
        if self.checkpoints is not None:
            size += sum(map(len, self.checkpoints.values()))
        return size if self.inbox is None else size + self.inbox.size()

    def opened_inbox(self) -> MemoryInbox:
        """Return the run's inbox, which is created if it has none yet."""
        if self.inbox is None:
            self.inbox = MemoryInbox()
        return self.inbox

    def wait(self, waiter: asyncio.Future[bool]) -> None:
        """Remember a reader that waits."""
        if self.waiters is None:
            self.waiters = {}
        self.waiters[waiter] = None

    def stop_waiting(self, waiter: asyncio.Future[bool]) -> None:
        """Forget a reader that waited."""
        if self.waiters is not None:
            self.waiters.pop(waiter, None)
            if not self.waiters:
                self.waiters = None

    def wake(self) -> None:
        """Wake all waiting readers."""
        for waiter in self.waiters or ():
            resolve(waiter, is_news=True)

    def wake_all(self) -> None:
        """Wake all waiting readers, and those who wait for a message."""
        self.wake()
        if self.inbox is not None:
            self.inbox.wake()

    def forget_waiters(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop all waits but those in ``loop``: nobody is left in another loop to wake."""
        here = [waiter for waiter in self.waiters or () if waiter.get_loop() is loop]
        self.waiters = dict.fromkeys(here) or None
        if self.inbox is not None:
            self.inbox.forget_waiters(loop)

    def stands_already(self, block: Block) -> bool:
        """Whether the log has exactly the bytes of ``block`` at its place."""
        if block.last > self.seq:
            return False
        there = self.page(block.first - 1, sys.maxsize)
        return there[0].first == block.first and Block.join(there).begins_with(block)
