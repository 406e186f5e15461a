"""An event loop in a thread of its own, for blocking code."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from yieldwire.errors import UsageError

T = TypeVar("T")


class LoopThread:
    """An event loop in a daemon thread with this ``name``."""

    def __init__(self, name: str) -> None:
        ready: Future[asyncio.AbstractEventLoop] = Future()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(
            target=asyncio.run, args=(self._serve(ready),), name=name, daemon=True
        )
        self._thread.start()
        self._loop = ready.result()

    async def _serve(self, ready: "Future[asyncio.AbstractEventLoop]") -> None:
        ready.set_result(asyncio.get_running_loop())
        await self._stop.wait()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, and return its result.

        An exception in this thread meanwhile, such as Ctrl-C, cancels it.

        Raises:
            UsageError: If the loop was closed.
        """
        if self._loop.is_closed():
            coroutine.close()
            raise UsageError("The client is closed.")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C in this thread cancels the work in the other one
            raise

    def iterate(self, items: AsyncGenerator[T, None]) -> Iterator[T]:
        """Yield what an asynchronous generator yields in the loop."""

        async def step() -> T:
            return await anext(items)

        try:
            while True:
                yield self.run(step())
        except StopAsyncIteration:
            return
        finally:
            if not self._loop.is_closed():
                self.run(_closed(items))

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Run a ``last`` coroutine and end the loop. Calling it again has no effect."""
        if self._loop.is_closed():
            last.close()
        else:
            self.run(last)
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()


async def _closed(items: AsyncGenerator[Any, None]) -> None:
    await items.aclose()
