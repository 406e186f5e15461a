"""Readers at the same place share one read."""

import asyncio
from collections.abc import Sequence

import pytest

from yieldwire.errors import StoreError
from yieldwire.log.events import Block
from yieldwire.stores.reads import Reads


class File:
    """Answers what it is asked when it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, int]] = []
        self.answers: list[asyncio.Future[Sequence[Block]]] = []

    def ask(self, run_id: str, after: int, max_bytes: int) -> asyncio.Future[Sequence[Block]]:
        self.asked.append((run_id, after, max_bytes))
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


async def test_readers_at_the_same_place_share_a_read() -> None:
    file, page = File(), [Block("a", 5, 5, b"{}\n", None, 1.0)]
    reads = Reads(file.ask)

    async with asyncio.TaskGroup() as group:
        same = [group.create_task(reads.page("a", 4, 100)) for _ in range(3)]
        others = [group.create_task(reads.page(*place)) for place in [("a", 5, 100), ("b", 4, 100)]]
        await asyncio.sleep(0)
        for answer in file.answers:
            answer.set_result(page)

    assert file.asked == [("a", 4, 100), ("a", 5, 100), ("b", 4, 100)]
    assert [read.result() for read in [*same, *others]] == [page] * 5


async def test_a_read_after_a_write_is_another_one() -> None:
    file = File()
    reads = Reads(file.ask)

    async with asyncio.TaskGroup() as group:
        before = group.create_task(reads.page("a", 4, 100))
        await asyncio.sleep(0)
        reads.forget_all()
        behind = [group.create_task(reads.page("a", 4, 100)) for _ in range(2)]
        await asyncio.sleep(0)
        file.answers[0].set_result(())
        await before
        behind.append(group.create_task(reads.page("a", 4, 100)))
        await asyncio.sleep(0)
        file.answers[1].set_result([Block("a", 5, 5, b"{}\n", None, 1.0)])

    assert len(file.asked) == 2
    assert [len(read.result()) for read in behind] == [1, 1, 1]


async def test_a_read_that_is_over_serves_nobody_else() -> None:
    file = File()
    reads = Reads(file.ask)

    async with asyncio.TaskGroup() as group:
        failing = group.create_task(fails(reads))
        await asyncio.sleep(0)
        file.answers[0].set_exception(StoreError("The disk is full."))
        await failing
        succeeding = group.create_task(reads.page("a", 4, 100))
        await asyncio.sleep(0)
        file.answers[1].set_result(())

    assert list(succeeding.result()) == []


async def fails(reads: Reads) -> None:
    with pytest.raises(StoreError, match="The disk is full"):
        await reads.page("a", 4, 100)


async def test_a_reader_that_is_cancelled_stops_no_others_read() -> None:
    file = File()
    reads = Reads(file.ask)

    async with asyncio.TaskGroup() as group:
        leaving, staying = (group.create_task(reads.page("a", 4, 100)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        file.answers[0].set_result(())

    assert leaving.cancelled()
    assert list(staying.result()) == []
    assert len(file.asked) == 1
