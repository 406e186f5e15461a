"""The SQLite store keeps the contract, and everything in it outlives the process."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from yieldwire.errors import RunCancelled, StoreError
from yieldwire.log.run import Status
from yieldwire.stores import Admission, Query
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock
from yieldwire.testing.contract import StoreContract, StoreHarness
from yieldwire.testing.contract.harness import claimed, created, finished, record


class SQLiteHarness:
    """An SQLite store on a clock of its own, in a file that can be opened again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.clock = MovingClock()
        self.store = SQLiteStore(path, clock=self.clock)
        self.others: list[SQLiteStore] = []

    async def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)

    async def jump(self, seconds: float) -> None:
        self.clock.jump(seconds)

    async def another(self) -> SQLiteStore:
        self.others.append(SQLiteStore(self._path, clock=self.clock))
        return self.others[-1]

    async def reopen(self) -> None:
        await self.store.close()
        self.store = SQLiteStore(self._path, clock=self.clock)


class TestSQLiteStore(StoreContract):
    @pytest.fixture
    async def harness(self, tmp_path: Path) -> AsyncIterator[StoreHarness]:
        harness = SQLiteHarness(tmp_path / "runs.db")
        yield harness
        for store in [harness.store, *harness.others]:
            await store.close()


async def start_the_machine_anew(path: Path) -> None:
    """Let the file think that it was written before the machine's last start."""

    def forget() -> None:
        connection = sqlite3.connect(path)
        connection.execute("UPDATE about SET boot = 'an earlier one'")
        connection.commit()
        connection.close()

    await asyncio.to_thread(forget)


async def test_after_a_restart_of_the_machine_no_lease_is_held(tmp_path: Path) -> None:
    path, before = tmp_path / "runs.db", MovingClock()
    before.advance(100_000.0)
    store = SQLiteStore(path, clock=before)
    run = await claimed(store, lease=15.0)
    await store.close()

    await start_the_machine_anew(path)
    store = SQLiteStore(path, clock=MovingClock())  # its monotonic time begins again
    (swept,) = await store.sweep()
    await store.close()

    assert (swept.id, swept.status) == (run.id, Status.FAILED)


async def test_after_a_restart_of_the_machine_a_run_still_starts_at_its_time(
    tmp_path: Path,
) -> None:
    path, before, after = tmp_path / "runs.db", MovingClock(), MovingClock()
    before.advance(100_000.0)
    after.jump(100_000.0)
    store = SQLiteStore(path, clock=before)
    run = await created(store, linger=None, not_before=before.now() + 100.0)
    await store.close()

    await start_the_machine_anew(path)
    store = SQLiteStore(path, clock=after)  # its monotonic time begins again
    assert await store.sweep() == []
    after.advance(101.0)
    (swept,) = await store.sweep()
    await store.close()

    assert swept.id == run.id


async def test_after_a_restart_of_the_machine_a_refused_key_is_refused_for_its_whole_time(
    tmp_path: Path,
) -> None:
    path, before, after = tmp_path / "runs.db", MovingClock(), MovingClock()
    before.advance(100_000.0)
    store = SQLiteStore(path, clock=before)
    await store.refuse("k", seconds=60.0)
    await store.close()

    await start_the_machine_anew(path)
    store = SQLiteStore(path, clock=after)  # its monotonic time begins again
    await store.sweep()
    after.advance(50.0)
    await store.sweep()
    with pytest.raises(RunCancelled, match="before it arrived"):
        await store.create(record(), Admission(key="k"))
    after.advance(20.0)
    await store.sweep()

    assert await store.create(record(), Admission(key="k"))
    await store.close()


async def test_after_a_restart_of_the_machine_retention_goes_by_the_wall_clock(
    tmp_path: Path,
) -> None:
    path, before, after = tmp_path / "runs.db", MovingClock(), MovingClock()
    before.advance(100_000.0)
    store = SQLiteStore(path, clock=before)
    run = await finished(store, retention=60.0)
    await store.close()

    await start_the_machine_anew(path)
    after.jump(before.now() - after.now() + 50.0)
    store = SQLiteStore(path, clock=after)
    purged = [await store.purge()]
    after.advance(11.0)
    purged.append(await store.purge())
    await store.close()

    assert purged == [[], [run.id]]


