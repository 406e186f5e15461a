"""The first attempt of a run that this process creates and executes, which is claimed with it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic_core import to_json

from tests.support.runs import SOON, opened
from yieldwire.actions.context import Context, RequestFacts
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import StoreError, Unavailable
from yieldwire.executors.external import ExternalExecutor
from yieldwire.log.run import RunRecord, Status, new_run_id
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Admission, Query, Reach
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock

QUIET = Timing(sweep_every=10 * SOON, grace=0.1)


class Steps(MemoryStore):
    """Notes how each run is created, and what is claimed."""

    reach: ClassVar[Reach] = "machine"

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - the store's own
        super().__init__(**settings)
        self.created, self.claims = list[RunRecord](), list[str]()

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        self.created.append(await super().create(run, admission))
        return self.created[-1]

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        self.claims.append(run_id)
        return await super().claim(run_id, lease=lease)


async def count() -> AsyncIterator[int]:
    yield 1


def blocking() -> int:
    return 1


def request(app: App, function: Any, **settings: Any) -> StartRequest:  # noqa: ANN401 - any action
    return StartRequest(action=app.action(function), caller=Caller(), data={}, **settings)


async def ended(app: App, run_id: str) -> RunRecord:
    async with asyncio.timeout(SOON):
        async for _ in app.reader(run_id).pages(0, tick=SOON):
            continue
    return await app.store.get(run_id)


async def test_a_run_whose_caller_waits_is_created_and_claimed_in_one_step() -> None:
    store = Steps()
    async with opened(App(store=store, timing=QUIET)) as app:
        run = await app.begin(request(app, count))
        after = await ended(app, run.id)

    assert (run.status, run.attempt) == (Status.RUNNING, 1)
    assert (after.status, after.attempt) == (Status.COMPLETED, 1)
    assert store.claims == []


@pytest.mark.parametrize(
    ("function", "settings"),
    [(count, {"detached": True}), (blocking, {}), (count, {"not_before": 2.0})],
)
async def test_another_run_is_claimed_when_its_attempt_begins(
    function: object, settings: dict[str, Any]
) -> None:
    clock = MovingClock()
    store = Steps(clock=clock)
    async with opened(App(store=store, timing=QUIET, clock=clock)) as app:
        run = await app.begin(request(app, function, **settings))
        clock.advance(3)
        await app.sweep()
        after = await ended(app, run.id)

    assert [each.status for each in store.created] == [Status.PENDING]
    assert (after.status, after.attempt) == (Status.COMPLETED, 1)
    assert store.claims == [run.id]


async def test_a_run_that_others_execute_is_not_claimed_here() -> None:
    store = Steps()
    executor = ExternalExecutor(lambda _: None)
    async with opened(App(store=store, executor=executor, timing=QUIET)) as app:
        await app.begin(request(app, count))

    assert [each.status for each in store.created] == [Status.PENDING]


begun = list[int]()


async def value(ctx: Context) -> int:
    begun.append(ctx.attempt)
    return 1


async def stream(ctx: Context) -> AsyncIterator[int]:
    begun.append(ctx.attempt)
    yield 1


@pytest.fixture(autouse=True)
def nothing_begun() -> None:
    begun.clear()


@pytest.mark.parametrize("function", [value, stream])
@pytest.mark.parametrize("make", [Steps, MemoryStore])
async def test_a_function_is_not_called_if_its_run_is_cancelled_before(
    function: object, make: type[MemoryStore]
) -> None:
    async with opened(App(store=make(), timing=QUIET)) as app:
        run = await app.begin(request(app, function))
        await app.cancel(run.id)
        after = await ended(app, run.id)

    assert (after.status, after.cancel_reason) == (Status.CANCELLED, "requested")
    assert begun == []


class Slow(Steps):
    """Says some time later that it has created a run."""

    def __init__(self) -> None:
        super().__init__()
        self.has_created = asyncio.Event()

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        created = await super().create(run, admission)
        self.has_created.set()
        await asyncio.sleep(0.01)
        return created


async def cancelled_while_created(app: App, start: StartRequest, store: Slow) -> RunRecord:
    """Start a run, cancel the caller while the store creates it, and return the run."""
    async with asyncio.TaskGroup() as group:
        starting = group.create_task(app.begin(start))
        await store.has_created.wait()
        starting.cancel()
    assert starting.cancelled()
    return await ended(app, store.created[0].id)


async def test_a_caller_that_is_cancelled_while_its_run_is_created_leaves_none_running() -> None:
    store = Slow()

    async with opened(App(store=store, timing=QUIET)) as app:
        after = await cancelled_while_created(app, request(app, value), store)

    assert (after.status, after.cancel_reason) == (Status.CANCELLED, "requested")
    assert begun == []


async def test_of_a_run_that_others_execute_a_cancelled_caller_begins_no_attempt() -> None:
    class Taken(Slow):
        """A worker of another process claims the run before the caller's cancel."""

        async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
            pending = await MemoryStore.create(self, run, admission)
            self.created.append(await MemoryStore.claim(self, pending.id, lease=60.0))
            self.has_created.set()
            await asyncio.sleep(0.01)
            return pending

    store, sent = Taken(), list[str]()
    async with opened(
        App(store=store, executor=ExternalExecutor(sent.append), timing=QUIET)
    ) as app:
        async with asyncio.TaskGroup() as group:
            starting = group.create_task(app.begin(request(app, value)))
            await store.has_created.wait()
            starting.cancel()
        await asyncio.sleep(0.05)
        after = await store.get(store.created[0].id)

    assert (after.status, after.cancel_reason) == (Status.RUNNING, "requested")
    assert (sent, begun) == ([], [])


