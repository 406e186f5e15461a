"""A run without an executor is appended to by callers who have read it to its end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from yieldwire import Timing
from yieldwire.app import App
from yieldwire.app.appending import Appending
from yieldwire.errors import AppendConflict, Conflict, PayloadTooLarge, RunEnded
from yieldwire.executors import RunLimits
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores.sqlite import SQLiteStore

QUIET = Timing(sweep_every=60.0, lease=0.05, grace=0.0)
DONE = (EventType.DONE, b"{}")


async def leave(run_id: str) -> None:
    """Leave the run to those who append to it."""


async def journal() -> AsyncIterator[int]:
    yield 0
    raise AssertionError("others append")


def application(path: Path, limits: RunLimits | None = None) -> App:
    store = SQLiteStore(path / "runs.db")
    app = App(store=store, executor=leave, timing=QUIET, run_limits=limits)
    app.action(linger=None)(journal)
    return app


@pytest.fixture
async def app(tmp_path: Path) -> AsyncIterator[App]:
    app = application(tmp_path, RunLimits(max_events=4, max_bytes=700, max_event_bytes=40))
    await app.open()
    yield app
    await app.close()


async def started(app: App) -> RunRecord:
    run = await app.start(app.registry.action_named("journal"))
    return await app.store.get(run.id)


async def test_a_run_is_appended_to_and_ends_when_that_is_said(app: App) -> None:
    run = await started(app)

    first = await Appending(app).append(run, [b"1", b"2"], log_bytes=0)
    last = await Appending(app).append(first, [b"3"], log_bytes=4, end=DONE)

    assert (first.seq, first.status) == (2, Status.RUNNING)
    assert (last.seq, last.status) == (4, Status.COMPLETED)
    with pytest.raises(RunEnded, match="has ended"):
        await Appending(app).append(last, [b"4"], log_bytes=6)


async def test_two_who_append_at_once_do_not_both_succeed(app: App) -> None:
    run = await started(app)

    outcomes = await asyncio.gather(
        *(Appending(app).append(run, [chunk], log_bytes=0) for chunk in (b"1", b"2")),
        return_exceptions=True,
    )

    kinds = {type(outcome) for outcome in outcomes}
    assert kinds == {RunRecord, AppendConflict}
    assert (await app.store.get(run.id)).seq == 1


async def test_another_process_continues(app: App, tmp_path: Path) -> None:
    run = await Appending(app).append(await started(app), [b"1"], log_bytes=0)
    other = application(tmp_path)
    await other.open()

    await asyncio.sleep(2 * QUIET.lease)
    await other.sweep()  # there is no lease that could run out
    after = await Appending(other).append(await other.store.get(run.id), [b"2"], log_bytes=2)
    await other.close()

    assert (after.seq, after.status) == (2, Status.RUNNING)


async def test_nothing_is_appended_to_what_an_executor_runs() -> None:
    app = App(timing=QUIET)
    app.action(journal)
    run = RunRecord(id="r" + 20 * "A", action="journal", quota_key="owner:ada")

    with pytest.raises(Conflict, match="external executor"):
        await Appending(app).append(run, [b"1"], log_bytes=0)


@pytest.mark.parametrize(
    ("chunks", "log_bytes", "told"),
    [
        ([b"1"] * 4, 0, "4 events"),
        ([b'"%b"' % (40 * b"x")], 0, "40 bytes"),
        ([b"1"], 700, "700 bytes"),
    ],
)
async def test_a_log_has_limits_but_always_an_end(
    app: App, chunks: list[bytes], log_bytes: int, told: str
) -> None:
    run = await started(app)

    with pytest.raises(PayloadTooLarge, match=told):
        await Appending(app).append(run, chunks, log_bytes=log_bytes)
    ended = await Appending(app).append(run, [], log_bytes=log_bytes, end=DONE)

    assert ended.status is Status.COMPLETED
