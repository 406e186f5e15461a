"""The event loop that a store serves, and how many of its users have it open."""

import asyncio
from collections.abc import Awaitable, Callable

from yieldwire.errors import StoreError, UsageError


class Openings:
    """Counts opens and closes of one store.

    ``release`` releases everything that the store holds in the loop that it serves.
    """

    def __init__(self, release: Callable[[], Awaitable[None]]) -> None:
        self._release = release
        self._loop: asyncio.AbstractEventLoop | None = None
        self._count = 0
        self._is_closed = False

    async def open(self) -> bool:
        """Serve the running loop, and return whether it is another one than before.

        Raises:
            UsageError: If the loop that it served before is still running.
        """
        loop, former = asyncio.get_running_loop(), self._loop
        is_other = former is not None and former is not loop
        if former is not None and is_other:
            if former.is_running():
                raise UsageError("The store is open in another event loop, which is running.")
            self._count = 0
            await self.release()
        self._loop, self._is_closed = loop, False
        self._count += 1
        return is_other

    def leave(self) -> bool:
        """Undo one `open`, and return whether that was the last."""
        was_opened, self._count = self._count, max(0, self._count - 1)
        self._is_closed = self._is_closed or was_opened == 1
        return not self._count

    def begin(self) -> None:
        """Serve the running loop: a store that was never opened opens itself.

        Raises:
            StoreError: If the store is closed.
        """
        if self._is_closed:
            raise StoreError("The store is closed.")
        self._loop = asyncio.get_running_loop()

    async def release(self) -> None:
        """Release what the store holds, and serve no loop."""
        try:
            await self._release()
        finally:
            self._loop = None
