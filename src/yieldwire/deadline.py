"""A time limit that costs nothing where there is nothing to wait for."""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Unfinished(Exception, Awaitable[Any]):
    """Something waits. Whoever awaits this goes on with it, and whoever closes it gives it up."""

    def __init__(self, steps: Generator[Any, Any, Any], waited: object) -> None:
        super().__init__()
        self._steps, self._waited = steps, waited

    def __await__(self) -> Generator[Any, Any, Any]:
        return _go_on(self._steps, self._waited)

    def close(self) -> None:
        """Let nobody go on with it."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()


def at_once(awaitable: Awaitable[T]) -> T:
    """Return what ``awaitable`` gives, if it need not wait for that.

    Raises:
        Unfinished: If it waits.
    """
    steps = awaitable.__await__()
    try:
        waited = next(steps)
    except StopIteration as stop:
        value: T = stop.value
        return value
    raise Unfinished(steps, waited)


async def within(seconds: float, awaitable: Awaitable[T]) -> T:
    """Return what ``awaitable`` gives. Where it need not wait for that, this takes no timer.

    Raises:
        TimeoutError: If it waits for longer than so many seconds.
    """
    try:
        return at_once(awaitable)
    except Unfinished as waiting:
        rest: Awaitable[T] = waiting
    async with asyncio.timeout(seconds):
        return await rest


def _go_on(steps: Generator[Any, Any, T], waited: object) -> Generator[Any, Any, T]:
    """Go on with what waits already, as if nobody stood between."""
    while True:
        try:
            yield waited
        except BaseException as exc:
            throw = getattr(steps, "throw", None)
            if throw is None:  # a server's own awaitable is an iterator, and need be no more
                raise
            try:
                waited = throw(exc)
            except StopIteration as stop:
                result: T = stop.value
                return result
        else:
            return (yield from steps)
