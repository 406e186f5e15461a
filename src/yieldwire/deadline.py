"""A time limit that costs nothing if there is nothing to wait for."""

import asyncio
from collections.abc import Awaitable, Generator
from typing import Any, TypeVar

T = TypeVar("T")


class Unfinished(Exception, Awaitable[Any]):
    """Something waits. Await this to continue it, or close it to abandon it."""

    def __init__(self, steps: Generator[Any, Any, Any], waited: object) -> None:
        super().__init__()
        self._steps, self._waited = steps, waited

    def __await__(self) -> Generator[Any, Any, Any]:
        return _go_on(self._steps, self._waited)

    def close(self) -> None:
        """Abandon it: nobody can continue it afterwards."""
        close = getattr(self._steps, "close", None)
        if close is not None:
            close()


def at_once(awaitable: Awaitable[T]) -> T:
    """Return the result of ``awaitable``, if it does not have to wait.

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
    """Return the result of ``awaitable``. If it does not have to wait, no timer is used.

    Raises:
        TimeoutError: If it waits for longer than ``seconds``.
    """
    try:
        return at_once(awaitable)
    except Unfinished as waiting:
        rest: Awaitable[T] = waiting
    async with asyncio.timeout(seconds):
        return await rest


def _go_on(steps: Generator[Any, Any, T], waited: object) -> Generator[Any, Any, T]:
    """Continue something that already waits, as if it had been awaited directly."""
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
                result: T = stop.value
                return result
        else:
            return (yield from steps)
