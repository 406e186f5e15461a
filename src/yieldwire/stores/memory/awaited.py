"""What several can wait for at once."""

import asyncio
from dataclasses import dataclass, field


@dataclass(slots=True)
class Awaited:
    """Something that changes, and those who wait until it does."""

    change: asyncio.Future[None] | None = field(default=None, init=False)
    """Done at the next change; ``None``: nobody has asked for it."""

    async def wait(self, seconds: float) -> None:
        """Wait for the next change, at most ``seconds``."""
        loop = asyncio.get_running_loop()
        self.forget_waiters(loop)
        if self.change is None:
            self.change = loop.create_future()
        await asyncio.wait([self.change], timeout=seconds)

    def wake(self) -> None:
        """Wake all who wait."""
        if self.change is not None:
            self.change.set_result(None)
            self.change = None

    def forget_waiters(self, loop: asyncio.AbstractEventLoop) -> None:
        """Drop all waits but those in ``loop``: nobody is left in another loop to wake."""
        if self.change is not None and self.change.get_loop() is not loop:
            self.change = None
