"""A time limit that costs nothing if there is nothing to wait for."""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Unfinished:
    """Something that waits. Await this to continue it."""

    def __init__(self, steps: Generator[Any, Any, Any], waited: object) -> None:
        self._steps, self._waited = steps, waited

    def __await__(self) -> Generator[Any, Any, Any]:
        """Continue it, as if it had been awaited directly."""
        steps, waited = self._steps, self._waited
        while True:
            try:
                yield waited
            except BaseException as exc:
                throw = getattr(steps, "throw", None)
                if throw is None:  # a server's own awaitable is an iterator, and can lack `throw`
                    raise
                try:
                    waited = throw(exc)
                except StopIteration as stop:
                    return stop.value
            else:
                return (yield from steps)

    async def within(self, seconds: float) -> Any:  # noqa: ANN401 - any result
        """Return its result.

        Raises:
            TimeoutError: If it waits for longer than ``seconds``.
        """
        async with asyncio.timeout(seconds):
            return await self

    def close(self) -> None:
        """End it where it waits."""
        close = getattr(self._steps, "close", None)  # as above, it can lack that
        if close is not None:
            close()


def rest_of(sending: Awaitable[None]) -> Unfinished | None:
    """Do what ``sending`` can do without a wait, and return the rest; ``None`` if that is all."""
    steps = sending.__await__()
    for waited in steps:  # at its end this makes no `StopIteration`, unlike `next`
        return Unfinished(steps, waited)
    return None


def at_once(awaitable: Awaitable[T]) -> T | Unfinished:
    """Return the result of ``awaitable``, or the rest of it if it has to wait."""
    steps = awaitable.__await__()
    try:
        waited = next(steps)
    except StopIteration as stop:
        value: T = stop.value
        return value
    return Unfinished(steps, waited)
