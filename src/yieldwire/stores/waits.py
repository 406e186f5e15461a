"""Everybody in this process who waits for something in a store that processes share."""

from collections.abc import Awaitable, Callable
from typing import Final

from yieldwire.stores.waiters import AskHeads, Waiters


class Waits:
    """The readers of logs and of inboxes, by run, and the takers of runs, by demand.

    The first three say what there is, of those who are waited for. ``begin`` is awaited before each
    wait. ``watch`` is called with this object when the first wait of a kind begins and the last one
    ends: writes of other processes need to be noticed only while somebody waits. ``has_all`` says
    whether a log is known to end with a seq, so that no look is needed: a later write causes one.
    """

    def __init__(
        self,
        logs: AskHeads,
        inboxes: AskHeads,
        takers: AskHeads,
        *,
        begin: Callable[[], Awaitable[object]],
        watch: Callable[["Waits"], object],
        has_all: Callable[[str, int], bool] = lambda _run_id, _last: False,
    ) -> None:
        self.logs: Final = Waiters(logs)
        self.inboxes: Final = Waiters(inboxes)
        self.takers: Final = Waiters(takers)
        self._all: Final = (self.logs, self.inboxes, self.takers)
        self._begin, self._watch, self._has_all = begin, watch, has_all

    def __bool__(self) -> bool:
        return any(self._all)

    @property
    def is_patient(self) -> bool:
        """Whether all who wait can do so for hours: those who wait for answers and messages."""
        return not self.logs and not self.takers

    async def wait(self, waiters: Waiters, key: str, after: int, timeout: float) -> None:
        """Wait until there is something after ``after``, or the timeout."""
        await self._begin()
        is_first = not waiters
        try:
            # The store is asked once the waiter is there, so no write can fall between.
            with waiters.waiter(key, after, timeout) as waiter:
                if is_first:
                    self._watch(self)
                if waiters is not self.logs or not self._has_all(key, after):
                    waiters.look([key])
                await waiter
        finally:
            if not waiters:
                self._watch(self)

    def wake(self, run_id: str) -> None:
        """Wake all who wait for something of a run, as it can have ended or be gone."""
        self.logs.wake(run_id)
        self.inboxes.wake(run_id)

    def look_for_all(self) -> None:
        """Look up everything that somebody waits for."""
        for waiters in self._all:
            waiters.look_for_all()

    def forget_all(self) -> None:
        """Drop all waits, as their event loop is gone."""
        for waiters in self._all:
            waiters.forget_all()

    def wake_all(self) -> None:
        """Wake all who wait."""
        for waiters in self._all:
            waiters.wake_all()
