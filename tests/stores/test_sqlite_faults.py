"""An SQLite file that fails: what is said of it, and what is in it afterwards.

After any failure the file has exactly the events that were acknowledged, perhaps with the one
block whose fate was unknown, and never a part of it.
"""

import asyncio
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.faults import Faults, Lock, When, everything, writing
from yieldwire.errors import NotFound, StoreError
from yieldwire.log.events import Event, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Query
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.contract.harness import (
    SOON,
    chunks,
    claimed,
    created,
    ending,
    finish,
    finished,
    log_of,
)

BRIEF = 0.05
NOBODY = 65_534
"""A user who can only write what everybody can."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def faults() -> Iterator[Faults]:
    with Faults().installed() as faults:
        yield faults


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SQLiteStore]:
    store = SQLiteStore(path, busy_timeout=BRIEF)
    yield store
    await store.close()


def refusal_of(path: Path) -> str:
    """Return what is said when a file that cannot be used is opened."""
    return asyncio.run(_refusal_of(path))


async def _refusal_of(path: Path) -> str:
    store = SQLiteStore(path, busy_timeout=BRIEF)
    try:
        with pytest.raises(StoreError, match="Runs cannot be kept in") as refused:
            await store.find(Query(everyone=True))
    finally:
        await store.close()
    return str(refused.value)


async def filled(path: Path) -> None:
    """Keep a run of some size in the file."""
    store = SQLiteStore(path)
    run = await claimed(store)
    await store.append(run.id, chunks(run.id, 1, 2000), after=0, fence=run.fence)
    await store.close()


async def events_in(path: Path, run_id: str) -> list[Event]:
    """Return a log as the next process finds it."""
    store = SQLiteStore(path)
    try:
        return await log_of(store, run_id)
    finally:
        await store.close()


async def seqs_in(path: Path, run_id: str) -> list[int]:
    """Return a log's seqs as the next process finds them."""
    return [event.seq for event in await events_in(path, run_id)]


# Opening.


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    told = refusal_of(tmp_path / "data" / "runs.db")

    assert f"the folder {tmp_path / 'data'} does not exist. Create it." in told


async def test_a_folder_that_appears_later_is_used(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "data" / "runs.db")
    with pytest.raises(StoreError, match="does not exist"):
        await created(store)

    await asyncio.to_thread((tmp_path / "data").mkdir)

    run = await created(store)
    assert await store.get(run.id) == run
    await store.close()


def test_a_folder_is_not_a_file(tmp_path: Path) -> None:
    assert "it is a folder. Name a file in it." in refusal_of(tmp_path)


def test_a_place_where_no_file_can_be_made_is_refused() -> None:
    assert "cannot be opened or created" in refusal_of(Path("/proc/runs.db"))


def test_what_is_only_in_memory_is_refused() -> None:
    assert "it must be a file" in refusal_of(Path(":memory:"))


def test_a_file_that_is_not_a_database_is_refused_and_not_changed(path: Path) -> None:
    content = b"Dear diary, " * 1000
    path.write_bytes(content)

    assert "not an SQLite database" in refusal_of(path)
    assert path.read_bytes() == content


def test_another_applications_database_is_refused_and_not_changed(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE users (name TEXT)")
    connection.commit()
    connection.close()
    content = path.read_bytes()

    assert "another application's database" in refusal_of(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.9, 0.5, 0.01])
def test_a_file_that_lacks_its_end_is_refused(path: Path, share: float) -> None:
    asyncio.run(filled(path))

    os.truncate(path, int(path.stat().st_size * share))

    assert "the file is damaged. Restore it from a backup" in refusal_of(path)


def test_an_empty_file_is_a_new_one(path: Path) -> None:
    path.touch()

    asyncio.run(filled(path))

    assert path.stat().st_size > 0


def test_a_file_that_cannot_be_written_is_refused() -> None:
    # Not in the test's own folder: that is open to its owner alone.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "runs.db"
        asyncio.run(filled(path))
        path.chmod(0o444)
        path.parent.chmod(0o555)

        # Root can write everything, so the test becomes another user for a while.
        was = os.geteuid()
        if was == 0:
            os.seteuid(NOBODY)
        try:
            told = refusal_of(path)
        finally:
            os.seteuid(was)
            path.parent.chmod(0o755)

    assert "the file or its folder is read-only" in told


