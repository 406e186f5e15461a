"""Waiting readers by run, and the look-ups in the store that serve all of them.

A new wait causes one look-up, because something can have been appended between
reading and waiting; a write of another process causes one for all who wait. One look-up
serves every run that was requested during the previous one, so its cost does not depend on
the number of readers.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import TypeAlias

from yieldwire.errors import StoreError

Heads: TypeAlias = Mapping[str, int]
"""The last seq of each unfinished run; runs that have ended, or are gone, are not in it."""
AskHeads: TypeAlias = Callable[[set[str]], "asyncio.Future[Heads]"]


class Waiters:
    """Futures by run, each with the seq after which its reader waits.

    ``ask`` asks the store for the heads of runs.
    """

    def __init__(self, ask: AskHeads) -> None:
        self._ask = ask
        self._waiters: dict[str, dict[asyncio.Future[None], int]] = {}
        self._unseen: set[str] = set()
        self._is_looking = False

    def __bool__(self) -> bool:
        return bool(self._waiters)

    def __contains__(self, run_id: str) -> bool:
        return run_id in self._waiters

    @contextmanager
    def waiter(
        self, run_id: str, after: int, timeout: float
    ) -> Generator[asyncio.Future[None], None, None]:
        """Return a future that the next block after ``after`` resolves, or the timeout."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        waiters = self._waiters.setdefault(run_id, {})
        waiters[future] = after
        timer = loop.call_later(timeout, _resolve, future)
        try:
            yield future
        finally:
            timer.cancel()
            waiters.pop(future, None)
            if not waiters and self._waiters.get(run_id) is waiters:
                del self._waiters[run_id]

    def look(self, run_ids: Iterable[str]) -> None:
        """Look up these runs, and wake the readers for whom there is something new."""
        self._unseen.update(run_ids)
        if self._is_looking or not self._unseen:
            return
        asked, self._unseen = self._unseen, set()
        try:
            heads = self._ask(asked)
        except StoreError:
            self._wake_each(asked)  # the readers get the error when they read
            return
        self._is_looking = True
        heads.add_done_callback(lambda _: self._see(asked, heads))

    def look_for_all(self) -> None:
        """Look up every run for which somebody waits."""
        if self._waiters:
            self.look(self._waiters)

    def _see(self, asked: set[str], looked: "asyncio.Future[Heads]") -> None:
        self._is_looking = False
        if looked.cancelled() or looked.exception() is not None:
            self._wake_each(asked)
        else:
            heads = looked.result()
            for run_id in asked:
                self.wake(run_id, heads.get(run_id))
        self.look(())

    def _wake_each(self, run_ids: Iterable[str]) -> None:
        for run_id in run_ids:
            self.wake(run_id)

    def wake(self, run_id: str, last: int | None = None) -> None:
        """Wake the readers that wait for a seq up to ``last``; without it, all of them."""
        if not (waiters := self._waiters.get(run_id)):
            return  # as for nearly every event
        for future, after in waiters.items():
            if last is None or last > after:
                _resolve(future)

    def forget_all(self) -> None:
        """Drop all waits, as their event loop is gone."""
        self._waiters.clear()
        self._unseen.clear()
        self._is_looking = False

    def wake_all(self) -> None:
        """Wake all readers."""
        self._wake_each(self._waiters)


def _resolve(waiter: asyncio.Future[None]) -> None:
    """End a wait, unless it is over."""
    if not waiter.done():
        waiter.set_result(None)
