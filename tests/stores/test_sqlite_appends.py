"""An append can be submitted, so that no task needs to wait for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.runs import SOON
from yieldwire.errors import AppendConflict, Fenced, YieldwireError
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.contract.harness import chunks, claimed, log_of


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "runs.db")
    yield store
    await store.close()


class Told:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    def submitted(self, error: YieldwireError | None, /) -> None:
        self.answer.set_result(error)


async def submitted(store: SQLiteStore, run: RunRecord, block: Block, **right: int) -> object:
    """Submit a block, and return the error that is reported."""
    writer = Told()
    right = {"after": block.first - 1, "fence": run.fence, **right}
    store.append_nowait(block, writer=writer, **right)
    async with asyncio.timeout(SOON):
        return await writer.answer


async def test_what_is_reported_as_written_can_be_read(store: SQLiteStore) -> None:
    run = await claimed(store)

    errors = [await submitted(store, run, chunks(run.id, seq, 1)) for seq in (1, 2, 3)]

    assert errors == [None] * 3
    assert [event.seq for event in await log_of(store, run.id)] == [1, 2, 3]


async def test_a_reader_that_waits_gets_it(store: SQLiteStore) -> None:
    run = await claimed(store)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        reading = group.create_task(store.read(run.id, 0, wait=SOON))
        await asyncio.sleep(0.01)
        await submitted(store, run, chunks(run.id, 1, 1))

    assert [block.last for block in reading.result()] == [1]


async def test_many_are_reported_each_with_its_outcome(store: SQLiteStore) -> None:
    runs = [await claimed(store) for _ in range(20)]

    errors = await asyncio.gather(
        *(
            submitted(store, run, chunks(run.id, 1, 1), fence=run.fence + n % 2)
            for n, run in enumerate(runs)
        )
    )

    assert [type(error) for error in errors] == [type(None), Fenced] * 10


async def test_a_conflict_is_reported(store: SQLiteStore) -> None:
    run = await claimed(store)

    error = await submitted(store, run, chunks(run.id, 5, 1), after=4)

    assert isinstance(error, AppendConflict)


async def test_a_subclass_with_an_append_of_its_own_gets_every_block() -> None:
    class Noting(SQLiteStore):
        async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
            return await super().append(run_id, block, after=after, fence=fence)

    class Quiet(SQLiteStore):
        """Has nothing of its own."""

    assert getattr(Noting, "append_nowait", None) is None
    assert Quiet.append_nowait is SQLiteStore.append_nowait
