"""The newest blocks that this process wrote, for its own readers: they need not ask the file."""

from collections import OrderedDict, deque
from collections.abc import Sequence
from typing import Final, TypeAlias

from yieldwire.log.events import Block, EventType

TAIL_BYTES: Final = 1024 * 1024
TAILS_BYTES: Final = 32 * 1024 * 1024
"""What is remembered of one run, and of all; the file has the rest."""
_OVERHEAD: Final = 512
"""About what a block takes beside its frames."""

_Plain: TypeAlias = tuple[str, int, int, bytes, EventType | None]


class Tails:
    """Blocks never change, so what is remembered here is what the file has."""

    def __init__(self) -> None:
        self._tails: OrderedDict[str, _Tail] = OrderedDict()
        self._size = 0

    def add(self, run_id: str, block: Block, first_seq: int) -> None:
        """Remember a block that was committed; the log begins at ``first_seq`` now."""
        tail = self._tails.get(run_id)
        if tail is None or block.first != tail.last + 1:
            self.forget(run_id)
            tail = self._tails[run_id] = _Tail()
        else:
            self._tails.move_to_end(run_id)
        self._size += tail.add(block, first_seq)
        while self._size > TAILS_BYTES and len(self._tails) > 1:
            _, oldest = self._tails.popitem(last=False)
            self._size -= oldest.size

    def page(self, run_id: str, after: int, max_bytes: int) -> Sequence[Block]:
        """Return what is remembered behind ``after``, without a gap; empty where nothing is."""
        tail = self._tails.get(run_id)
        return () if tail is None else tail.page(after, max_bytes)

    def is_trimmed(self, run_id: str) -> bool:
        """Whether the log is known not to begin with its first event any more."""
        tail = self._tails.get(run_id)
        return tail is not None and tail.first_seq > 1

    def forget(self, run_id: str) -> None:
        """Forget a run."""
        tail = self._tails.pop(run_id, None)
        if tail is not None:
            self._size -= tail.size


class _Tail:
    """The newest blocks of one run, without a gap, and about how many bytes they take."""

    __slots__ = ("blocks", "first_seq", "last", "size")

    def __init__(self) -> None:
        # Each block as a plain tuple. Of those there may be very many, and they are what the
        # garbage collector looks at once and leaves alone from then on.
        self.blocks: Final[deque[_Plain]] = deque()
        self.size = self.last = 0
        self.first_seq = 1

    def add(self, block: Block, first_seq: int) -> int:
        """Remember a block, forget what there is no room for, and return what that adds."""
        before = self.size
        run_id, first, last, frames, end = block
        self.blocks.append((run_id, first, last, frames, end))
        self.first_seq, self.last = first_seq, last
        self.size += _size(frames)
        while len(self.blocks) > 1 and (self.size > TAIL_BYTES or self.blocks[0][1] < first_seq):
            self.size -= _size(self.blocks.popleft()[3])
        return self.size - before

    def page(self, after: int, max_bytes: int) -> Sequence[Block]:
        if not self.blocks[0][1] <= after + 1 <= self.last:
            return ()
        # Most readers are near the end, and the tail may be long.
        wanted: deque[Block] = deque()
        for plain in reversed(self.blocks):
            block = Block._make(plain)
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


def _size(frames: bytes) -> int:
    return len(frames) + _OVERHEAD
