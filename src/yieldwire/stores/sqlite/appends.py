"""Appends of this process, each awaited or reported by a call."""

from typing import Self

from yieldwire.errors import StoreError
from yieldwire.log.events import Block
from yieldwire.stores.quicklog import BlockWriter, QuickLogs
from yieldwire.stores.reads import Reads
from yieldwire.stores.sqlite.lanes import Lanes
from yieldwire.stores.sqlite.log import BlockItem, LogTable
from yieldwire.stores.tails import Tails
from yieldwire.stores.waits import Waits


class _Submission(BlockItem):
    """A block whose outcome is reported by a call, so that no task needs to wait for it."""

    __slots__ = ("store", "writer")

    store: "SQLiteAppends"
    writer: BlockWriter

    def tell(self) -> None:
        self.store.note(self.block, self.result, self.error)
        self.writer.submitted(self.error)


class SQLiteAppends(QuickLogs):
    """The part of a SQLite store that writes blocks."""

    _lanes: Lanes
    _log: LogTable
    _reads: Reads
    _tails: Tails
    _waits: Waits

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        """Append ``block`` in one step, all or nothing, and return the last seq."""
        append = BlockItem(self._log, run_id, block, after, fence)
        append.is_joint = append.is_simple and not self._tails.is_trimmed(run_id)
        try:
            first_seq = await self._lanes.writer.finish(append)
        except BaseException as exc:
            # Also if this call is cancelled: the block is in the log anyway.
            self.note(block, None, exc)
            raise
        self.note(block, first_seq, None)
        return block.last

    def quick_log(self, _run_id: str, /) -> Self:
        """Return what appends to the log of a run."""
        return self

    def append_nowait(
        self, block: Block, /, *, after: int, fence: int, writer: BlockWriter
    ) -> bool:
        """Do what `append` does, and tell ``writer``, unless the store is closed."""
        append = _Submission(self._log, block.run_id, block, after, fence)
        append.store, append.writer = self, writer
        append.is_joint = append.is_simple and not self._tails.is_trimmed(block.run_id)
        try:
            self._lanes.writer.put(append)
        except StoreError:
            return False
        return True

    def note(self, block: Block, first_seq: int | None, error: BaseException | None) -> None:
        """Show a block to the readers of this process; after an error it can be in the log too."""
        run_id = block.run_id
        self._reads.forget_all()
        if error is None and first_seq is not None:
            self._tails.add(run_id, block, first_seq)
        self._waits.logs.wake(run_id, block.last)
        if block.end is not None:
            self._waits.inboxes.wake(run_id)
            self._waits.takers.look_for_all()  # a slot is free again
