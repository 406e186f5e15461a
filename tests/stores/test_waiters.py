import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest

from yieldwire.errors import StoreError
from yieldwire.stores.waiters import Heads, Waiters

NEVER = 3600.0


class File:
    """Answers what it is asked when it is told to."""

    def __init__(self) -> None:
        self.asked: list[set[str]] = []
        self.answers: list[asyncio.Future[Heads]] = []
        self.is_closed = False

    def ask(self, run_ids: set[str]) -> asyncio.Future[Heads]:
        if self.is_closed:
            raise StoreError("The store is closed.")
        self.asked.append(set(run_ids))
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


@pytest.fixture
async def file() -> File:
    return File()


@pytest.fixture
async def waiters(file: File) -> Waiters:
    return Waiters(file.ask)


@pytest.fixture
async def stack() -> AsyncIterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def test_an_append_wakes_those_who_have_not_read_it(
    waiters: Waiters, stack: ExitStack
) -> None:
    behind, ahead, elsewhere = (
        stack.enter_context(waiters.waiter(run, after, NEVER))
        for run, after in [("a", 3), ("a", 4), ("b", 0)]
    )

    waiters.wake("a", 4)

    assert [each.done() for each in (behind, ahead, elsewhere)] == [True, False, False]


async def test_a_waiter_is_resolved_when_its_time_is_over(
    waiters: Waiters, stack: ExitStack
) -> None:
    waiter = stack.enter_context(waiters.waiter("a", 0, 0.0))

    await asyncio.wait_for(waiter, 5)


async def test_one_look_serves_all_who_came_while_the_last_one_went_on(
    file: File, waiters: Waiters
) -> None:
    waiters.look(["a"])
    waiters.look(["b"])
    waiters.look(["c", "b"])

    file.answers[0].set_result({})
    await asyncio.sleep(0)

    assert file.asked == [{"a"}, {"b", "c"}]


@pytest.mark.parametrize(
    ("heads", "wakes"),
    [({"a": 3}, False), ({"a": 4}, True), ({}, True)],
    ids=["nothing new", "something new", "ended or gone"],
)
async def test_a_look_wakes_those_for_whom_there_is_news(
    file: File, waiters: Waiters, stack: ExitStack, heads: Heads, *, wakes: bool
) -> None:
    waiter = stack.enter_context(waiters.waiter("a", 3, NEVER))
    waiters.look_for_all()

    file.answers[0].set_result(heads)
    await asyncio.sleep(0)

    assert waiter.done() is wakes


async def test_those_for_whom_nothing_was_looked_up_sleep_on(
    file: File, waiters: Waiters, stack: ExitStack
) -> None:
    waiters.look(["a"])
    waiter = stack.enter_context(waiters.waiter("b", 0, NEVER))

    file.answers[0].set_result({})
    await asyncio.sleep(0)

    assert not waiter.done()


async def test_a_look_that_fails_wakes_them_so_that_they_are_told_when_they_read(
    file: File, waiters: Waiters, stack: ExitStack
) -> None:
    waiter = stack.enter_context(waiters.waiter("a", 0, NEVER))
    waiters.look(["a"])

    file.answers[0].set_exception(StoreError("The disk is full."))
    await asyncio.sleep(0)

    assert waiter.done()


async def test_who_waits_for_a_closed_store_is_woken(
    file: File, waiters: Waiters, stack: ExitStack
) -> None:
    waiter = stack.enter_context(waiters.waiter("a", 0, NEVER))
    file.is_closed = True

    waiters.look(["a"])

    assert waiter.done()


async def test_nobody_waits_when_all_have_gone(waiters: Waiters) -> None:
    with waiters.waiter("a", 0, NEVER), waiters.waiter("a", 0, NEVER):
        assert waiters

    assert not waiters
