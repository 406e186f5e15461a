"""What a process knows of the runs that it creates spares it looks into the file."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.faults import Faults, When
from tests.support.runs import SOON
from yieldwire.errors import StoreError
from yieldwire.stores import Admission
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.stores.sqlite.starts import MOST_CREATED, Created
from yieldwire.testing.contract.harness import chunks, claimed, created, record


@pytest.fixture
def asked() -> Iterator[list[str]]:
    """The statements that look for what is in the file."""
    asked = list[str]()

    def note(sql: str) -> bool:
        if sql.startswith("SELECT"):
            asked.append(sql)
        return False

    with Faults().installed() as faults:
        faults.fails = note
        yield asked


@pytest.fixture
async def store(tmp_path: Path, asked: list[str]) -> AsyncIterator[SQLiteStore]:
    del asked  # it gets every connection, so also the first
    store = SQLiteStore(tmp_path / "runs.db")
    yield store
    await store.close()


async def test_a_run_is_created_claimed_followed_and_ended_without_a_look_into_the_file(
    store: SQLiteStore, asked: list[str]
) -> None:
    await store.read((await claimed(store)).id, 0, wait=0.05)  # the file is watched
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        asked.clear()
        run = await created(store)
        reading = group.create_task(store.read(run.id, 0, wait=SOON))
        run = await store.claim(run.id, lease=30.0)
        await asyncio.sleep(0)
        await store.append(run.id, chunks(run.id, 1, 3), after=0, fence=run.fence)

    assert [block.last for block in reading.result()] == [3]
    assert asked == []


async def test_a_reader_of_a_new_run_gets_what_another_process_writes(
    tmp_path: Path, store: SQLiteStore
) -> None:
    other = SQLiteStore(tmp_path / "runs.db")
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        run = await created(store)
        reading = group.create_task(store.read(run.id, 0, wait=SOON))
        await asyncio.sleep(0.05)
        run = await other.claim(run.id, lease=None)
        await other.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
    await other.close()

    assert [block.last for block in reading.result()] == [1]


async def test_a_reader_gets_what_another_process_wrote_before_it_came(
    tmp_path: Path, store: SQLiteStore
) -> None:
    other = SQLiteStore(tmp_path / "runs.db")
    run = await created(store)
    run = await other.claim(run.id, lease=None)
    await other.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
    async with asyncio.timeout(SOON):
        blocks = await store.read(run.id, 0, wait=SOON)
    await other.close()

    assert [block.last for block in blocks] == [1]


async def test_a_reader_gets_what_is_in_the_file_although_its_commit_was_not_answered(
    tmp_path: Path,
) -> None:
    with Faults().installed() as faults:
        store = SQLiteStore(tmp_path / "runs.db")
        run = await claimed(store, retries=3)
        await store.read(run.id, 0, wait=0.05)  # the file is watched
        faults.plan.append(When.AFTER)
        with pytest.raises(StoreError, match="disk"):
            await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        async with asyncio.timeout(SOON / 2):
            first = await store.read(run.id, 0, wait=SOON)
        await store.heartbeat(run.id, fence=run.fence, lease=30.0)  # the file is open again
        faults.plan.append(When.AFTER)
        with pytest.raises(StoreError, match="disk"):
            await store.restart(run.id, fence=run.fence, delay=0.0)
        async with asyncio.timeout(SOON / 2):
            second = await store.read(run.id, 1, wait=SOON)
        await store.close()

    assert [block.last for block in (*first, *second)] == [1, 2]


async def test_a_key_that_has_a_run_makes_no_new_one_known(store: SQLiteStore) -> None:
    admission = Admission(key="k", fingerprint="f")
    first = await store.create(record(), admission)
    run = await store.claim(first.id, lease=None)
    await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)

    again = await store.create(record(), admission)

    assert (again.id, again.seq) == (first.id, 1)


async def test_a_run_that_another_process_has_tried_is_claimed_as_it_is(
    tmp_path: Path, store: SQLiteStore
) -> None:
    run, other = await created(store, retries=3), SQLiteStore(tmp_path / "runs.db")
    tried = await other.claim(run.id, lease=None)
    await other.restart(run.id, fence=tried.fence, delay=0.0)
    await other.close()

    again = await store.claim(run.id, lease=None)

    assert (again.attempt, again.seq) == (2, 1)
    assert again == await store.get(run.id)


def test_a_limited_number_of_new_runs_is_kept() -> None:
    new, runs = Created(), [record() for _ in range(MOST_CREATED + 1)]

    for run in runs:
        new.add(run)

    assert new.pop(runs[0].id) is None
    assert new.pop(runs[1].id) == runs[1]
    assert new.pop(runs[1].id) is None
