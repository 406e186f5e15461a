"""The log as an attempt writes it, with hooks that are told about each block."""

from typing import Protocol

from yieldwire.hooks import Watch
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord


class Log(Protocol):
    """The part of a store that a writer needs."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        """Add ``block`` in one step, and return the last seq, as `Store.append`."""
        ...


class _WatchedLog:
    def __init__(self, log: Log, run: RunRecord, watch: Watch) -> None:
        self._log, self._run, self._watch = log, run, watch

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        last = await self._log.append(run_id, block, after=after, fence=fence)
        self._watch.block_appended(self._run, block)
        return last


def watched(log: Log, run: RunRecord, watch: Watch) -> Log:
    """Return ``log``, with hooks around its appends only if there are some."""
    return _WatchedLog(log, run, watch) if watch.has_blocks else log
