"""Appends of this process, each awaited or reported by a call."""

import asyncio
from functools import partial
from typing import Final, Self

from yieldwire.errors import StoreError, YieldwireError
from yieldwire.log.events import Block
from yieldwire.stores.postgres import log
from yieldwire.stores.postgres.connections import Connections
from yieldwire.stores.postgres.listening import NewsListener
from yieldwire.stores.postgres.log import BlockAppend
from yieldwire.stores.quicklog import BlockWriter, QuickLogs
from yieldwire.stores.reads import Reads
from yieldwire.stores.tails import Tails
from yieldwire.stores.waits import Waits
from yieldwire.stores.work import Batches, settled

QUEUES: Final = "+"
"""The place in the news for what concerns every queue."""


class PostgresAppends(QuickLogs):
    """The part of a PostgreSQL store that writes blocks."""

    _appends: Batches[BlockAppend, int | None]
    _connections: Connections
    _listening: NewsListener
    _reads: Reads
    _tails: Tails
    _waits: Waits

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        """Append ``block`` in one step, all or nothing, and return the last seq."""
        try:
            first_seq = await self._append(BlockAppend(run_id, block, after, fence))
        except BaseException:
            self._note(block, None)  # also if this is cancelled: it is in the log anyway
            raise
        self._note(block, first_seq)
        return block.last

    async def _append(self, append: BlockAppend) -> int:
        """Append a block, and return the first seq of its log."""
        if append.is_simple and append.run_id not in self._tails.trimmed:
            put = self._appends.ask(append)
            try:
                first_seq = await settled(put)
            except asyncio.CancelledError:
                if put.done() and put.exception() is None and put.result() is None:
                    await settled(self._append_alone(append))
                raise
            if first_seq is not None:
                return first_seq
        return await settled(self._append_alone(append))

    def _append_alone(self, append: BlockAppend) -> "asyncio.Future[int]":
        step = self._connections.transaction(partial(log.append, given=append))
        return self._connections.own(step)

    def quick_log(self, _run_id: str, /) -> Self:
        """Return what appends to the log of a run."""
        return self

    def append_nowait(self, block: Block, fence: int, writer: BlockWriter, /) -> bool | None:
        """Do what `append` does, and tell ``writer``, unless that takes more than one step."""
        append = BlockAppend(block.run_id, block, block.first - 1, fence)
        if not append.is_simple or append.run_id in self._tails.trimmed:
            return False
        self._tell(self._appends.ask(append), append, writer)
        return None

    def _tell(
        self,
        put: "asyncio.Future[int | None] | asyncio.Future[int]",
        append: BlockAppend,
        writer: BlockWriter,
    ) -> None:
        """Report what becomes of a block; one that others cannot be appended with is put alone."""

        def tell(done: "asyncio.Future[int | None] | asyncio.Future[int]") -> None:
            first_seq, error = _outcome_of(done)
            if error is None and first_seq is None:
                self._tell(self._append_alone(append), append, writer)
                return
            try:
                self._note(append.block, first_seq)
            finally:
                writer.submitted(error)

        put.add_done_callback(tell)

    def _note(self, block: Block, first_seq: int | None) -> None:
        """Show a block to the readers of this process, and tell others about it.

        ``first_seq`` is that of its log; ``None``: the append failed, and it can be there.
        """
        run_id = block.run_id
        self._reads.forget_all()
        if first_seq is None:
            self._tails.forget(run_id)
        else:
            self._tails.add(run_id, block, first_seq)
        self._listening.tell(run_id, None if block.end else block.last)
        self._waits.logs.wake(run_id, block.last)
        if block.end is not None:
            self._waits.inboxes.wake(run_id)
            self._wake_takers()  # a slot is free again

    def _wake_takers(self) -> None:
        self._waits.takers.look_for_all()
        self._listening.tell(QUEUES)


def _outcome_of(
    put: "asyncio.Future[int | None] | asyncio.Future[int]",
) -> tuple[int | None, YieldwireError | None]:
    """Return the first seq of a log after an append, or the error."""
    if put.cancelled():
        return None, StoreError("The store was closed.")
    failure = put.exception()
    if failure is None:
        return put.result(), None
    if isinstance(failure, YieldwireError):
        return None, failure
    error = StoreError(f"The store failed with {type(failure).__name__}.")
    error.__cause__ = failure
    return None, error
