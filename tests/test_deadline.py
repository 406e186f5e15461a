"""What `deadline` does at once, and what it leaves to be awaited."""

import asyncio
from collections.abc import Generator
from typing import Any

import pytest

from yieldwire.deadline import Unfinished, at_once, rest_of

FOREVER = 3600.0


class Sending:
    """A send that waits for ``turns`` turns of the loop, and returns nothing."""

    def __init__(self, turns: int) -> None:
        self.turns, self.sent = turns, False

    def __await__(self) -> Generator[Any, None, None]:
        for _ in range(self.turns):
            yield
        self.sent = True


async def test_a_send_that_does_not_wait_is_done_and_leaves_no_rest() -> None:
    sending = Sending(0)

    assert rest_of(sending) is None
    assert sending.sent


async def test_the_rest_of_a_send_that_waits_is_what_it_has_not_done() -> None:
    sending = Sending(3)

    rest = rest_of(sending)

    assert isinstance(rest, Unfinished)
    assert not sending.sent
    await rest.within(FOREVER)
    assert sending.sent


async def test_a_send_that_fails_at_once_raises_its_error() -> None:
    async def fail() -> None:
        raise OSError("the client has gone")

    with pytest.raises(OSError, match="the client has gone"):
        rest_of(fail())


async def test_the_rest_of_a_send_raises_if_it_takes_too_long() -> None:
    rest = rest_of(asyncio.sleep(FOREVER))

    assert rest is not None
    with pytest.raises(TimeoutError):
        await rest.within(0.0)


async def test_a_value_that_is_there_comes_at_once_and_any_other_later() -> None:
    async def give(seconds: float | None) -> int:
        if seconds is not None:
            await asyncio.sleep(seconds)
        return 7

    assert at_once(give(None)) == 7
    later = at_once(give(0.0))
    assert isinstance(later, Unfinished)
    assert await later.within(FOREVER) == 7
