"""The newest blocks that this process wrote or was told of, cached for its own readers."""

from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from typing import Any, Final

from yieldwire.log.events import Block, EventType
from yieldwire.stores import page_of

TAIL_BYTES: Final = 1024 * 1024
TAILS_BYTES: Final = 32 * 1024 * 1024
"""The cache limits for one run, and for all; the store has the rest."""
ENDED_TAILS: Final = 1000
"""How many runs that have ended are cached. Nearly all readers are there when a run ends, and each
cached run is work for the garbage collector."""
_OVERHEAD: Final = 512
"""The approximate size of a run without its blocks, and of a block without its body."""

_FIELDS: Final = 4
"""How many fields of a block are cached."""


class Tails:
    """Blocks never change, so the cache always matches the store."""

    def __init__(self) -> None:
        self._tails: OrderedDict[str, _Tail] = OrderedDict()
        self._ended: dict[str, None] = {}
        """Those of them that have ended, in this order."""
        self._size = self._doubts = 0
        self.trimmed: Final[set[str]] = set()
        """The cached runs whose logs are known to start after their first event."""

    def begin(self, run_id: str) -> None:
        """Cache a new run, whose log is empty."""
        self._add(_Tail(run_id)).doubts = self._doubts

    def add(self, run_id: str, block: Block, first_seq: int) -> None:
        """Cache a committed block; the log now starts at ``first_seq``.

        One that is cached already, as it was also announced, changes nothing.
        """
        tail = self._tails.get(run_id)
        if tail is None or block.first != tail.last + 1:
            if tail is not None and tail.has(block):
                return
            self.forget(run_id)
            tail = self._add(_Tail(run_id))
        else:
            self._tails.move_to_end(run_id)
        if first_seq > 1:
            self.trimmed.add(run_id)
        body, blocks = block.body, tail.blocks
        blocks += block.first, block.last, body, block.at
        tail.doubts, tail.last, tail.end = self._doubts, block.last, block.end
        size = len(body) + _OVERHEAD
        tail.size += size
        self._size += size
        if tail.size > TAIL_BYTES or blocks[0] < first_seq:
            self._size -= tail.shorten(first_seq)
        while self._size > TAILS_BYTES and len(self._tails) > 1:
            self.forget(next(iter(self._tails)))
        if block.end is not None:
            self._ended[run_id] = None
            if len(self._ended) > ENDED_TAILS:
                self.forget(next(iter(self._ended)))

    def _add(self, tail: "_Tail") -> "_Tail":
        self._tails[tail.run_id] = tail
        self._size += tail.size
        return tail

    def doubt(self) -> None:
        """Record that others have written: any log can be longer than what is cached."""
        self._doubts += 1

    def has_all(self, run_id: str, last: int) -> bool:
        """Whether the log ends with event ``last`` and is not over, without a doubt."""
        tail = self._tails.get(run_id)
        if tail is None or tail.last != last or tail.end is not None:
            return False
        return tail.doubts == self._doubts

    def page(self, run_id: str, after: int, max_bytes: int) -> Sequence[Block]:
        """Return the cached blocks after ``after``, without a gap; empty if there are none."""
        tail = self._tails.get(run_id)
        return () if tail is None else tail.page(after, max_bytes)

    def forget(self, run_id: str) -> None:
        """Drop a run from the cache."""
        tail = self._tails.pop(run_id, None)
        if tail is not None:
            self._size -= tail.size
            self._ended.pop(run_id, None)
            self.trimmed.discard(run_id)

    def forget_all(self) -> None:
        """Drop every run from the cache."""
        self._tails.clear()
        self._ended.clear()
        self.trimmed.clear()
        self._size = 0


class _Tail:
    """The newest blocks of one run, without a gap, and about how many bytes they take."""

    __slots__ = ("blocks", "doubts", "end", "last", "run_id", "size")

    def __init__(self, run_id: str) -> None:
        # The first and last seq, the body and the time of each block, one after the other. There
        # can be very many, and an object for each would be work for the garbage collector.
        self.blocks: Final[deque[Any]] = deque()
        self.run_id = run_id
        self.size, self.last = _OVERHEAD, 0
        self.doubts = 0
        self.end: EventType | None = None

    def shorten(self, first_seq: int) -> int:
        """Drop blocks over the limit or before ``first_seq``, and return their size."""
        before, blocks = self.size, self.blocks
        while len(blocks) > _FIELDS and (self.size > TAIL_BYTES or blocks[0] < first_seq):
            _, _, old, _ = blocks.popleft(), blocks.popleft(), blocks.popleft(), blocks.popleft()
            self.size -= len(old) + _OVERHEAD
        return before - self.size

    def has(self, block: Block) -> bool:
        """Whether this block is one of the newest."""
        return block.first <= self.last and any(block == cached for cached in self._newest())

    def page(self, after: int, max_bytes: int) -> Sequence[Block]:
        if after >= self.last or self.blocks[0] > after + 1:
            return ()
        # Most readers are near the end, and the tail can be long.
        wanted: deque[Block] = deque()
        for block in self._newest():
            if block.last <= after:
                break
            wanted.appendleft(block)
        return page_of(wanted, after, max_bytes)

    def _newest(self) -> Iterator[Block]:
        """Yield the blocks, the newest first."""
        end, fields = self.end, reversed(self.blocks)
        for at, body, last, first in zip(*[fields] * _FIELDS, strict=True):
            yield Block(self.run_id, first, last, body, end, at)
            end = None  # only the last one ends the log
