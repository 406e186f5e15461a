import asyncio
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.virtual import run_virtually
from yieldwire.timer import Timer, Timers, round_up, within

SECONDS = st.floats(0.001, 9_000.0)


@given(st.floats(0.001, 1e7), SECONDS)
def test_a_rounded_time_is_never_early_and_little_late(at: float, wait: float) -> None:
    rounded = round_up(at, wait)

    assert at <= rounded <= at + wait / 16 + 1e-6


def test_what_need_not_wait_is_due_at_once() -> None:
    assert round_up(12.34, 0.0) == 12.34
    assert round_up(12.34, -1.0) == 12.34


@given(st.lists(SECONDS, min_size=1, max_size=20))
def test_every_callback_is_made_once_and_in_time(waits: list[float]) -> None:
    rung: list[tuple[float, float]] = []

    async def program() -> float:
        loop, timers = asyncio.get_running_loop(), Timers()
        start = loop.time()

        def note(wait: float) -> None:
            rung.append((wait, loop.time() - start))

        for wait in waits:
            timers.call_later(wait, partial(note, wait))
        await asyncio.sleep(2 * max(waits))
        return start

    run_virtually(program())

    assert sorted(wait for wait, _ in rung) == sorted(waits)
    for wait, after in rung:
        assert wait - 1e-6 <= after <= wait * (1 + 1 / 16) + 1e-6


def test_a_thousand_timers_of_one_length_cost_the_loop_few() -> None:
    async def program() -> int:
        loop, timers, asked = asyncio.get_running_loop(), Timers(), 0
        call_at = loop.call_at

        def counted(*arguments: object, **named: object) -> asyncio.TimerHandle:
            nonlocal asked
            asked += 1
            return call_at(*arguments, **named)  # type: ignore[arg-type]

        loop.call_at = counted  # type: ignore[method-assign]
        for _ in range(1000):
            timers.call_later(15.0, int)
        del loop.call_at
        return asked

    assert run_virtually(program()) == 1


def test_a_cancelled_timer_is_not_heard_of() -> None:
    async def program() -> list[str]:
        timers, rung = Timers(), list[str]()
        timer = timers.call_later(1.0, lambda: rung.append("cancelled"))
        timers.call_later(1.0, lambda: rung.append("kept"))
        timer.cancel()
        timer.cancel()
        await asyncio.sleep(2.0)
        timer.cancel()
        return rung

    assert run_virtually(program()) == ["kept"]


def test_a_callback_may_cancel_the_one_behind_it() -> None:
    async def program() -> list[str]:
        timers, rung = Timers(), list[str]()
        later: list[Timer] = []

        def cancel() -> None:
            later[0].cancel()

        timers.call_later(1.0, cancel)
        later.append(timers.call_later(1.0, lambda: rung.append("second")))
        await asyncio.sleep(2.0)
        return rung

    assert run_virtually(program()) == []


def test_timers_begun_in_another_loop_do_not_wait_for_the_first() -> None:
    timers = Timers()

    async def begin() -> None:
        timers.call_later(1.0, int)

    async def ring() -> bool:
        rung = asyncio.Event()
        timers.call_later(1.0, rung.set)
        await asyncio.sleep(2.0)
        return rung.is_set()

    run_virtually(begin())

    assert run_virtually(ring())


async def test_what_is_there_takes_no_timer() -> None:
    async def there() -> str:
        return "there"

    assert await within(0.0, there()) == "there"


async def test_what_waits_is_waited_for_as_if_nobody_stood_between() -> None:
    async def work() -> str:
        async with asyncio.timeout(60.0):
            await asyncio.sleep(0)
            try:
                async with asyncio.timeout(0.0):
                    await asyncio.sleep(60.0)
            except TimeoutError:
                await asyncio.sleep(0)
            return "there"

    assert await within(60.0, work()) == "there"


class Bare:
    """An awaitable as some servers make theirs: an iterator, with neither `send` nor `throw`."""

    def __init__(self) -> None:
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._has_waited = False

    def __await__(self) -> Any:  # noqa: ANN401 - what the type asks for is what it has not
        return self

    __iter__ = __await__

    def __next__(self) -> object:
        if self._has_waited:
            raise StopIteration("there")
        self._has_waited = True
        return next(self.future.__await__())


async def test_what_is_waited_for_may_be_no_more_than_an_iterator() -> None:
    bare = Bare()

    asyncio.get_running_loop().call_soon(bare.future.set_result, None)

    assert await within(60.0, bare) == "there"


async def test_an_iterator_that_waits_for_too_long_is_cancelled() -> None:
    bare = Bare()

    with pytest.raises(TimeoutError):
        await within(0.0, bare)

    assert bare.future.cancelled()


async def test_what_waits_for_too_long_is_cancelled() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(60.0)
        finally:
            ended.append("cleaned up")

    with pytest.raises(TimeoutError):
        await within(0.0, work())

    assert ended == ["cleaned up"]


async def test_an_error_comes_through() -> None:
    async def at_once() -> None:
        raise LookupError("at once")

    async def later() -> None:
        await asyncio.sleep(0)
        raise LookupError("later")

    with pytest.raises(LookupError, match="at once"):
        await within(60.0, at_once())
    with pytest.raises(LookupError, match="later"):
        await within(60.0, later())
