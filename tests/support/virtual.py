"""An event loop whose time passes only while nobody has anything to do.

Waiting for an hour takes no time, and what is ready at the same moment runs in an order that
a seed draws. Whatever a program does in it, it does again with the same seed.
"""

import asyncio
from collections.abc import Coroutine
from random import Random
from selectors import BaseSelector, SelectSelector
from typing import Any, Final, TypeVar, cast

from yieldwire.testing.clock import MovingClock

T = TypeVar("T")

FOREVER: Final = 20_000.0
"""Virtual seconds after which a program that waits is taken for one that hangs."""


class _Leap(SelectSelector):
    """Waits for nothing: the loop's clock leaps to when something is due."""

    def __init__(self, clock: MovingClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise TimeoutError("everybody waits, and nothing is due")
        if timeout > 0:
            self._clock.advance(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own; without a seed, things run in the order of asking."""

    def __init__(self, seed: int | None = None) -> None:
        self.clock: Final = MovingClock()
        self._random = None if seed is None else Random(seed)  # noqa: S311 - repeatable
        super().__init__(cast("BaseSelector", _Leap(self.clock)))

    def time(self) -> float:
        return self.clock.monotonic()

    def _run_once(self) -> None:
        loop = cast("Any", self)
        if self._random is not None:
            self._random.shuffle(loop._ready)  # noqa: SLF001
        cast("Any", super())._run_once()  # noqa: SLF001


def run_virtually(program: Coroutine[Any, Any, T], *, seed: int | None = None) -> T:
    """Run ``program`` to its end in a loop of its own.

    Raises:
        TimeoutError: If it hangs.
    """
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(seed)) as runner:
        return runner.run(_bounded(program))


async def _bounded(program: Coroutine[Any, Any, T]) -> T:
    async with asyncio.timeout(FOREVER):
        return await program
