"""Several openings of one SQLite file, as several processes have them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest

from yieldwire.stores import Admission, Query
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract.harness import (
    SOON,
    chunks,
    claimed,
    created,
    record,
)

OPENINGS = 4


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
async def stores(tmp_path: Path, clock: MovingClock) -> AsyncIterator[list[SQLiteStore]]:
    async with AsyncExitStack() as stack:
        stores = [SQLiteStore(tmp_path / "runs.db", clock=clock) for _ in range(OPENINGS)]
        for store in stores:
            stack.push_async_callback(store.close)
        yield stores


async def test_a_new_file_can_be_opened_by_many_at_once(stores: list[SQLiteStore]) -> None:
    async with asyncio.TaskGroup() as group:
        for store in stores:
            group.create_task(created(store))

    for store in stores:
        assert len(await store.find(Query(everyone=True))) == OPENINGS


async def test_a_feed_that_one_process_stopped_starts_again_in_another(
    stores: list[SQLiteStore],
) -> None:
    admission = Admission(feed="prices")
    first = await stores[0].create(record(), admission)
    await stores[1].request_cancel(first.id, "requested")

    second = await stores[2].create(record(), admission)

    assert second.id != first.id
    assert (await stores[3].create(record(), admission)).id == second.id


async def test_an_append_wakes_the_readers_of_a_process_that_never_stops_writing(
    stores: list[SQLiteStore],
) -> None:
    writer, busy, *_ = stores
    run, others = await claimed(writer), [await claimed(busy, keep=1) for _ in range(4)]
    over = asyncio.Event()

    async def write_on(run_id: str, fence: int) -> None:
        for seq in count(1):
            await busy.append(run_id, chunks(run_id, seq, 1), after=seq - 1, fence=fence)
            if over.is_set():
                return

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        for other in others:
            group.create_task(write_on(other.id, other.fence))
        waiting = group.create_task(busy.read(run.id, 0, wait=10 * SOON))
        await writer.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        await waited_for(busy, run.id, waiting)
        over.set()


async def waited_for(store: SQLiteStore, run_id: str, waiting: asyncio.Task[object]) -> None:
    """Return when a wait has found the event: a wait can end early, and begin again."""
    await waiting
    while not await store.read(run_id, 0):
        await store.read(run_id, 0, wait=10 * SOON)
