"""Who waits for which run's next block."""

import asyncio
from collections.abc import Generator
from contextlib import contextmanager


class Waiters:
    """Futures by run, each with the seq behind which its reader waits."""

    def __init__(self) -> None:
        self._waiters: dict[str, dict[asyncio.Future[None], int]] = {}

    def __bool__(self) -> bool:
        return bool(self._waiters)

    @contextmanager
    def waiter(
        self, run_id: str, after: int, timeout: float
    ) -> Generator[asyncio.Future[None], None, None]:
        """Give a future that the next block behind ``after`` resolves, or the time."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        waiters = self._waiters.setdefault(run_id, {})
        waiters[waiter] = after
        timer = loop.call_later(timeout, _resolve, waiter)
        try:
            yield waiter
        finally:
            timer.cancel()
            del waiters[waiter]
            if not waiters and self._waiters.get(run_id) is waiters:
                del self._waiters[run_id]

    def wake(self, run_id: str, last: int | None = None) -> None:
        """Wake whoever waits for something that ``last`` is not before; without it, everybody."""
        for waiter, after in self._waiters.get(run_id, {}).items():
            if last is None or last > after:
                _resolve(waiter)

    def wake_all(self) -> None:
        """Wake everybody."""
        for run_id in self._waiters:
            self.wake(run_id)


def _resolve(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
