"""Ended runs are archived as bytes, and no reader of them can tell."""

import gc

import pytest

from tests.stores.test_memory import MemoryHarness
from yieldwire.errors import NotFound
from yieldwire.log.run import Status
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore, archive
from yieldwire.stores.memory.entry import Entry
from yieldwire.testing.contract import StoreContract, StoreHarness
from yieldwire.testing.contract.harness import chunks, claimed, finish, finished


class TestMemoryStoreThatArchivesAtOnce(StoreContract):
    @pytest.fixture
    def harness(self, monkeypatch: pytest.MonkeyPatch) -> StoreHarness:
        monkeypatch.setattr(archive, "RECENT", 0)
        return MemoryHarness()


def entries() -> int:
    gc.collect()
    return sum(isinstance(each, Entry) for each in gc.get_objects())


async def test_the_garbage_collector_does_not_see_runs_that_ended_a_while_ago() -> None:
    store, before = MemoryStore(), entries()

    for _ in range(3 * archive.RECENT):
        await finished(store)

    assert entries() - before == archive.RECENT


async def test_archived_and_other_runs_are_listed_in_the_order_of_their_creation() -> None:
    store = MemoryStore()
    runs = [await finished(store) for _ in range(archive.RECENT + 3)]

    found = await store.find(Query(everyone=True, limit=1000))
    older = await store.find(Query(everyone=True, before=runs[2].id))

    assert [run.id for run in found] == [run.id for run in reversed(runs)]
    assert found == [await store.get(run.id) for run in reversed(runs)]
    assert [run.id for run in older] == [runs[1].id, runs[0].id]


async def test_archived_runs_are_found_by_their_owner_and_their_status(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "RECENT", 0)
    store = MemoryStore()
    run, of_nobody = await finished(store, owner="ann"), await finished(store, owner=None)
    ended, running = Status.COMPLETED, Status.RUNNING

    assert await store.find(Query(owner="ann", status=ended)) == [run]
    assert await store.find(Query(owner=None)) == [of_nobody]
    assert await store.find(Query(owner="bob")) == []
    assert await store.find(Query(everyone=True, status=running)) == []


async def test_a_run_that_was_deleted_is_not_archived_later() -> None:
    store = MemoryStore()
    run = await finished(store)
    await store.purge(run.id)

    for _ in range(2 * archive.RECENT):
        await finished(store)

    with pytest.raises(NotFound, match="There is no run"):
        await store.get(run.id)


async def test_an_archived_run_is_deleted_when_its_time_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(archive, "RECENT", 0)
    harness = MemoryHarness()
    run = await finished(harness.store)
    await harness.advance(run.retention + 1)

    purged = await harness.store.purge()

    assert purged == [run.id]
    assert await harness.store.find(Query(everyone=True)) == []


class Name(str):
    """What an application returns as a name."""

    __slots__ = ()


@pytest.mark.parametrize(("owner", "size"), [(Name("ann"), 1), ("ann", archive.ARCHIVED_BYTES)])
async def test_a_run_with_a_large_log_or_with_values_of_own_types_stays_as_it_is(
    owner: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "RECENT", 0)
    store, before = MemoryStore(), entries()
    run = await claimed(store, owner=owner)
    await store.append(run.id, chunks(run.id, 1, 1, text="x" * size), after=0, fence=run.fence)

    await finish(store, run, after=1)

    assert entries() - before == 1
    assert (await store.get(run.id)).owner == "ann"
    assert [block.last for block in await store.read(run.id, 0)] == [1, 2]
