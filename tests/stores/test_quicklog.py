"""An append without a task that waits for it does what an awaited one does."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stores.test_postgres import PostgresHarness
from tests.stores.test_redis import RedisHarness
from tests.support.runs import SOON
from tests.support.writers import Told
from yieldwire.errors import AppendConflict, Fenced, StoreError, YieldwireError
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore
from yieldwire.stores.guarded import guarded
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.quicklog import QuickLogs, quick_log_of
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.contract.harness import chunks, claimed, log_of


@pytest.fixture(params=["memory", "sqlite", "redis", "postgres"])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[RunStore]:
    store: RunStore = MemoryStore()
    if request.param == "sqlite":
        store = SQLiteStore(tmp_path / "runs.db")
    elif request.param == "redis":
        store = RedisHarness().store
    elif request.param == "postgres":
        store = PostgresHarness().store
    yield store
    await store.close()


async def appended(
    store: RunStore, run: RunRecord, block: Block, fence: int | None = None
) -> object:
    """Append a block as a writer does, and return the error."""
    log, writer = quick_log_of(store, run.id), Told()
    assert log is not None
    fence = run.fence if fence is None else fence
    async with asyncio.timeout(SOON):
        is_there = log.append_nowait(block, fence, writer)
        assert not writer.answer.done()
        if is_there is not False:
            return None if is_there else await writer.answer
        try:
            await store.append(run.id, block, after=block.first - 1, fence=fence)
        except YieldwireError as exc:
            return exc
    return None


async def test_what_is_reported_as_written_can_be_read(store: RunStore) -> None:
    run = await claimed(store)

    errors = [await appended(store, run, chunks(run.id, seq, 1)) for seq in (1, 2, 3)]

    assert errors == [None] * 3
    assert [event.seq for event in await log_of(store, run.id)] == [1, 2, 3]


async def test_a_reader_that_waits_gets_it(store: RunStore) -> None:
    run = await claimed(store)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        reading = group.create_task(store.read(run.id, 0, wait=SOON))
        await asyncio.sleep(0.01)
        await appended(store, run, chunks(run.id, 1, 1))

    assert [block.last for block in reading.result()] == [1]


async def test_many_are_reported_each_with_its_outcome(store: RunStore) -> None:
    runs = [await claimed(store) for _ in range(20)]

    errors = await asyncio.gather(
        *(
            appended(store, run, chunks(run.id, 1, 1), run.fence + n % 2)
            for n, run in enumerate(runs)
        )
    )

    assert [type(error) for error in errors] == [type(None), Fenced] * 10


async def test_a_conflict_is_reported(store: RunStore) -> None:
    run = await claimed(store)

    error = await appended(store, run, chunks(run.id, 5, 1))

    assert isinstance(error, AppendConflict)


async def test_the_end_of_a_run_is_written_as_well(store: RunStore) -> None:
    run = await claimed(store)

    await appended(store, run, Block.of_event(run.id, 1, EventType.DONE, b"{}"))

    assert (await store.get(run.id)).status.is_terminal


@pytest.mark.parametrize("store", ["sqlite", "redis", "postgres"], indirect=True)
async def test_a_writer_is_told_whatever_showing_its_block_to_readers_raises(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, failures = await claimed(store), list[object]()

    def fail(*_: object) -> None:
        raise RuntimeError("A reader failed.")

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: failures.append(context.get("exception")))
    with monkeypatch.context() as patch:
        patch.setattr(store, "_note", fail)
        assert await appended(store, run, chunks(run.id, 1, 1)) is None

    assert [str(failure) for failure in failures] == ["A reader failed."]
    assert [event.seq for event in await log_of(store, run.id)] == [1]


@pytest.mark.parametrize("store", ["sqlite", "redis", "postgres"], indirect=True)
async def test_a_block_that_is_on_its_way_when_a_store_closes_is_reported(
    store: RunStore,
) -> None:
    run = await claimed(store)
    log, writer = quick_log_of(store, run.id), Told()
    assert log is not None
    assert log.append_nowait(chunks(run.id, 1, 1), run.fence, writer) is None

    async with asyncio.timeout(SOON):
        await store.close()
        error = await writer.answer

    assert error is None or isinstance(error, StoreError)


async def test_the_memory_store_has_written_a_block_when_the_call_returns() -> None:
    store = MemoryStore()
    run, writer = await claimed(store), Told()
    log = quick_log_of(store, run.id)
    assert log is not None

    assert log.append_nowait(chunks(run.id, 1, 1), run.fence, writer) is True

    assert [block.last for block in await store.read(run.id, 0)] == [1]


def test_a_class_with_an_append_of_its_own_gets_every_block() -> None:
    class Noting(MemoryStore):
        async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
            return await super().append(run_id, block, after=after, fence=fence)

    class Quiet(Noting):
        """Has nothing of its own."""

    class Again(Noting):
        append = Noting.append

        def quick_log(self, run_id: str, /) -> None:
            """Has looked into it."""

    class First:
        async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
            raise NotImplementedError

    class Mixed(First, MemoryStore):
        pass

    for kind in (Noting, Quiet, Again, Mixed):
        assert quick_log_of(kind(), "r") is None


async def test_a_store_without_such_logs_has_none() -> None:
    assert quick_log_of(object(), "r") is None
    assert quick_log_of(guarded(MemoryStore()), "r") is None
    assert quick_log_of(MemoryStore(), "no such run") is None


def test_the_contract_has_no_logs_by_itself() -> None:
    with pytest.raises(NotImplementedError):
        QuickLogs().quick_log("r")
