import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from yieldwire.deadline import Unfinished, at_once


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
    async def soon() -> None:
        raise LookupError("at once")

    async def later() -> None:
        await asyncio.sleep(0)
        raise LookupError("later")

    with pytest.raises(LookupError, match="at once"):
        await within(60.0, soon())
    with pytest.raises(LookupError, match="later"):
        await within(60.0, later())
