"""What loops in an action report with `track`, from its event loop or from any thread."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import suppress

from yieldwire.actions.running import Thread
from yieldwire.errors import Fenced, InvalidOutput, LimitExceeded, UsageError
from yieldwire.executors.pending import Pending
from yieldwire.log.chunks import Progress


class LoopReporter(Pending, ABC):
    """The part of the writer that knows in which thread it is called.

    It is a base class and not an object of its own, as most runs use none of it, and each object
    costs.
    """

    __slots__ = ("bridge", "tracked")

    bridge: Thread | None
    """The thread of blocking code, if that is what emits the chunks."""
    tracked: object | None
    """The loop whose progress is reported; see `yieldwire.actions.track`."""

    @abstractmethod
    def put(self, chunk: object, /) -> None:
        """Take a chunk, in the attempt's loop."""

    @abstractmethod
    def put_encoded(self, data: bytes) -> None:
        """Take a chunk's JSON, in the attempt's loop."""

    @abstractmethod
    def _kick(self) -> None:
        """Write what is pending, as nothing detects the waits of other code."""

    @property
    def is_in_loop(self) -> bool:
        """Whether this is called in the attempt's loop: blocking code can have one of its own."""
        return asyncio._get_running_loop() is self.loop  # noqa: SLF001

    def thread(self, name: str) -> Thread:
        """Return the thread of a blocking action, in which ``ctx.blocking.name`` is called.

        Raises:
            UsageError: If it is called elsewhere.
        """
        if self.is_in_loop:
            raise UsageError(f"This would block the event loop: write ctx.{name}(…).")
        if self.bridge is None:
            raise UsageError(
                f"ctx.blocking.{name}() belongs in the action itself, not in another thread."
            )
        return self.bridge

    def report(self, progress: Progress, /) -> None:
        """Put the progress of a loop, in any thread.

        Raises:
            InvalidOutput: If the action's chunks do not include `Progress`.
            LimitExceeded: If the log has no space for it, and this is the attempt's loop.
        """
        try:
            if self.is_in_loop:
                with suppress(Fenced):  # the run has ended before this loop
                    self.put(progress)
            elif self.bridge is not None:
                self.bridge.put(progress)
            else:
                data = self.encode(progress)
                with suppress(RuntimeError):  # the event loop has been closed
                    self.loop.call_soon_threadsafe(self._put_late, data)
        except InvalidOutput as exc:
            raise InvalidOutput(
                f"{self._run.action}: track() reports Progress, which its type of chunks does not "
                "include. Declare it, as in AsyncIterator[Text | Progress]."
            ) from exc

    def _put_late(self, data: bytes) -> None:
        with suppress(LimitExceeded, Fenced):  # the run ends, or has ended
            self.put_encoded(data)
        self._kick()

    def untrack(self) -> None:
        """End the loop that reports."""
        self.tracked = None
