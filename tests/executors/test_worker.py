"""Attempts in this process, with leases where others could take the runs over."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from types import FrameType
from typing import Any, ClassVar

import pytest

from tests.support.runs import SOON, first_chunk, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.actions.upload import Upload
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import StoreError
from yieldwire.executors import Holder, RunLimits
from yieldwire.executors.worker import Worker
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores import Admission, Reach
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock
from yieldwire.testing.contract.harness import record

QUIET = Timing(sweep_every=10 * SOON, grace=0.1)
BEATING = replace(QUIET, lease=0.03)


class SharedStore(MemoryStore):
    """Says that other processes share it, so its runs are leased."""

    reach: ClassVar[Reach] = "machine"


async def hang() -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


async def count() -> AsyncIterator[int]:
    yield 1


# Runs that come from elsewhere.


async def test_a_run_that_this_process_did_not_validate_is_read_from_its_record() -> None:
    async def echo(n: int, ctx: Context) -> dict[str, object]:
        return {"n": n, "state": ctx.state, "method": ctx.request.method}

    async with opened(App(timing=QUIET)) as app:
        app.action(echo)
        run = record(
            action="echo",
            input=b'{"n":3}',
            context=b'{"state":{"a":1},"request":{"method":"POST"}}',
        )
        await app.store.create(run, Admission())
        begin(app, run.id)
        heard = await ended(app, run.id)

    assert heard["result"] == {"n": 3, "state": {"a": 1}, "method": "POST"}


@pytest.mark.parametrize(
    ("action", "data"), [("gone", b"{}"), ("hang", b'{"unknown":1}'), ("hang", b"{")]
)
async def test_a_run_that_cannot_be_executed_here_is_interrupted(
    action: str, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(App(timing=QUIET)) as app:
        app.action(hang)
        run = record(action=action, input=data, context=b'{"state":{},"request":{}}')
        await app.store.create(run, Admission())
        begin(app, run.id)
        heard = await ended(app, run.id)

    assert (heard["status"], heard["error"]["code"]) == ("failed", "INTERRUPTED")
    assert "the run cannot be executed" in caplog.text


async def test_a_run_that_is_enqueued_twice_is_executed_once() -> None:
    calls: list[int] = []

    async def act() -> None:
        calls.append(1)

    async with opened(App(timing=QUIET)) as app:
        run = await app.start(app.action(act))
        begin(app, run.id)
        await outcome(run)
        begin(app, run.id)
        begin(app, "rnever")

    assert calls == [1]


async def test_a_nudge_for_a_run_of_another_process_does_nothing() -> None:
    async with opened(App(timing=QUIET)) as app:
        worker(app).nudge("rnever", "requested")


# Leases.


async def test_a_heartbeat_brings_a_cancel_from_another_process() -> None:
    store = SharedStore()
    async with opened(App(store=store, timing=BEATING)) as app:
        run = await app.start(app.action(hang))
        await first_chunk(run)

        await store.request_cancel(run.id, "requested")
        heard = await outcome(run)

    assert heard.code == "CANCELLED"


async def test_a_lease_is_renewed_for_as_long_as_the_run_continues() -> None:
    beat = asyncio.Event()

    class CountingStore(SharedStore):
        async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
            told = await super().heartbeat(run_id, fence=fence, lease=lease)
            beat.set()
            return told

    clock = MovingClock()
    store = CountingStore(clock=clock)
    async with opened(App(store=store, timing=BEATING, clock=clock)) as app:
        run = await app.start(app.action(hang))
        await first_chunk(run)
        async with asyncio.timeout(SOON):
            for _ in range(5):
                clock.advance(0.02)
                beat.clear()
                await beat.wait()
        changed = await store.sweep()

    assert list(changed) == []


async def test_a_run_that_was_taken_away_stops_and_writes_nothing_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, steps = MovingClock(), list[str]()

    async def act() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")

    store = SharedStore(clock=clock)
    async with opened(App(store=store, timing=BEATING, clock=clock)) as app:
        run = await app.start(app.action(retries=1)(act))
        await first_chunk(run)
        clock.advance(1)
        (taken,) = await store.sweep()
        async with asyncio.timeout(SOON):
            while not steps:  # noqa: ASYNC110 - until the heartbeat has told
                await asyncio.sleep(0)
        await asyncio.sleep(0)
        after = await store.get(run.id)

    assert taken.status is Status.PENDING
    assert after == taken
    assert f"the run was taken away: act, {run.id}" in caplog.text


async def test_a_run_whose_worker_was_lost_continues_with_its_next_attempt() -> None:
    attempts: list[int] = []

    async def act(ctx: Context) -> AsyncIterator[int]:
        attempts.append(ctx.attempt)
        yield ctx.attempt

    clock = MovingClock()
    store = SharedStore(clock=clock)
    async with opened(App(store=store, timing=QUIET, clock=clock)) as app:
        app.action(retries=1)(act)
        run = record(action="act", retries=1, context=b'{"state":{},"request":{}}')
        await store.create(run, Admission())
        await store.claim(run.id, lease=1)  # by a process that is gone
        clock.advance(2)

        await app.sweep()
        heard = await ended(app, run.id)

    assert attempts == [2]
    assert (heard["status"], heard["attempt"], heard["seq"]) == ("completed", 2, 3)


async def test_a_run_that_comes_back_to_its_own_process_begins_when_the_old_attempt_is_over() -> (
    None
):
    attempts: list[int] = []
    gate = asyncio.Event()

    async def act(ctx: Context) -> AsyncIterator[int]:
        attempts.append(ctx.attempt)
        yield ctx.attempt
        await gate.wait()
        yield ctx.attempt

    clock = MovingClock()
    async with opened(App(store=SharedStore(clock=clock), timing=QUIET, clock=clock)) as app:
        run = await app.start(app.action(retries=1)(act))
        await first_chunk(run)
        clock.advance(2 * QUIET.lease)

        await app.sweep()
        gate.set()
        heard = await ended(app, run.id)

    assert attempts == [1, 2]
    assert (heard["status"], heard["attempt"], heard["chunk"]) == ("completed", 2, 2)


async def test_an_attempt_that_is_told_only_by_its_write_leaves_the_files_to_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gate = asyncio.Event()

    async def act(file: Upload, ctx: Context) -> AsyncIterator[str]:
        yield f"attempt {ctx.attempt}"
        await gate.wait()
        yield (await file.read()).decode()

    clock = MovingClock()
    store = SQLiteStore(tmp_path / "runs.db", clock=clock)
    async with opened(App(store=store, timing=QUIET, clock=clock)) as app:
        run = await app.start(app.action(retries=1)(act), {"file": BytesIO(b"contents")})
        await first_chunk(run)
        clock.advance(2 * QUIET.lease)

        await app.sweep()
        gate.set()
        heard = await ended(app, run.id)

    assert (heard["status"], heard["attempt"], heard["chunk"]) == ("completed", 2, "contents")
    assert "run failed" not in caplog.text


async def test_a_run_that_its_process_never_began_is_begun_by_another_within_a_lease(
    tmp_path: Path,
) -> None:
    async def act() -> AsyncIterator[int]:
        yield 1

    clock = MovingClock()
    store = SQLiteStore(tmp_path / "runs.db", clock=clock)
    async with opened(App(store=store, timing=QUIET, clock=clock)) as app:
        app.action(act)
        run = record(action="act", context=b'{"state":{},"request":{}}')
        await store.create(run, Admission(lease=QUIET.lease))  # by a process that is gone
        clock.advance(QUIET.lease + 1)

        await app.sweep()
        heard = await ended(app, run.id)

    assert (heard["status"], heard["attempt"]) == ("completed", 1)


async def test_a_worker_that_cannot_reach_the_store_for_a_lease_gives_its_run_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    stopped = asyncio.Event()

    class UnreachableStore(SharedStore):
        async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
            raise StoreError("No route to the store.")

    async def act() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            stopped.set()

    store = UnreachableStore()
    async with opened(App(store=store, timing=BEATING)) as app:
        run = await app.start(app.action(act))
        await first_chunk(run)
        async with asyncio.timeout(SOON):
            await stopped.wait()
        status = (await store.get(run.id)).status

    assert status is Status.RUNNING  # what becomes of it is for a sweep to say


async def test_a_store_that_never_answers_a_heartbeat_costs_its_run_alone() -> None:
    class Deaf(SharedStore):
        """Answers no heartbeat of the first run."""

        first: str | None = None
        answered = asyncio.Event()

        async def heartbeat(self, run_id: str, *, fence: int, lease: float) -> str | None:
            self.first = self.first or run_id
            if run_id == self.first:
                await asyncio.Event().wait()
            self.answered.set()
            return await super().heartbeat(run_id, fence=fence, lease=lease)

    stopped = asyncio.Event()

    async def act() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            stopped.set()

    store = Deaf()
    async with opened(App(store=store, timing=BEATING)) as app:
        await first_chunk(await app.start(app.action(act)))
        async with asyncio.timeout(SOON):
            await stopped.wait()
            await first_chunk(await app.start(app.action(hang)))
            await store.answered.wait()


async def test_what_is_stopped_at_the_close_is_released_to_others() -> None:
    clock = MovingClock()
    store = SharedStore(clock=clock)
    app = App(store=store, timing=replace(QUIET, lease=60.0), clock=clock)
    run = await app.start(app.action(retries=1)(hang))
    await first_chunk(run)

    await app.close()
    clock.advance(0.001)

    assert [(one.id, one.status) for one in await store.sweep()] == [(run.id, Status.PENDING)]


# Closing.


async def test_a_run_that_waits_for_a_thread_is_not_begun_while_closing() -> None:
    uploads = [Upload(BytesIO(b"a")), Upload(BytesIO(b"b"))]

    def act(file: Upload, ctx: Context) -> int:
        while not ctx.is_cancelled:
            continue
        return file.size

    app = App(timing=QUIET, run_limits=RunLimits(threads=1))
    action = app.action(act)
    runs = [await app.start(action, {"file": upload}) for upload in uploads]
    async with asyncio.timeout(SOON):
        while (await app.store.get(runs[0].id)).status is Status.PENDING:  # noqa: ASYNC110
            await asyncio.sleep(0)
        await app.close()

    assert (await app.store.get(runs[1].id)).attempt == 0
    assert [upload.file.closed for upload in uploads] == [True, True]


def worker(app: App) -> Worker:
    return app.lifetime.current.worker


def begin(app: App, run_id: str) -> None:
    worker(app).begin(run_id)


async def ended(app: App, run_id: str) -> dict[str, Any]:
    async with asyncio.timeout(SOON):
        async for _ in app.reader(run_id).pages(0, tick=SOON):
            continue
    return await app.snapshot(run_id)


async def test_an_action_does_not_begin_if_its_lease_was_over_when_the_claim_was_answered() -> None:
    class Late(SharedStore):
        """Answers a claim when the run was taken away again."""

        async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
            run = await super().claim(run_id, lease=lease)
            await asyncio.sleep(BEATING.lease)
            clock.advance(BEATING.lease + 1)
            await self.sweep()
            return run

    begun = list[int]()

    async def act(ctx: Context) -> AsyncIterator[int]:
        begun.append(ctx.attempt)
        yield 1

    clock = MovingClock()
    store = Late(clock=clock)
    async with opened(App(store=store, timing=BEATING, clock=clock)) as app:
        run = await app.start(app.action(act))
        heard = await ended(app, run.id)

    assert (heard["status"], heard["error"]["code"]) == ("failed", "INTERRUPTED")
    assert begun == []


async def test_a_run_is_found_by_the_frames_that_step_it_also_where_they_begin() -> None:
    found = list[Holder | None]()

    def look(frame: FrameType, event: str, _value: object) -> None:
        while event == "call" and frame.f_back is not None:  # as another thread can at any moment
            found.append(Worker.attempt_in(frame))
            frame = frame.f_back

    async with opened(App(timing=QUIET)) as app:
        run = await app.start(app.action(count))
        sys.setprofile(look)
        try:
            await outcome(run)
        finally:
            sys.setprofile(None)

    assert {each.run.id for each in found if each is not None} == {run.id}
