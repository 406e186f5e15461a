"""Appends of this process, each awaited or reported by a call."""

import math
from typing import Self

from yieldwire.errors import AppendConflict, Fenced, StoreError, YieldwireError
from yieldwire.log import transitions
from yieldwire.log.delivery import is_told
from yieldwire.log.events import Block
from yieldwire.stores.quicklog import BlockWriter, QuickLogs
from yieldwire.stores.reads import Reads
from yieldwire.stores.redis.link import QueuedCommands
from yieldwire.stores.redis.links import RedisLinks
from yieldwire.stores.redis.log import LogKeys, first_seq_in
from yieldwire.stores.redis.records import Kept
from yieldwire.stores.redis.runs import Decision, RunKeys
from yieldwire.stores.redis.scripts import RedisCommand
from yieldwire.stores.redis.waits import RedisWaits
from yieldwire.stores.tails import Tails


class RedisAppends(QuickLogs):
    """The part of a Redis store that writes blocks."""

    _links: RedisLinks
    _logs: LogKeys
    _reads: Reads
    _runs: RunKeys
    _tails: Tails
    _waits: RedisWaits

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        """Append ``block`` in one step, all or nothing, and return the last seq."""
        self._waits.own[run_id] = block.last
        try:
            first_seq = await self._logs.append(run_id, block, after, fence)
            if first_seq is None:
                first_seq = await self._links.whole(self._decide(run_id, block, after, fence))
        except BaseException:
            self._note(block, None)  # also if this is cancelled: it is in the log anyway
            raise
        self._note(block, first_seq)
        return block.last

    async def _decide(self, run_id: str, block: Block, after: int, fence: int) -> int:
        """Append a block that ends the run, asks something, or cannot be appended as it is."""

        def decide(kept: Kept) -> Decision:
            transitions.check_right(kept.record, fence)
            return transitions.append(kept.record, block, after, kept.now), block

        try:
            run = await self._runs.step(run_id, decide)
        except (Fenced, AppendConflict):
            run = (await self._runs.kept(run_id)).record
            if run.fence != fence or run.seq == after or not await self._logs.has(run_id, block):
                raise
        return run.first_seq

    def quick_log(self, _run_id: str, /) -> Self:
        """Return what appends to the log of a run."""
        return self

    def append_nowait(self, block: Block, fence: int, writer: BlockWriter, /) -> bool | None:
        """Do what `append` does, and tell ``writer``, unless that takes more than one step."""
        if block.end is not None or is_told(block):
            return False
        try:
            command = self._logs.command_of(block, block.first - 1, fence)
            self._links.writer.put(_Submission(self, command, block, fence, writer))
        except StoreError:
            return False
        self._waits.own[block.run_id] = block.last
        return None

    def note_outcome(self, submission: "_Submission", error: StoreError | None) -> None:
        """Report what became of a block that was submitted."""
        block, first_seq = submission.block, None
        if error is None:
            try:
                first_seq = first_seq_in(submission.replies[0], block.run_id)
                if first_seq is None:
                    self._links.tasks.own(self._decide_later(submission))
                    return
            except StoreError as exc:
                error = exc
        self._tell(submission, first_seq, error)

    async def _decide_later(self, submission: "_Submission") -> None:
        """Append a block that cannot be appended as it is."""
        block, fence = submission.block, submission.fence
        first_seq, error = None, None
        try:
            first_seq = await self._decide(block.run_id, block, block.first - 1, fence)
        except YieldwireError as exc:
            error = exc
        except BaseException:
            self._tell(submission, None, StoreError("The store is closed."))
            raise
        self._tell(submission, first_seq, error)

    def _tell(
        self, submission: "_Submission", first_seq: int | None, error: YieldwireError | None
    ) -> None:
        try:
            self._note(submission.block, first_seq)
        finally:
            submission.writer.submitted(error)

    def _note(self, block: Block, first_seq: int | None) -> None:
        """Show a block to the readers of this process, which can be in the log without a seq too.

        ``first_seq`` is that of its log; ``None``: the append failed.
        """
        run_id = block.run_id
        self._waits.own.pop(run_id, None)
        self._reads.forget_all()
        if first_seq is None:
            self._tails.forget(run_id)  # if it was refused, the log can have lost its end
        else:
            self._tails.add(run_id, block, first_seq)
            known = block.last if block.end is None else math.inf
            self._waits.wrote(run_id, known, 0 if block.end is None else math.inf)
        self._waits.logs.wake(run_id, block.last)
        if block.end is not None:
            self._waits.inboxes.wake(run_id)


class _Submission(QueuedCommands):
    """A block whose outcome is reported by a call, so that no task needs to wait for it."""

    __slots__ = ("block", "fence", "store", "writer")

    def __init__(
        self,
        store: RedisAppends,
        command: RedisCommand,
        block: Block,
        fence: int,
        writer: BlockWriter,
    ) -> None:
        super().__init__((command,))
        self.store: RedisAppends = store
        self.block: Block = block
        self.fence: int = fence
        self.writer: BlockWriter = writer

    def tell(self, error: StoreError | None) -> None:
        """Report the outcome."""
        self.store.note_outcome(self, error)
