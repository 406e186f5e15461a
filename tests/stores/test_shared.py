"""Several openings of one SQLite file, as several processes have them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path

import pytest

from yieldwire.errors import Fenced, NotFound
from yieldwire.log.run import Status
from yieldwire.stores import Admission, Query
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract.harness import (
    SOON,
    chunks,
    claimed,
    created,
    finish,
    finished,
    log_of,
    raises,
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


async def test_what_one_wrote_all_read(stores: list[SQLiteStore]) -> None:
    run = await finished(stores[0])

    for store in stores:
        assert await store.get(run.id) == await stores[0].get(run.id)
        assert await log_of(store, run.id) == await log_of(stores[0], run.id)


async def test_of_claims_that_race_one_begins_the_attempt(stores: list[SQLiteStore]) -> None:
    for _ in range(10):
        run = await created(stores[0])
        fences: list[int] = []

        async def claim(store: SQLiteStore, run_id: str, fences: list[int]) -> None:
            try:
                fences.append((await store.claim(run_id, lease=10)).fence)
            except Fenced:
                return

        async with asyncio.TaskGroup() as group:
            for store in stores:
                group.create_task(claim(store, run.id, fences))

        assert fences == [(await stores[0].get(run.id)).fence]


async def test_starts_that_race_with_one_key_make_one_run(stores: list[SQLiteStore]) -> None:
    admission = Admission(key="k", fingerprint="f")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(store.create(record(), admission)) for store in stores]

    assert len({task.result().id for task in tasks}) == 1


async def test_starts_that_race_for_one_feed_make_one_run(stores: list[SQLiteStore]) -> None:
    admission = Admission(feed="prices")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(store.create(record(), admission)) for store in stores * 5]

    assert len({task.result().id for task in tasks}) == 1
    assert len(await stores[0].find(Query(everyone=True))) == 1


async def test_a_feed_that_one_process_stopped_starts_again_in_another(
    stores: list[SQLiteStore],
) -> None:
    admission = Admission(feed="prices")
    first = await stores[0].create(record(), admission)
    await stores[1].request_cancel(first.id, "requested")

    second = await stores[2].create(record(), admission)

    assert second.id != first.id
    assert (await stores[3].create(record(), admission)).id == second.id


async def test_a_lost_run_is_taken_away_by_one_of_those_who_sweep(
    stores: list[SQLiteStore], clock: MovingClock
) -> None:
    run = await claimed(stores[0], lease=10)
    clock.advance(11)

    async with asyncio.TaskGroup() as group:
        sweeps = [group.create_task(store.sweep()) for store in stores]

    assert [swept.id for task in sweeps for swept in task.result()] == [run.id]
    assert (await stores[0].get(run.id)).status is Status.FAILED


async def test_an_append_wakes_the_readers_of_another_process(stores: list[SQLiteStore]) -> None:
    writer, other, *_ = stores
    run = await claimed(writer)
    await other.get(run.id)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        waiting = group.create_task(other.read(run.id, 0, wait=10 * SOON))
        await writer.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        await waited_for(other, run.id, waiting)


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
    """Return when a wait has found the event: it may end early, and begin again."""
    await waiting
    while not await store.read(run_id, 0):
        await store.read(run_id, 0, wait=10 * SOON)


async def test_what_one_purged_no_other_has(stores: list[SQLiteStore]) -> None:
    run = await finished(stores[0])
    for store in stores:
        await log_of(store, run.id)

    await stores[1].purge(run.id)

    for store in stores:
        with raises(NotFound):
            await store.get(run.id)
        with raises(NotFound):
            await store.read(run.id, 1)


async def test_a_worker_whose_run_another_process_took_is_refused(
    stores: list[SQLiteStore], clock: MovingClock
) -> None:
    first, second, *_ = stores
    run = await claimed(first, lease=10, retries=1)
    clock.advance(11)
    await second.sweep()
    again = await second.claim(run.id, lease=10)

    with raises(Fenced):
        await first.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
    await finish(second, again, after=1)

    assert [event.seq for event in await log_of(first, run.id)] == [1, 2]


async def test_a_revocation_is_told_to_every_process(stores: list[SQLiteStore]) -> None:
    at = [await store.revoke(f"owner {n}") for n, store in enumerate(stores)]

    told = [await store.revoked(0) for store in stores]

    assert [each.last for each in told] == [len(stores)] * len(stores)
    assert all(each.is_whole for each in told)
    assert [[*each.at.values()] for each in told] == [at] * len(stores)
