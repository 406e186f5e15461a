"""Runs that start later: after a delay, or at a time."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.support.runs import SOON, opened
from yieldwire import Timing, Upload
from yieldwire.app import App
from yieldwire.errors import RunCancelled, UsageError
from yieldwire.log.run import Status
from yieldwire.stores import RunStore
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock

QUIET = Timing(sweep_every=3600.0)


async def double(n: int) -> int:
    return 2 * n


@pytest.fixture
def clock() -> MovingClock:
    return MovingClock()


@pytest.fixture
async def app(clock: MovingClock) -> AsyncIterator[App]:
    async with opened(App(clock=clock, timing=QUIET)) as app:
        yield app


async def test_a_run_starts_after_its_delay(app: App, clock: MovingClock) -> None:
    action = app.action(double)
    run = await app.start.with_options(delay=60)(action, n=2)

    clock.advance(59)
    await app.sweep()
    assert (await app.store.get(run.id)).status is Status.PENDING
    clock.advance(2)
    await app.sweep()

    async with asyncio.timeout(SOON):
        assert await run.result() == 4


async def test_a_run_starts_by_itself_when_its_time_has_come() -> None:
    async with opened(App(timing=Timing(sweep_every=0.005))) as app:
        time = datetime.now(UTC) + timedelta(milliseconds=20)
        async with asyncio.timeout(SOON):
            assert await app.start(app.action(double), {"n": 2}, start_at=time).result() == 4


async def test_a_run_starts_at_once_if_its_time_is_over(app: App) -> None:
    action = app.action(double)
    async with asyncio.timeout(SOON):
        assert await app.start(action, {"n": 1}, start_at=datetime(2000, 1, 1, tzinfo=UTC)).result()
        assert await app.start(action, {"n": 1}, delay=timedelta(0)).result()


async def test_a_run_of_a_queue_is_taken_after_its_delay(
    tmp_path: Path, clock: MovingClock
) -> None:
    store = SQLiteStore(tmp_path / "runs.db", clock=clock)
    async with opened(App(store=store, clock=clock, timing=QUIET)) as app:
        action = app.action(queue="slow")(double)
        late = await app.start(action, {"n": 2}, delay=timedelta(minutes=1))

        assert await store.take(["slow"], lease=1.0) is None
        clock.advance(61)

        taken = await store.take(["slow"], lease=1.0)
        assert taken is not None
        assert taken.id == late.id


@pytest.mark.parametrize("is_kept", [False, True])
async def test_a_run_starts_at_its_time_also_after_a_restart(
    tmp_path: Path, clock: MovingClock, *, is_kept: bool
) -> None:
    memory = MemoryStore(clock=clock)

    def store() -> RunStore:
        return SQLiteStore(tmp_path / "runs.db", clock=clock) if is_kept else memory

    async with opened(App(store=store(), clock=clock, timing=QUIET)) as before:
        run = await before.start(before.action(double), {"n": 2}, delay=60)

    after = App(store=store(), clock=clock, timing=QUIET)
    action = after.action(double)
    async with opened(after):
        await after.sweep()
        assert (await after.store.get(run.id)).status is Status.PENDING
        clock.advance(61)
        await after.sweep()
        async with asyncio.timeout(SOON):
            assert await (await after.runs.get(run.id, action)).result() == 4


async def test_a_run_that_is_cancelled_before_its_time_never_starts(
    app: App, clock: MovingClock
) -> None:
    run = await app.start(app.action(double), {"n": 2}, delay=60)

    await run.cancel()
    clock.advance(61)
    await app.sweep()

    with pytest.raises(RunCancelled, match="was cancelled"):
        await run.result()


async def test_the_files_of_a_run_are_kept_until_its_time(
    tmp_path: Path, clock: MovingClock
) -> None:
    def size(file: Upload) -> int:
        return len(file.file.read())

    store = SQLiteStore(tmp_path / "runs.db", clock=clock)
    async with opened(App(store=store, clock=clock, timing=QUIET)) as app:
        run = await app.start(app.action(size), {"file": Upload(BytesIO(b"abc"))}, delay=60)
        clock.advance(61)
        await app.sweep()
        async with asyncio.timeout(SOON):
            assert await run.result() == 3


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"delay": -1}, "delay is a number of seconds"),
        ({"delay": float("nan")}, "delay is a number of seconds"),
        ({"delay": "60"}, "delay is a number of seconds"),
        ({"start_at": 12.5}, "datetime with a time zone"),
        ({"start_at": datetime(2030, 1, 1)}, "datetime with a time zone"),  # noqa: DTZ001 - a mistake
        ({"delay": 1, "start_at": datetime(2030, 1, 1, tzinfo=UTC)}, "not both"),
    ],
)
async def test_a_delay_or_a_time_that_is_invalid_starts_nothing(
    app: App, options: dict[str, Any], why: str
) -> None:
    with pytest.raises(UsageError, match=why):
        await app.start.with_options(**options)(app.action(double), n=1)
