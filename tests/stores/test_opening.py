"""A store serves one event loop at a time, and is open until its last user closes it."""

import asyncio

import pytest

from yieldwire.errors import StoreError, UsageError
from yieldwire.stores.opening import Openings


class Held:
    """What a store holds: here, how often it was released."""

    def __init__(self) -> None:
        self.released = 0
        self.openings = Openings(self.release)

    async def release(self) -> None:
        self.released += 1


async def test_the_last_of_those_who_opened_it_closes_it() -> None:
    held = Held()
    await held.openings.open()
    await held.openings.open()

    assert [held.openings.leave(), held.openings.leave()] == [False, True]


async def test_a_store_that_is_closed_stays_closed_until_it_is_opened() -> None:
    held = Held()
    await held.openings.open()
    held.openings.leave()

    with pytest.raises(StoreError, match="closed"):
        held.openings.begin()

    await held.openings.open()
    held.openings.begin()


async def test_a_store_that_was_never_opened_opens_itself_also_after_a_close() -> None:
    held = Held()
    held.openings.begin()
    await held.openings.release()

    held.openings.leave()
    held.openings.begin()


def test_in_another_loop_what_the_store_held_in_the_one_before_is_released() -> None:
    held = Held()
    first = asyncio.run(held.openings.open())

    second = asyncio.run(held.openings.open())

    assert (first, second, held.released) == (False, True, 1)
    assert held.openings.leave()


async def test_a_store_does_not_leave_a_loop_that_is_running() -> None:
    held = Held()
    await held.openings.open()

    with pytest.raises(UsageError, match="another event loop, which is running"):
        await asyncio.to_thread(asyncio.run, held.openings.open())
