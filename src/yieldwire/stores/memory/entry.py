"""One run in memory: its record, its log, and its waiting readers."""

import math
import sys
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final

from yieldwire.log.delivery import is_told
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.log.transitions import needs_readers
from yieldwire.stores.memory.awaited import Awaited
from yieldwire.stores.memory.inbox import MemoryInbox
from yieldwire.stores.memory.pack import Pack
from yieldwire.stores.quicklog import BlockWriter

_FEW: Final = 8
_SMALL: Final = 1024
"""The most events and bytes of a small block, which is packed together with others."""
_TAIL: Final = 2 * 16
"""At this length the tail is packed: a pack touched for each of its blocks would cost more."""
_FIRST: Final = attrgetter("first")
_RUN_BYTES: Final = 3_000
_BLOCK_BYTES: Final = 200
_TIME_BYTES: Final = 8
"""The size of a run without its input and log, of a block without its body, of an event's time."""


def _are_few(block: Block) -> bool:
    return block.last - block.first < _FEW and b"\n@" not in block.body


@dataclass(slots=True)
class Entry(Awaited):
    """A run as it is kept, which changes with its log. Its record is updated when requested."""

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
    tail: list[Any] = field(default_factory=list)
    """The newest small blocks, which follow the pieces: the body of each, and its time."""
    readers: dict[str, float] = field(default_factory=dict)
    writer: int | None = None
    """The fence of the running attempt; ``None`` if none is running."""
    read_until: float = 0.0
    lease_until: float | None = None
    number: int = 0
    """The place in the queue, among all runs that have one."""
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

    def append_nowait(self, block: Block, fence: int, _: BlockWriter | None = None, /) -> bool:
        """Append a block that only continues the log; return whether this was one."""
        last, body = block.last, block.body
        is_next = self.seq + 1 == block.first and self.writer == fence
        if not is_next or block.end is not None or (self.tells_questions and is_told(block)):
            return False
        # The record is not rebuilt for every block.
        if len(body) <= _SMALL and self.keep is None and (last == block.first or _are_few(block)):
            tail = self.tail
            tail += (body, block.at)
            if len(tail) >= _TAIL:
                self._settle()
            self.seq = last
            if self.change is not None:
                self.wake()
        else:
            self.add(block)
        return True

    def add(self, block: Block) -> None:
        """Append ``block`` to the log as a piece of its own, and wake the waiting readers."""
        if self.tail:
            self._settle()
        self.pack = None
        self.pieces.append(block)
        self.seq = last = block.last
        # Of a feed whole blocks are trimmed: packs would keep more than requested.
        if self.keep is not None and last - self.first_seq + 1 > self.keep:
            self._trim(last - self.keep + 1)
        self.wake()

    def _settle(self) -> None:
        """Pack the tail, in which there is something."""
        tail = self.tail
        bodies, times = tail[::2], tail[1::2]
        tail.clear()
        if self.pack is None or self.pack.is_full:
            first = self.pieces[-1].last + 1 if self.pieces else self.first_seq
            self.pack = Pack(self.record.id, first)
            self.pieces.append(self.pack)
        self.pack.add(bodies, times)

    def page(self, after: int, max_bytes: int) -> Sequence[Block]:
        """Return the blocks after ``after``, the first one cut there, about ``max_bytes``."""
        if self.tail:
            self._settle()
        page, size, place = list[Block](), 0, 0
        if after >= self.first_seq:
            place = bisect_right(self.pieces, after + 1, key=_FIRST) - 1
        while after < self.seq and size < max_bytes:
            piece = self.pieces[place]
            if isinstance(piece, Pack):
                block = piece.block(after, max_bytes - size)
            else:
                block = piece.after(after)
            page.append(block)
            size += len(block.body)
            after = block.last
            if after == piece.last:
                place += 1
        return page

    def _trim(self, first_seq: int) -> None:
        # Whole blocks are removed; the one with `first_seq` stays, so a little more is kept.
        drop = bisect_right(self.pieces, first_seq, key=_FIRST) - 1
        if drop > 0:
            del self.pieces[:drop]
            self.first_seq = self.pieces[0].first

    def held_until(self) -> float:
        """Return until when somebody reads or has read, as far as it is known."""
        return max(self.read_until, *self.readers.values(), 0.0)

    def due_at(self) -> float:
        """Return the earliest time at which this run needs maintenance."""
        due = math.inf if self.lease_until is None else self.lease_until
        if needs_readers(self.record):
            due = min(due, self.held_until() + (self.record.linger or 0.0))
        return due

    def size(self) -> int:
        """Return about how many bytes the run takes."""
        record = self.record
        size = _RUN_BYTES + len(record.input) + len(record.context)
        size += _TIME_BYTES * (self.seq - self.first_seq + 1)
        if self.tail:
            self._settle()
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

    def stands_already(self, block: Block) -> bool:
        """Whether the log has exactly the bytes of ``block`` at its place."""
        if block.last > self.seq:
            return False
        there = self.page(block.first - 1, sys.maxsize)
        return there[0].first == block.first and Block.join(there).begins_with(block)