async def test_a_run_with_a_key_continues_if_its_caller_is_cancelled_while_it_is_created() -> None:
    store = Slow()
    async with opened(App(store=store, timing=QUIET)) as app:
        after = await cancelled_while_created(app, request(app, count, key="a" * 32), store)

    assert (after.status, after.attempt, store.claims) == (Status.COMPLETED, 1, [])


async def test_a_run_that_was_created_although_the_store_failed_to_say_so_is_executed() -> None:
    class Silent(Steps):
        async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
            await super().create(run, admission)
            raise StoreError("The answer was lost.")

    store = Silent()
    async with opened(App(store=store, timing=QUIET)) as app:
        run = await app.begin(request(app, count))
        after = await ended(app, run.id)

    assert (after.status, after.attempt, store.claims) == (Status.COMPLETED, 1, [])


@pytest.mark.parametrize("is_there", [True, False])
async def test_a_run_of_which_the_store_says_nothing_for_a_while_is_executed_if_it_is_there(
    *, is_there: bool
) -> None:
    class Down(Steps):
        """Cannot be asked for a moment, after it has created a run or not."""

        is_down = False

        async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
            if is_there:
                await super().create(run, admission)
            self.is_down = True
            raise StoreError("The answer was lost.")

        async def get(self, run_id: str, /) -> RunRecord:
            if self.is_down:
                raise StoreError("The store is down.")
            return await super().get(run_id)

    store = Down()
    async with opened(App(store=store, timing=QUIET)) as app:
        start = request(app, stream, key="k" * 32)
        with pytest.raises(StoreError):
            await app.begin(start)
        store.is_down = False
        async with asyncio.timeout(SOON):
            while is_there and not begun:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        runs = await store.find(Query(everyone=True))
        after = [await ended(app, run.id) for run in runs]

    assert [(run.status, run.attempt) for run in after] == [(Status.COMPLETED, 1)] * is_there
    assert begun == [1] * is_there


async def test_a_run_that_others_have_taken_over_meanwhile_is_left_to_them() -> None:
    class Late(Steps):
        """Says that it has created a run when another process has its second attempt."""

        async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
            first = await super().create(run, admission)
            clock.advance(QUIET.lease + 1)
            await self.sweep()
            await MemoryStore.claim(self, first.id, lease=60.0)
            raise StoreError("The answer was lost.")

    clock = MovingClock()
    store = Late(clock=clock)
    async with opened(App(store=store, timing=QUIET, clock=clock)) as app:
        start = StartRequest(action=app.action(retries=1)(stream), caller=Caller(), data={})
        run = await app.begin(start)
        async with asyncio.timeout(SOON):
            while not store.claims:  # noqa: ASYNC110
                await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        after = await store.get(run.id)

    assert begun == []
    assert (after.status, after.attempt) == (Status.RUNNING, 2)


