"""The newest blocks that this process wrote, for its own readers: they need not ask the file."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

from yieldwire.events import Block

_RUNS: Final = 1024
_BLOCKS: Final = 64


class Tails:
    """Blocks never change, so what is remembered here is what the file has."""

    def __init__(self) -> None:
        self._tails: OrderedDict[str, list[Block]] = OrderedDict()

    def add(self, run_id: str, block: Block, first_seq: int) -> None:
        """Remember a block that was committed; the log begins at ``first_seq`` now."""
        tail = self._tails.setdefault(run_id, [])
        if tail and block.first != tail[-1].last + 1:
            tail.clear()
        tail.append(block)
        del tail[:-_BLOCKS]
        while tail[0].first < first_seq:
            del tail[0]
        self._tails.move_to_end(run_id)
        if len(self._tails) > _RUNS:
            self._tails.popitem(last=False)

    def page(self, run_id: str, after: int, max_bytes: int) -> Sequence[Block]:
        """Return what is remembered behind ``after``, without a gap; empty where nothing is."""
        tail = self._tails.get(run_id)
        if tail is None or not tail[0].first <= after + 1 <= tail[-1].last:
            return ()
        page: list[Block] = []
        size = 0
        for block in tail:
            if block.last > after:
                page.append(block.after(after))
                size += len(block.frames)
                if size >= max_bytes:
                    break
        return page

    def forget(self, run_id: str) -> None:
        """Forget a run."""
        self._tails.pop(run_id, None)