def test_a_folder_that_cannot_be_entered_is_an_error_and_hangs_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        closed = Path(folder) / "closed"
        closed.mkdir(mode=0o700)
        Path(folder).chmod(0o755)
        was = os.geteuid()
        if was == 0:
            os.seteuid(NOBODY)
        else:
            closed.chmod(0)
        try:
            told = [refusal_of(closed / "runs.db"), refusal_of(closed / "below" / "runs.db")]
        finally:
            os.seteuid(was)
            closed.chmod(0o700)

    assert all("Let this process write it and its folder." in each for each in told)


def test_a_store_that_is_never_used_opens_nothing(path: Path) -> None:
    SQLiteStore(path)

    assert not path.exists()


async def test_a_closed_store_opens_again(path: Path, store: SQLiteStore) -> None:
    run = await created(store)
    await store.close()

    assert await store.get(run.id) == run


# Locks.


async def test_a_lock_that_is_held_for_too_long_is_an_error_in_bounded_time(
    path: Path, store: SQLiteStore
) -> None:
    run = await claimed(store)
    with Lock(path) as lock:
        async with asyncio.timeout(SOON):
            with pytest.raises(StoreError, match="another process has kept the file locked"):
                await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)
        lock.release()

    assert await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence) == 1


async def test_a_file_that_another_process_writes_is_read_meanwhile(
    path: Path, store: SQLiteStore
) -> None:
    run = await finished(store)

    with Lock(path):
        assert await store.get(run.id) == run
        assert len(await log_of(store, run.id)) == 1


async def test_a_lock_that_is_released_in_time_is_waited_for(
    path: Path, store: SQLiteStore
) -> None:
    await created(store)
    patient = SQLiteStore(path, busy_timeout=SOON)
    await created(patient)

    with Lock(path) as lock:
        async with asyncio.TaskGroup() as group:
            creating = group.create_task(created(patient))
            await asyncio.sleep(0)
            lock.release()

    assert (await patient.get(creating.result().id)).status is Status.PENDING
    await patient.close()


