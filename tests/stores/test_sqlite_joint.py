"""Runs take their steps in the file many at a time, where nothing about them is special."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.faults import Faults
from yieldwire.errors import Fenced
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.stores.sqlite.blocks import SMALL
from yieldwire.testing.contract.harness import (
    chunks,
    claimed,
    created,
    ending,
    finish,
    log_of,
)

TOGETHER = "INSERT OR FAIL INTO blocks"
ALONE = "INSERT INTO blocks ("


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


async def test_what_many_runs_are_from_their_claims_to_their_ends_takes_few_statements(
    store: SQLiteStore, statements: Statements
) -> None:
    new = await asyncio.gather(*(created(store) for _ in range(100)))
    statements.clear()

    runs = await asyncio.gather(*(store.claim(run.id, lease=30.0) for run in new))
    blocks = [chunks(run.id, 1, 9).ended(EventType.DONE, b"{}") for run in runs]
    await asyncio.gather(*(append(store, *both) for both in zip(runs, blocks, strict=True)))

    assert len(statements) < 40
    ended = [await store.get(run.id) for run in runs]
    assert {(run.status, run.seq, run.attempt) for run in ended} == {(Status.COMPLETED, 10, 1)}


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (EventType.DONE, Status.COMPLETED),
        (EventType.ERROR, Status.FAILED),
        (EventType.CANCELLED, Status.CANCELLED),
    ],
)
async def test_an_end_is_the_same_with_others_and_alone(
    store: SQLiteStore, statements: Statements, end: EventType, status: Status
) -> None:
    plain = await claimed(store, retention=5.0)
    told = await claimed(store, retention=5.0, webhooks=("https://example.com/hook",))
    statements.clear()

    await finish(store, plain, end)
    alone = statements.count_of(ALONE)
    await finish(store, told, end)

    assert (alone, statements.count_of(ALONE)) == (0, 1)
    runs = [await store.get(run.id) for run in (plain, told)]
    assert [run.status for run in runs] == [status] * 2
    assert all(run.ended_at for run in runs)
    assert [len(await store.outstanding(run.id)) for run in runs] == [0, 1]


async def test_a_claim_returns_the_run_as_it_is_in_the_file(store: SQLiteStore) -> None:
    new = await created(store, labels=("fine",), webhooks=("https://example.com/hook",))

    run = await store.claim(new.id, lease=30.0)

    assert run == await store.get(new.id)
    assert (run.status, run.attempt) == (Status.RUNNING, 1)


async def test_of_many_claims_only_those_are_refused_that_come_too_late(
    tmp_path: Path, store: SQLiteStore
) -> None:
    new = [await created(store) for _ in range(9)]
    other = SQLiteStore(tmp_path / "runs.db")
    await other.claim(new[3].id, lease=None)
    await other.request_cancel(new[6].id, "requested")
    await other.close()

    outcomes = await asyncio.gather(
        *(store.claim(run.id, lease=None) for run in new), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes] == [
        Fenced if place in {3, 6} else RunRecord for place in range(9)
    ]


async def test_a_block_that_is_refused_keeps_no_claim_from_being_made(store: SQLiteStore) -> None:
    new, lost = await created(store), await claimed(store)
    await finish(store, lost)

    run, refused = await asyncio.gather(
        store.claim(new.id, lease=None),
        append(store, lost, chunks(lost.id, 2, 1)),
        return_exceptions=True,
    )

    assert isinstance(refused, Fenced)
    assert run == await store.get(new.id)


async def test_an_end_that_is_repeated_is_answered_as_the_first_was(store: SQLiteStore) -> None:
    run = await claimed(store)

    ends = [await append(store, run, ending(run.id, 1)) for _ in range(2)]

    assert ends == [1, 1]
