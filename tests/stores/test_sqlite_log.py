"""Blocks are put into the file many at a time, where nothing about them is special."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.faults import Faults
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.stores.sqlite.log import SMALL
from yieldwire.testing.contract.harness import chunks, claimed, log_of

TOGETHER = "INSERT OR FAIL INTO blocks"
ALONE = "INSERT INTO blocks"


class Statements(list[str]):
    """What the store's connections were asked to do."""

    def note(self, sql: str) -> bool:
        self.append(sql)
        return False

    def count_of(self, begin: str) -> int:
        return sum(sql.startswith(begin) for sql in self)


@pytest.fixture
def statements() -> Iterator[Statements]:
    statements = Statements()
    with Faults().installed() as faults:
        faults.fails = statements.note
        yield statements


@pytest.fixture
async def store(tmp_path: Path, statements: Statements) -> AsyncIterator[SQLiteStore]:
    del statements  # they get every connection, so also the first
    store = SQLiteStore(tmp_path / "runs.db")
    yield store
    await store.close()


async def append(store: SQLiteStore, run: RunRecord, block: Block) -> int:
    return await store.append(run.id, block, after=block.first - 1, fence=run.fence)


async def test_what_many_runs_append_at_once_takes_few_statements(
    store: SQLiteStore, statements: Statements
) -> None:
    runs = [await claimed(store) for _ in range(100)]
    statements.clear()

    for seq in (1, 2, 3):
        await asyncio.gather(*(append(store, run, chunks(run.id, seq, 1)) for run in runs))

    assert 3 <= statements.count_of(TOGETHER) < 60
    assert statements.count_of(ALONE) == 0
    for run in runs:
        assert [event.seq for event in await log_of(store, run.id)] == [1, 2, 3]


async def test_as_many_as_one_transaction_takes_fit_into_a_statement(
    store: SQLiteStore, statements: Statements
) -> None:
    runs = [await claimed(store) for _ in range(600)]
    statements.clear()

    await asyncio.gather(*(append(store, run, chunks(run.id, 1, 1)) for run in runs))

    assert statements.count_of(ALONE) == 0
    assert {(await store.get(run.id)).seq for run in runs} == {1}


async def test_a_large_block_is_put_by_itself(store: SQLiteStore, statements: Statements) -> None:
    run = await claimed(store)

    await append(store, run, Block.of_chunks(run.id, 1, [b'"%b"' % (b"x" * SMALL)]))

    assert (statements.count_of(TOGETHER), statements.count_of(ALONE)) == (0, 1)


async def test_a_feed_that_is_trimmed_is_not_tried_with_others_again(
    store: SQLiteStore, statements: Statements
) -> None:
    run = await claimed(store, keep=3)

    for seq in range(1, 8):
        await append(store, run, chunks(run.id, seq, 1))

    # The fourth finds out.
    assert (statements.count_of(TOGETHER), statements.count_of(ALONE)) == (4, 4)
    assert [event.seq for event in await log_of(store, run.id)] == [5, 6, 7]
