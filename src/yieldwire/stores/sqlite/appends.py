"""Appends of this process, each awaited or reported by a call."""

from collections.abc import Sequence
from typing import Self

from yieldwire.errors import StoreError
from yieldwire.log.events import Block, EventType
from yieldwire.stores.quicklog import BlockWriter, QuickLogs
from yieldwire.stores.reads import Reads
from yieldwire.stores.sqlite.blocks import SMALL, BlockItem, Submission, Submissions
from yieldwire.stores.sqlite.lanes import Lanes
from yieldwire.stores.sqlite.log import LogTable
from yieldwire.stores.tails import Tails
from yieldwire.stores.waits import Waits


class SQLiteAppends(QuickLogs):
    """The part of a SQLite store that writes blocks."""

    _lanes: Lanes
    _log: LogTable
    _reads: Reads
    _tails: Tails
    _waits: Waits
    _group: Submissions | None = None
    """The newest blocks that were submitted."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        """Append ``block`` in one step, all or nothing, and return the last seq."""
        append = BlockItem(self._log, self._note, block, after, fence)
        append.is_joint = self._is_joint(block, after)
        await self._lanes.writer.finish(append)
        return block.last

    def quick_log(self, _run_id: str, /) -> Self:
        """Return what appends to the log of a run."""
        return self

    def append_nowait(self, block: Block, fence: int, writer: BlockWriter, /) -> bool | None:
        """Do what `append` does, and tell ``writer``, unless the store is closed."""
        try:
            if block.end is None and self._is_joint(block, block.first - 1):
                group = self._group
                if group is None or not group.is_open:
                    group = Submissions(self._log, self._note)
                    self._lanes.writer.put(group)
                    self._group = group
                group.add(block, fence, writer)
            else:
                append = Submission(self._log, self._note, block, block.first - 1, fence)
                append.writer = writer
                self._lanes.writer.put(append)
        except StoreError:
            return False
        return None

    def _is_joint(self, block: Block, after: int) -> bool:
        """Whether to append a block changes its log, and at most ends its run."""
        if block.first != after + 1 or len(block.body) > SMALL:
            return False
        return block.run_id not in self._tails.trimmed and not block.has(EventType.QUESTION)

    def _note(
        self, blocks: Sequence[Block], first_seq: int | None, error: BaseException | None
    ) -> None:
        """Show blocks to this process's readers; after an error they can be in the logs too."""
        self._reads.forget_all()
        waiters = self._waits.logs or None
        for block in blocks:
            run_id = block.run_id
            if error is None and first_seq is not None:
                self._tails.add(run_id, block, first_seq)
            else:
                self._tails.forget(run_id)
            if waiters is not None:
                waiters.wake(run_id, block.last)
            if block.end is not None:
                self._waits.inboxes.wake(run_id)
                self._waits.takers.look_for_all()  # a slot is free again