@pytest.mark.parametrize("place", range(10))
async def test_a_run_that_cannot_be_stored_fails_alone(tmp_path: Path, place: int) -> None:
    store = SQLiteStore(tmp_path / "runs.db")
    await store.find(Query(everyone=True))
    runs = [record(labels=("fine",)) for _ in range(10)]
    runs[place] = runs[place]._replace(action="\ud800")  # a text that UTF-8 does not have

    outcomes = await asyncio.gather(
        *(store.create(run, Admission()) for run in runs), return_exceptions=True
    )

    assert isinstance(outcomes.pop(place), StoreError)
    kept = {run.id for run in await store.find(Query(everyone=True))}
    assert kept == {run.id for run in runs} - {runs[place].id}
    await store.close()


async def test_a_sweep_that_has_nothing_to_do_does_not_wait_for_another_processs_write(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runs.db"
    store = SQLiteStore(path, clock=MovingClock(), busy_timeout=0.0)
    run = await claimed(store, lease=15.0, linger=30.0)
    await store.hold(run.id, "tab", seconds=45.0)
    await store.get(run.id)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    swept, purged = await store.sweep(), await store.purge()
    other.close()
    await store.close()

    assert (list(swept), list(purged)) == ([], [])


async def test_a_sweep_that_has_nothing_to_do_reads_no_input(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    store = SQLiteStore(path, clock=MovingClock())
    await claimed(store, lease=15.0, linger=30.0)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("DROP TABLE inputs")

    swept = await store.sweep()
    other.close()
    await store.close()

    assert list(swept) == []


async def test_revocations_that_no_process_has_to_be_told_of_are_forgotten_by_a_sweep(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runs.db"
    store = SQLiteStore(path)
    for owner in ("ada", "ben", "cleo"):
        await store.revoke(owner)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("UPDATE revocations SET at = at - 3601 WHERE owner != 'cleo'")

    await store.sweep()
    rest = other.execute("SELECT n, owner FROM revocations").fetchall()
    other.execute("UPDATE revocations SET at = at - 3601")
    await store.sweep()
    missed, complete = await store.revoked(0), await store.revoked(3)
    await store.revoke("dan")
    told = await store.revoked(3)
    other.close()
    await store.close()

    assert rest == [(3, "cleo")]
    assert (missed.last, missed.is_whole, complete.is_whole) == (3, False, True)
    assert (told.last, [*told.at], told.is_whole) == (4, ["dan"], True)


async def test_after_a_restart_of_the_machine_nobody_is_told_of_what_was_revoked_before(
    tmp_path: Path,
) -> None:
    path = tmp_path / "runs.db"
    store = SQLiteStore(path)
    await store.revoke("ada")
    await store.close()

    await start_the_machine_anew(path)
    store = SQLiteStore(path)
    told = await store.revoked(0)
    await store.close()

    assert (told.last, dict(told.at)) == (1, {})


@pytest.mark.parametrize("place", range(5))
@pytest.mark.parametrize("damage", ["labels = '{'", "status = 'of tomorrow'", "fence = 'f'"])
async def test_a_damaged_run_keeps_no_other_from_being_swept_or_listed(
    tmp_path: Path, place: int, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    path, clock = tmp_path / "runs.db", MovingClock()
    store = SQLiteStore(path, clock=clock)
    runs = [await claimed(store, lease=1.0, linger=None) for _ in range(5)]
    damaged = runs.pop(place)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute(f"UPDATE runs SET {damage} WHERE id = ?", (damaged.id,))  # noqa: S608
    clock.advance(2.0)

    swept = await store.sweep()
    await store.sweep()
    listed = await store.find(Query(everyone=True))
    await store.close()

    assert {run.id for run in swept} == {run.id for run in runs}
    assert {run.id for run in listed} >= {run.id for run in runs}
    told = [each for each in caplog.records if damaged.id in each.getMessage()]
    assert len(told) == 1
