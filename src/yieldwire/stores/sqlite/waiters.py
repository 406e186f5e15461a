"""Who waits for which run's next block, and the looking on behalf of all of them.

Whoever begins to wait has the file looked into once, because something may have come between
his reading and his waiting; and so has everybody when another process has written. One look
answers for every run that was asked about while the last one went on, so that it costs the same
whether a run has one reader or a thousand.
"""

import asyncio
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from yieldwire.errors import StoreError
from yieldwire.log.events import Block
from yieldwire.stores import Deliver, offer, resolve

Heads: TypeAlias = Mapping[str, int]
"""The last seq of each run that goes on; those that have ended, or are gone, are not in it."""
Ask: TypeAlias = Callable[[set[str]], "asyncio.Future[Heads]"]


@dataclass(slots=True)
class _Waiter:
    after: int
    deliver: Deliver | None


class Waiters:
    """Futures by run, each with the seq behind which its reader waits.

    ``ask`` reads the heads of runs from the file.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._waiters: dict[str, dict[asyncio.Future[bool], _Waiter]] = {}
        self._unseen: set[str] = set()
        self._is_looking = False

    def __bool__(self) -> bool:
        return bool(self._waiters)

    @contextmanager
    def waiter(
        self, run_id: str, after: int, timeout: float, deliver: Deliver | None = None
    ) -> Generator[asyncio.Future[bool], None, None]:
        """Give a future that the next block behind ``after`` resolves, or the time."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        waiters = self._waiters.setdefault(run_id, {})
        waiters[future] = _Waiter(after, deliver)
        timer = loop.call_later(timeout, partial(resolve, future, is_news=False))
        try:
            yield future
        finally:
            timer.cancel()
            waiters.pop(future, None)
            if not waiters and self._waiters.get(run_id) is waiters:
                del self._waiters[run_id]

    def look(self, run_ids: Iterable[str]) -> None:
        """Have the file looked into for these runs, and wake those for whom there is news."""
        self._unseen.update(run_ids)
        if self._is_looking or not self._unseen:
            return
        asked, self._unseen = self._unseen, set()
        try:
            heads = self._ask(asked)
        except StoreError:
            self._wake_each(asked)  # whoever reads now is told
            return
        self._is_looking = True
        heads.add_done_callback(lambda _: self._see(asked, heads))

    def look_for_all(self) -> None:
        """Have the file looked into for every run that somebody waits for."""
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

    def wake(self, run_id: str, last: int | None = None, block: Block | None = None) -> None:
        """Wake whoever waits for something that ``last`` is not before; without it, everybody.

        Where ``block`` is what was appended, whoever takes it waits on.
        """
        for future, waiter in list(self._waiters.get(run_id, {}).items()):
            if last is None:
                resolve(future, is_news=True)
            elif last > waiter.after and not future.done():
                if block is None:
                    resolve(future, is_news=True)
                elif offer(block, waiter.deliver, future):
                    waiter.after = last

    def forget_all(self) -> None:
        """Forget everybody, as the event loop in which they waited has gone."""
        self._waiters.clear()
        self._unseen.clear()
        self._is_looking = False

    def wake_all(self) -> None:
        """Wake everybody."""
        self._wake_each(self._waiters)
