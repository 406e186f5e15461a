"""Blocks that are submitted together are each reported to their own writer."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.runs import SOON
from tests.support.writers import Told
from yieldwire.errors import Fenced, YieldwireError
from yieldwire.stores.quicklog import BlockWriter
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.stores.sqlite.lane import MOST_AT_ONCE
from yieldwire.testing.contract.harness import chunks, claimed


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(tmp_path / "runs.db")
    yield store
    await store.close()


class Deaf:
    """Fails when it is told."""

    def submitted(self, error: YieldwireError | None, /) -> None:
        raise RuntimeError(f"I do not hear {error}")


async def test_a_writer_that_cannot_be_told_keeps_no_other_from_being(store: SQLiteStore) -> None:
    failures = list[object]()
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: failures.append(str(context["exception"]))
    )
    runs = [await claimed(store) for _ in range(3)]
    told = [Told(), Told()]
    writers: list[BlockWriter] = [told[0], Deaf(), told[1]]

    for run, writer in zip(runs, writers, strict=True):
        assert store.append_nowait(chunks(run.id, 1, 1), run.fence, writer) is None
    async with asyncio.timeout(SOON):
        errors = [await each.answer for each in told]

    assert (errors, failures) == ([None, None], ["I do not hear None"])


async def test_each_block_is_taken_or_refused_by_itself(store: SQLiteStore) -> None:
    runs, told = [await claimed(store) for _ in range(9)], [Told() for _ in range(9)]

    for n, (run, writer) in enumerate(zip(runs, told, strict=True)):
        fence = run.fence + n % 2
        assert store.append_nowait(chunks(run.id, 1, 1), fence, writer) is None
    async with asyncio.timeout(SOON):
        errors = [await writer.answer for writer in told]

    assert [type(error) for error in errors] == [type(None), Fenced] * 4 + [type(None)]
    assert [(await store.get(run.id)).seq for run in runs] == [1, 0] * 4 + [1]


async def test_more_blocks_than_a_transaction_takes_are_all_written(store: SQLiteStore) -> None:
    count = MOST_AT_ONCE + 50
    runs = await asyncio.gather(*(claimed(store) for _ in range(count)))
    told = [Told() for _ in runs]

    for run, writer in zip(runs, told, strict=True):
        assert store.append_nowait(chunks(run.id, 1, 1), run.fence, writer) is None
    async with asyncio.timeout(SOON):
        errors = await asyncio.gather(*(writer.answer for writer in told))

    assert errors == [None] * count
    assert {(await store.get(run.id)).seq for run in runs} == {1}


async def test_nothing_is_submitted_to_a_store_that_closes(store: SQLiteStore) -> None:
    run = await claimed(store)
    async with asyncio.TaskGroup() as group:
        group.create_task(store.close())
        await asyncio.sleep(0)
        is_taken = store.append_nowait(chunks(run.id, 1, 1), run.fence, Deaf())

    assert is_taken is False
