"""Logs that can be appended to without a task that waits.

A store can have them in addition to its `append`. With a thousand slow streams, the coroutine of
an append, or a task that waits for one, is a large part of what an event costs.
"""

import asyncio
from functools import cache
from typing import Protocol

from yieldwire.errors import YieldwireError
from yieldwire.log.events import Block


class BlockWriter(Protocol):
    """Learns what became of a block."""

    def submitted(self, error: YieldwireError | None, /) -> object:
        """Continue, as the block is in the log, or could not be written because of ``error``."""
        ...


class QuickLog(Protocol):
    """The log of a run, for the attempt that writes it."""

    def append_nowait(self, block: Block, fence: int, writer: BlockWriter, /) -> bool | None:
        """Do what `Store.append` does with the block, which follows the one before it.

        ``True`` means that the block is in the log, ``None`` that `BlockWriter.submitted` will
        report it, but not within this call, and ``False`` that nothing was done, and that
        `Store.append` must be used.
        """
        ...


class QuickLogs:
    """A store that has such logs. Each of them does what the `append` of the same class does."""

    def quick_log(self, run_id: str, /) -> QuickLog | None:
        """Return the log of a run; ``None`` if it is not there."""
        raise NotImplementedError  # each such store has its own


def quick_log_of(store: object, run_id: str) -> QuickLog | None:
    """Return the log of a run, if ``store`` has such logs.

    A class with its own `append`, for example to watch it, has them only if it says so.
    """
    if isinstance(store, QuickLogs) and _is_current(type(store)):  # type: ignore[arg-type] # mypy takes `__hash__` from the instances
        return store.quick_log(run_id)
    return None


@cache
def _is_current(kind: type[object]) -> bool:
    return "quick_log" in vars(next(each for each in kind.__mro__ if "append" in vars(each)))


def report_unheard(exc: Exception) -> None:
    """Report that an outcome could not be reported because of an error."""
    message = "The outcome of a write could not be reported."
    asyncio.get_running_loop().call_exception_handler({"message": message, "exception": exc})
