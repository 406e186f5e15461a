"""What is done at once, and what is left of it to be awaited."""

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from yieldwire.deadline import Unfinished, at_once, rest_of


async def within(seconds: float, awaitable: Awaitable[object]) -> object:
    result = at_once(awaitable)
    return await result.within(seconds) if isinstance(result, Unfinished) else result


async def test_what_is_there_is_returned_without_a_wait() -> None:
    async def there() -> str:
        return "there"

    assert at_once(there()) == "there"


async def test_what_waits_is_awaited_as_if_directly() -> None:
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


async def test_what_is_waited_for_can_be_no_more_than_an_iterator() -> None:
    bare = Bare()

    asyncio.get_running_loop().call_soon(bare.future.set_result, None)

    assert await within(60.0, bare) == "there"


@pytest.mark.parametrize("begin", [at_once, rest_of])
async def test_an_iterator_that_waits_for_too_long_is_cancelled(begin: Any) -> None:  # noqa: ANN401 - either
    bare = Bare()

    with pytest.raises(TimeoutError):
        await begin(bare).within(0.0)

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
    async def soon() -> None:
        raise LookupError("at once")

    async def later() -> None:
        await asyncio.sleep(0)
        raise LookupError("later")

    with pytest.raises(LookupError, match="at once"):
        await within(60.0, soon())
    with pytest.raises(LookupError, match="later"):
        await within(60.0, later())


async def test_a_send_that_does_not_wait_is_done_and_leaves_no_rest() -> None:
    sent: list[str] = []

    async def send() -> None:
        sent.append("all")

    assert rest_of(send()) is None
    assert sent == ["all"]


async def test_the_rest_of_a_send_is_what_it_has_not_done_yet() -> None:
    sent: list[int] = []

    async def send() -> None:
        for piece in range(3):
            sent.append(piece)
            await asyncio.sleep(0)

    rest = rest_of(send())

    assert rest is not None
    assert sent == [0]
    await rest.within(60.0)
    assert sent == [0, 1, 2]


async def test_the_rest_of_what_is_no_more_than_an_iterator_is_awaited_too() -> None:
    bare = Bare()
    rest = rest_of(bare)

    asyncio.get_running_loop().call_soon(bare.future.set_result, None)

    assert rest is not None
    await rest.within(60.0)
    assert rest_of(bare) is None  # it has nothing left to do


async def test_a_send_that_fails_at_once_raises_its_error() -> None:
    async def send() -> None:
        raise OSError("the client has gone")

    with pytest.raises(OSError, match="the client has gone"):
        rest_of(send())