@pytest.mark.parametrize("statement", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
async def test_a_new_file_that_another_process_lays_out_is_waited_for(
    path: Path, statement: str
) -> None:
    patient = SQLiteStore(path, busy_timeout=SOON)

    with Lock(path, statement) as lock:
        async with asyncio.TaskGroup() as group:
            creating = group.create_task(created(patient))
            await asyncio.sleep(BRIEF)  # it has tried by then, or the test shows less
            lock.release()

    assert (await patient.get(creating.result().id)).status is Status.PENDING
    await patient.close()


async def test_a_locked_file_cannot_be_begun_with(path: Path, store: SQLiteStore) -> None:
    await created(store)
    await store.close()

    with Lock(path):
        assert "another process has kept the file locked" in await _refusal_of(path)


# A full disk.


async def test_a_full_disk_loses_nothing_and_hides_nothing(path: Path) -> None:
    program = [sys.executable, "-m", "tests.stores.full", str(path)]

    answer = await asyncio.to_thread(subprocess.run, program, capture_output=True, check=True)

    seen = json.loads(answer.stdout)
    acknowledged = list(range(1, seen["refused"]))
    assert "It is full" in seen["reason"]
    assert seen["read"] == acknowledged
    assert seen["status"] == "running"
    assert seen["last"] > acknowledged[-1]
    assert await seqs_in(path, seen["run"]) == list(range(1, seen["last"] + 1))


# Statements that fail.

PLAN = st.lists(st.sampled_from([None, When.BEFORE, When.AFTER]), max_size=12)
PLANNED = st.sampled_from(
    [
        "COMMIT",
        "BEGIN",
        "INSERT INTO blocks",
        "INSERT OR FAIL INTO blocks",
        "UPDATE runs",
        "PRAGMA",
    ]
)


def in_a_folder(story: Callable[[Path], Coroutine[Any, Any, None]]) -> None:
    """Play a story with a file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(story(Path(folder) / "runs.db"))


async def begun(path: Path) -> RunRecord:
    """Begin a run in a file that still works."""
    store = SQLiteStore(path)
    run = await claimed(store)
    await store.close()
    return run


@settings(max_examples=40, deadline=None)
@given(plan=PLAN, planned=PLANNED, sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6))
def test_an_append_that_is_made_until_it_succeeds_is_in_the_log_once(
    plan: list[When | None], planned: str, sizes: list[int]
) -> None:
    async def write(path: Path) -> None:
        run, expected = await begun(path), list[Event]()
        store = SQLiteStore(path)
        with Faults().installed(plan) as faults:
            faults.planned = planned
            for size in sizes:
                block = chunks(run.id, len(expected) + 1, size)
                append = partial(store.append, after=block.first - 1, fence=run.fence)
                await until_done(partial(append, run.id, block))
                expected += block.events()
            last = len(expected)
            await until_done(partial(finish, store, run, after=last))
        await store.close()
        assert await events_in(path, run.id) == [
            *expected,
            *ending(run.id, last + 1, EventType.DONE).events(),
        ]

    in_a_folder(write)


@settings(max_examples=40, deadline=None)
@given(plan=PLAN, planned=PLANNED)
def test_a_process_that_ends_at_a_failure_leaves_what_it_acknowledged(
    plan: list[When | None], planned: str
) -> None:
    async def write(path: Path) -> None:
        run, acknowledged = await begun(path), 0
        store = SQLiteStore(path)
        with Faults().installed(plan) as faults:
            faults.planned = planned
            try:
                for _ in range(len(plan) + 1):
                    block = chunks(run.id, acknowledged + 1, 3)
                    acknowledged = await store.append(
                        run.id, block, after=acknowledged, fence=run.fence
                    )
            except StoreError:
                pass
        await store.close()
        there = await seqs_in(path, run.id)
        assert there in ([*range(1, acknowledged + 1)], [*range(1, acknowledged + 4)])

    in_a_folder(write)


async def until_done(call: Callable[[], Awaitable[object]]) -> None:
    """Make a call again until the store does not fail."""
    while True:
        try:
            await call()
        except StoreError:
            continue
        return


async def test_what_was_asked_for_together_fails_together(
    path: Path, store: SQLiteStore, faults: Faults
) -> None:
    first, second = await claimed(store), await claimed(store)
    faults.plan.append(When.BEFORE)

    outcomes = await asyncio.gather(
        *(
            store.append(run.id, chunks(run.id, 1, 2), after=0, fence=run.fence)
            for run in (first, second)
        ),
        return_exceptions=True,
    )

    for run, outcome in zip((first, second), outcomes, strict=True):
        written = 0 if isinstance(outcome, StoreError) else outcome
        assert len(await log_of(store, run.id)) == written
    assert any(isinstance(outcome, StoreError) for outcome in outcomes)


async def test_a_refusal_is_reported_as_one_next_to_a_failure(
    store: SQLiteStore, faults: Faults
) -> None:
    with pytest.raises(NotFound, match="There is no run"):
        await store.append("rnever", chunks("rnever", 1, 1), after=0, fence=0)

    assert faults.connections == 1


async def test_a_connection_that_failed_is_not_used_again(
    store: SQLiteStore, faults: Faults
) -> None:
    run = await claimed(store)
    before = faults.connections
    faults.plan.append(When.BEFORE)
    with pytest.raises(StoreError, match="reading or writing the disk failed"):
        await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)

    await store.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)

    assert faults.connections == before + 1


async def test_what_cannot_be_written_can_still_be_read(store: SQLiteStore, faults: Faults) -> None:
    run = await finished(store)
    faults.fails = writing

    assert await store.get(run.id) == run
    assert len(await log_of(store, run.id)) == 1
    with pytest.raises(StoreError, match="reading or writing the disk failed"):
        await created(store)


async def test_a_store_that_works_again_needs_nobody_to_say_so(
    store: SQLiteStore, faults: Faults
) -> None:
    run = await finished(store)
    faults.fails = everything
    with pytest.raises(StoreError, match="reading or writing the disk failed"):
        await store.get(run.id)
    with pytest.raises(StoreError, match="reading or writing the disk failed"):
        await created(store)

    faults.repair()

    assert await store.get(run.id) == run
    await created(store)


async def test_who_waits_learns_of_another_process_after_a_failure(
    path: Path, store: SQLiteStore, faults: Faults
) -> None:
    run, other = await claimed(store), SQLiteStore(path)

    async def follow() -> None:
        while not await store.read(run.id, 0):
            await store.read(run.id, 0, wait=SOON)

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        faults.planned = "PRAGMA data_version"
        faults.plan.extend([When.BEFORE] * 3)
        group.create_task(follow())
        while faults.plan:  # noqa: ASYNC110 - the watching thread meets them
            await asyncio.sleep(BRIEF / 10)
        await other.append(run.id, chunks(run.id, 1, 1), after=0, fence=run.fence)

    await other.close()


async def test_a_call_after_the_close_has_begun_is_refused_or_answered(
    store: SQLiteStore,
) -> None:
    await created(store)

    async with asyncio.timeout(SOON):
        _, outcome = await asyncio.gather(store.close(), created(store), return_exceptions=True)

    assert isinstance(outcome, (RunRecord, StoreError))
