"""Appends of this process, each awaited or reported by a call."""

from typing import Self

from yieldwire.errors import StoreError
from yieldwire.log.events import Block
from yieldwire.stores.quicklog import BlockWriter, QuickLogs
from yieldwire.stores.reads import Reads
from yieldwire.stores.sqlite.blocks import BlockItem, Submission, Submissions, is_simple
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

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        """Append ``block`` in one step, all or nothing, and return the last seq."""
        append = BlockItem(self._log, self.note, block, after, fence)
        append.is_joint = self._is_joint(block, after)
        await self._lanes.writer.finish(append)
        return block.last

    def quick_log(self, _run_id: str, /) -> Self:
        """Return what appends to the log of a run."""
        return self

    def append_nowait(self, block: Block, fence: int, writer: BlockWriter, /) -> bool | None:
        """Do what `append` does, and tell ``writer``, unless the store is closed."""
        try:
            self._submit(block, block.first - 1, fence, writer)
        except StoreError:
            return False
        return None

    def _submit(self, block: Block, after: int, fence: int, writer: BlockWriter) -> None:
        lane = self._lanes.writer
        if block.end is None and self._is_joint(block, after):
            newest = lane.newest
            if type(newest) is not Submissions or not newest.add(block, after, fence, writer):
                newest = Submissions(self._log, self.note)
                lane.put(newest)
                newest.add(block, after, fence, writer)
        else:
            append = Submission(self._log, self.note, block, after, fence)
            append.writer = writer
            lane.put(append)

    def _is_joint(self, block: Block, after: int) -> bool:
        return is_simple(block, after) and not self._tails.is_trimmed(block.run_id)

    def note(self, block: Block, first_seq: int | None, error: BaseException | None) -> None:
        """Show a block to the readers of this process; after an error it can be in the log too."""
        run_id = block.run_id
        self._reads.forget_all()
        if error is None and first_seq is not None:
            self._tails.add(run_id, block, first_seq)
        else:
            self._tails.forget(run_id)
        self._waits.logs.wake(run_id, block.last)
        if block.end is not None:
            self._waits.inboxes.wake(run_id)
            self._waits.takers.look_for_all()  # a slot is free again
