"""The newest blocks that this process wrote, for its own readers: they need not ask the file."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final

from yieldwire.events import Block

_RUN_BYTES: Final = 1024 * 1024
_BYTES: Final = 32 * 1024 * 1024
"""What is remembered of one run, and of all; the file has the rest."""
_OVERHEAD: Final = 512
"""About what a block takes beside its frames."""


class Tails:
    """Blocks never change, so what is remembered here is what the file has."""

    def __init__(self) -> None:
        self._tails: OrderedDict[str, _Tail] = OrderedDict()
        self._size = 0

    def add(self, run_id: str, block: Block, first_seq: int) -> None:
        """Remember a block that was committed; the log begins at ``first_seq`` now."""
        tail = self._tails.pop(run_id, None) or _Tail()
        self._size -= tail.size
        if tail.blocks and block.first != tail.blocks[-1].last + 1:
            tail = _Tail()
        tail.add(block, first_seq)
        self._tails[run_id] = tail
        self._size += tail.size
        while self._size > _BYTES and len(self._tails) > 1:
            _, oldest = self._tails.popitem(last=False)
            self._size -= oldest.size

    def page(self, run_id: str, after: int, max_bytes: int) -> Sequence[Block]:
        """Return what is remembered behind ``after``, without a gap; empty where nothing is."""
        tail = self._tails.get(run_id)
        return () if tail is None else tail.page(after, max_bytes)

    def forget(self, run_id: str) -> None:
        """Forget a run."""
        tail = self._tails.pop(run_id, None)
        if tail is not None:
            self._size -= tail.size


class _Tail:
    """The newest blocks of one run, without a gap, and about how many bytes they take."""

    def __init__(self) -> None:
        self.blocks: Final[deque[Block]] = deque()
        self.size = 0

    def add(self, block: Block, first_seq: int) -> None:
        self.blocks.append(block)
        self.size += _size(block)
        while len(self.blocks) > 1 and (self.size > _RUN_BYTES or self.blocks[0].first < first_seq):
            self.size -= _size(self.blocks.popleft())

    def page(self, after: int, max_bytes: int) -> Sequence[Block]:
        if not self.blocks[0].first <= after + 1 <= self.blocks[-1].last:
            return ()
        # Most readers are near the end, and the tail may be long.
        wanted: deque[Block] = deque()
        for block in reversed(self.blocks):
            if block.last <= after:
                break
            wanted.appendleft(block)
        page: list[Block] = []
        size = 0
        for block in wanted:
            page.append(block.after(after))
            size += len(block.frames)
            if size >= max_bytes:
                break
        return page


def _size(block: Block) -> int:
    return len(block.frames) + _OVERHEAD
