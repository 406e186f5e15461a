"""The readers of one run in the process that executes it: they wait here, and here they are served.

Theory of operation. A block is written to the store first. Then the writer publishes it here, and
each waiting reader gets the block itself, in the order of the log. It sends it at once if it can;
else its own task wakes up and does. A reader that does not wait at that moment reads from the
store, like one in any other process, and so do all when the attempt is over. So no reader can
miss a block, and none waits in two places.
"""

import asyncio
import sys
from typing import Final, Protocol

from yieldwire.executors.backpressure import Backpressure
from yieldwire.log.events import Block

AT_ONCE: Final = 64
"""How many readers are served before others get a turn."""


class Listener(Protocol):
    """Where a reader waits."""

    def deliver(self, block: Block, /) -> bool:
        """Take the block that was appended, and return whether it is sent. Must not raise."""
        ...

    def wake(self) -> None:
        """End the wait: the log continues without this audience, or has ended."""
        ...


class Audience(Backpressure):
    """The readers of one run in this process. The run is paused while it is far ahead of all."""

    __slots__ = ("__weakref__", "_only", "_waiting", "is_live", "seq")

    def __init__(self) -> None:
        super().__init__(sys.maxsize)
        self.seq: int = 0
        """The last seq that was published."""
        self.is_live: bool = False
        """Whether an attempt in this process publishes what it writes."""
        self._only: Listener | None = None
        """The one that waits, if only one does: nearly every run has one reader."""
        self._waiting: dict[Listener, None] | None = None
        """Those that wait, if several do."""

    def begin(self, seq: int, ahead_bytes: int) -> None:
        """Begin an attempt, which continues the log after ``seq``."""
        self.seq, self.is_live = seq, True
        self.limit(ahead_bytes)

    def end(self) -> None:
        """End the attempt: those who wait look into the store. Calling it again has no effect."""
        if not self.is_live:
            return
        self.is_live = False
        self.close()
        if self._only is not None:
            self._only.wake()
        for reader in list(self._waiting or ()):
            reader.wake()

    def wait(self, reader: Listener) -> None:
        """Serve ``reader``, which has everything up to ``seq``, until it stops waiting."""
        if self._waiting is not None:
            self._waiting[reader] = None
        elif self._only is None:
            self._only = reader
        elif reader is not self._only:
            self._waiting, self._only = {self._only: None, reader: None}, None

    def stop_waiting(self, reader: Listener) -> None:
        """Serve ``reader`` no longer."""
        if reader is self._only:
            self._only = None
        elif self._waiting is not None:
            self._waiting.pop(reader, None)
            if len(self._waiting) == 1:
                (self._only,), self._waiting = self._waiting, None

    def publish(self, block: Block) -> bool:
        """Serve a block that was appended, and return whether the run must wait for a reader."""
        self.seq = last = block.last
        only = self._only
        if only is not None:
            if only.deliver(block) and last > self.furthest:
                if not self._ahead:
                    self.furthest = last  # the same as `reached` and `wrote`, without the calls
                    return False
                self.reached(last)
        elif self._waiting:
            self._serve(block, list(self._waiting), 0)
        return self.wrote(last, len(block.body))

    def _serve(self, block: Block, readers: list[Listener], first: int) -> None:
        after = first + AT_ONCE
        if len(readers) > after:
            # That many take a while, so others get a turn in between.
            asyncio.get_running_loop().call_soon(self._serve, block, readers, after)
        are_sent = [reader.deliver(block) for reader in readers[first:after]]
        if any(are_sent) and block.last > self.furthest:
            self.reached(block.last)