async def test_an_action_does_not_begin_if_its_lease_was_over_when_its_run_was_created() -> None:
    class Late(Steps):
        async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
            created = await super().create(run, admission)
            await asyncio.sleep(lease / 2)
            clock.advance(lease + 1)
            await self.sweep()
            return created

    lease, clock = 0.05, MovingClock()
    timing = Timing(sweep_every=10 * SOON, grace=0.1, lease=lease)
    async with opened(App(store=Late(clock=clock), timing=timing, clock=clock)) as app:
        run = await app.begin(request(app, stream))
        after = await ended(app, run.id)

    assert after.status is Status.FAILED
    assert begun == []


@pytest.mark.parametrize("retries", [0, 1])
async def test_a_run_whose_process_died_before_its_first_step_is_interrupted_or_starts_again(
    retries: int,
) -> None:
    clock = MovingClock()
    store = Steps(clock=clock)
    # What such a process leaves: a run that is created and claimed.
    facts = to_json({"state": {}, "request": RequestFacts().to_dict()})
    left = RunRecord(new_run_id(), "stream", "somebody", context=facts, retries=retries)
    await store.create(left, Admission(lease=QUIET.lease, claims=True))
    async with opened(App(store=store, timing=QUIET, clock=clock)) as app:
        app.action(retries=retries)(stream)
        await app.sweep()
        before = await store.get(left.id)
        clock.advance(QUIET.lease + 1)
        await app.sweep()
        after = await ended(app, left.id)

    assert before.status is Status.RUNNING  # it can still be alive
    assert (after.status, after.attempt) == [(Status.FAILED, 1), (Status.COMPLETED, 2)][retries]
    assert begun == [2] * retries


async def test_two_starts_with_one_place_for_uploads_are_one_run(tmp_path: Path) -> None:
    path = tmp_path / "runs.db"
    apps = [App(store=SQLiteStore(path), timing=QUIET) for _ in range(2)]
    async with opened(apps[0]) as one, opened(apps[1]) as other:
        place = new_run_id()
        starts = [request(app, stream, key="k" * 32, place=place) for app in (one, other)]
        runs = await asyncio.gather(
            *(app.begin(start) for app, start in zip((one, other), starts, strict=True))
        )
        after = await ended(one, place)

    assert [run.id for run in runs] == [place] * 2
    assert (after.status, begun) == (Status.COMPLETED, [1])


@pytest.mark.parametrize(
    ("reach", "status"), [("process", Status.COMPLETED), ("machine", Status.FAILED)]
)
async def test_a_run_that_is_created_while_its_process_closes_does_not_stay_unfinished(
    reach: Reach, status: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = MovingClock()
    store: Any = (
        MemoryStore(clock=clock)
        if reach == "process"
        else SQLiteStore(tmp_path / "runs.db", clock=clock)
    )
    app = App(store=store, timing=QUIET, clock=clock)
    await app.open()
    start = request(app, count)
    worker = app.lifetime.current.worker
    begin = worker.begin

    def begin_late(run_id: str, prepared: Any = None, /) -> None:  # noqa: ANN401 - as there
        monkeypatch.setattr(worker, "_is_closing", True)
        begin(run_id, prepared)

    monkeypatch.setattr(worker, "begin", begin_late)
    run = await app.begin(start)
    await app.close()

    async with opened(app):
        clock.advance(0.001)
        await app.sweep()
        after = await ended(app, run.id)

    assert after.status is status


async def test_a_process_that_stops_starts_nothing() -> None:
    store = Steps()
    app = App(store=store, timing=QUIET)
    await app.open()
    start = request(app, count)
    app.lifetime.drain()

    with pytest.raises(Unavailable):
        await app.begin(start)
    await app.close()

    assert store.created == []
