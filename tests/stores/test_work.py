"""Work is finished although its callers leave, and calls of one moment are done together."""

import asyncio
from collections.abc import Sequence

import pytest

from yieldwire.errors import StoreError
from yieldwire.stores.work import Batches, Works, settled


async def later(gate: asyncio.Event, result: int | Exception) -> int:
    """Return a result, or raise it, when the gate is open."""
    await gate.wait()
    if isinstance(result, Exception):
        raise result
    return result


async def test_a_cancelled_caller_leaves_when_its_work_is_done() -> None:
    works, gate = Works(), asyncio.Event()
    work = works.start(later(gate, 7))
    async with asyncio.TaskGroup() as group:
        caller = group.create_task(settled(work))
        await asyncio.sleep(0)

        caller.cancel()
        await asyncio.sleep(0)
        still_waits = not caller.done()
        gate.set()

    assert (still_waits, caller.cancelled(), work.result()) == (True, True, 7)
    await works.wait()


async def test_waiting_for_all_work_includes_what_it_begins() -> None:
    works, begun = Works(), list[asyncio.Future[None]]()

    async def pause() -> None:
        await asyncio.sleep(0.01)

    works.start(pause()).add_done_callback(lambda _: begun.append(works.start(pause())))
    await works.wait()

    assert [each.done() for each in begun] == [True]


async def test_an_error_of_the_work_is_raised_to_its_caller() -> None:
    works, gate = Works(), asyncio.Event()
    gate.set()

    with pytest.raises(StoreError, match="away"):
        await settled(works.start(later(gate, StoreError("away"))))

    await works.wait()


class Doubling:
    """Doubles the numbers of each batch, when the gate is open; a negative one is an error."""

    def __init__(self) -> None:
        self.gate, self.seen, self.works = asyncio.Event(), list[list[int]](), Works()
        self.batches = Batches(self._double, self.works.start, most=3)

    async def _double(self, numbers: Sequence[int]) -> Sequence[int | Exception]:
        self.seen.append([*numbers])
        await self.gate.wait()
        if 0 in numbers:
            raise StoreError("zero")
        return [StoreError("negative") if number < 0 else 2 * number for number in numbers]


async def test_calls_that_are_made_during_a_batch_are_the_next() -> None:
    doubling = Doubling()
    asked = [doubling.batches.ask(1), doubling.batches.ask(2)]
    await asyncio.sleep(0)

    asked += [doubling.batches.ask(number) for number in (3, 4, 5, 6)]
    doubling.gate.set()

    assert await asyncio.gather(*asked) == [2, 4, 6, 8, 10, 12]
    assert doubling.seen == [[1, 2], [3, 4, 5], [6]]
    await doubling.works.wait()


async def test_an_error_reaches_its_call_or_all_of_its_batch() -> None:
    doubling = Doubling()
    doubling.gate.set()

    own = await asyncio.gather(*map(doubling.batches.do, [1, -1]), return_exceptions=True)
    shared = await asyncio.gather(*map(doubling.batches.do, [1, 0]), return_exceptions=True)

    assert [own[0], str(own[1])] == [2, "negative"]
    assert [str(each) for each in shared] == ["zero", "zero"]
    await doubling.works.wait()
