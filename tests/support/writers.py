"""A writer of a log that only keeps what it is told."""

import asyncio

from yieldwire.errors import YieldwireError


class Told:
    """Keeps the outcome of its block."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[YieldwireError | None] = (
            asyncio.get_running_loop().create_future()
        )

    def submitted(self, error: YieldwireError | None, /) -> None:
        """Take the outcome."""
        self.answer.set_result(error)
