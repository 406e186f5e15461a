"""A reader's place in the log, and where the blocks after it go while the reader waits.

Each event of each reader passes through here. A thousand streams do not fit into the processor's
caches, so what an event costs is mostly the memory that it touches: everything that the delivery
of a block needs of its reader is in this one small object.
"""

import asyncio
from collections.abc import Sequence

from yieldwire.log.events import Block


class Outlet:
    """Takes blocks while its reader waits, in the task that appended them."""

    __slots__ = ("at", "seq", "waiter")

    def __init__(self) -> None:
        self.seq: int = 0
        """The last seq that the reader has."""
        self.at: float = 0.0
        """When that event was written; 0 before the reader's first."""
        self.waiter: asyncio.Future[Sequence[Block]] | None = None
        """The reader's wait; ``None`` if it does not wait."""

    def deliver(self, block: Block) -> bool:
        """Send a block that was appended, or end the wait with it; return whether it was sent."""
        if self.waiter is None or block.first != self.seq + 1:
            if block.last > self.seq:
                self.wake()
            return False
        if block.end is None:
            self.seq, self.at = block.last, block.at
            try:
                if self.send(block):
                    return True
            except BaseException as exc:  # noqa: BLE001 - the reader raises it, and no append
                self._end_wait(exc)
                return False
        self._end_wait((block,))
        return False

    def send(self, block: Block) -> bool:
        """Send a block at once, and return whether that was possible; if not, the reader gets it.

        A block counts as sent if this raises an exception, which the reader then raises.
        """
        return False

    def wake(self) -> None:
        """End the wait with nothing."""
        self._end_wait(())

    def _end_wait(self, outcome: Sequence[Block] | BaseException) -> None:
        waiter, self.waiter = self.waiter, None
        if waiter is None or waiter.done():
            return
        if isinstance(outcome, BaseException):
            waiter.set_exception(outcome)
        else:
            waiter.set_result(outcome)
