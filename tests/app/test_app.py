"""The verbs of an application, whatever the transport."""

import asyncio
import threading
import tracemalloc
from collections.abc import AsyncIterator, Callable
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import pytest

from tests.support.runs import SOON, call, first_chunk, opened, outcome
from yieldwire.actions.action import Action
from yieldwire.actions.context import Context
from yieldwire.actions.run import Run
from yieldwire.actions.stream import Stream
from yieldwire.actions.upload import Upload
from yieldwire.app import App
from yieldwire.app.configuration import open_store
from yieldwire.app.opening import Opening
from yieldwire.app.sweeping import Sweeping
from yieldwire.clock import SystemClock, Timing
from yieldwire.errors import (
    ActionError,
    Conflict,
    Forbidden,
    KeyReused,
    NotFound,
    ParseError,
    RateLimited,
    StoreError,
    Unauthorized,
    Unavailable,
    UsageError,
    ValidationFailed,
)
from yieldwire.executors import RunLimits
from yieldwire.log.chunks import Progress, Result, Text
from yieldwire.log.run import RunRecord, Status
from yieldwire.log.snapshot import FOLDS_BYTES
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Admission, Query
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock

KEY = "k" * 22
QUIET = Timing(sweep_every=10 * SOON, grace=0.1)
"""So that a sweep comes only when a test asks for it, and runs that hang end with the test."""


async def count(to: int = 2) -> AsyncIterator[int | Result[str]]:
    for n in range(to):
        yield n
    yield Result("counted")


async def hang() -> AsyncIterator[Text]:
    yield Text("here")
    await asyncio.Event().wait()


async def fail() -> AsyncIterator[Text]:
    yield Text("before")
    raise ActionError("NO", "No.")


async def size_of(file: Upload) -> int:
    return file.size


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(timing=QUIET)) as app:
        yield app


async def start_attached(app: App, action: Action[..., Any, Any], caller: Caller) -> str:
    return (await app.begin(StartRequest(action=action, caller=caller, data={}))).id


# Starting.


async def test_a_start_runs_the_action_and_its_result_comes_back(app: App) -> None:
    run = await app.start(app.action(count), {"to": 3})

    async with asyncio.timeout(SOON):
        assert await run.result() == "counted"
    assert (await outcome(run)).chunks == [0, 1, 2]


async def test_an_application_opens_by_itself_at_the_first_start() -> None:
    app = App()

    heard = await call(app, count)
    await app.close()

    assert heard.end[0] == "done"


async def test_an_input_that_does_not_fit_starts_nothing(app: App) -> None:
    action = app.action(count)

    with pytest.raises(ValidationFailed, match="not valid"):
        await app.start(action, {"to": "many"})

    assert list(await app.find(Query(everyone=True))) == []


async def test_guards_come_before_the_input_is_looked_at() -> None:
    steps: list[str] = []

    async def first(ctx: Context) -> None:
        steps.append("application")

    async def second(ctx: Context) -> None:
        steps.append("action")
        raise Unauthorized

    async with opened(App(guards=[first], timing=QUIET)) as app:
        action = app.action(guards=[second])(count)

        with pytest.raises(Unauthorized, match="Sign in"):
            await app.start(action, {"to": "many"})

        assert steps == ["application", "action"]
        assert list(await app.find(Query(everyone=True))) == []


async def test_resources_are_open_while_the_application_is() -> None:
    steps, app = list[str](), App(timing=QUIET)

    @app.registry.resource
    async def pool() -> AsyncIterator[str]:
        steps.append("opens")
        yield "pool"
        for _ in range(20):
            await asyncio.sleep(0)
        steps.append("closes")

    async with opened(app):
        await asyncio.gather(app.open(), app.open())
        steps.append("is open")

    assert steps == ["opens", "is open", "closes"]


async def test_a_resource_that_does_not_open_fails_the_start_and_the_next_one_tries_again() -> None:
    tries, app = list[int](), App(timing=QUIET)

    @app.registry.resource
    async def pool() -> AsyncIterator[str]:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("no database")
        yield "pool"

    with pytest.raises(OSError, match="no database"):
        await app.open()
    async with opened(app):
        heard = await call(app, count)

    assert (heard.end[0], len(tries)) == ("done", 2)


# Idempotency.


async def test_starts_with_one_key_are_one_run(app: App) -> None:
    calls: list[int] = []

    async def act(n: int) -> AsyncIterator[int]:
        calls.append(n)
        yield n

    action = app.action(act)
    runs = await asyncio.gather(
        *(app.start(action, {"n": 1}, owner="ada", key="k") for _ in range(10))
    )
    await outcome(runs[0])
    again = await app.start(action, {"n": "1"}, owner="ada", key="k")

    assert {run.id for run in runs} == {again.id}
    assert calls == [1]


async def test_a_key_with_another_input_is_refused(app: App) -> None:
    action = app.action(count)
    await app.start(action, {"to": 1}, owner="ada", key="k")

    with pytest.raises(KeyReused, match="use a new key"):
        await app.start(action, {"to": 2}, owner="ada", key="k")


async def test_keys_of_two_owners_never_meet(app: App) -> None:
    action = app.action(count)

    runs = [await app.start(action, {}, owner=owner, key=KEY) for owner in ("ada", "ben", None)]

    assert len({run.id for run in runs}) == 3


async def test_an_anonymous_key_must_be_random(app: App) -> None:
    with pytest.raises(ParseError, match="must be random"):
        await app.start(app.action(count), {}, key="k")


async def test_a_repeated_start_lets_its_own_uploads_go(app: App) -> None:
    first, second = Upload(BytesIO(b"abc")), Upload(BytesIO(b"abc"))
    action = app.action(size_of)

    one = await app.start(action, {"file": first}, owner="ada", key="k")
    other = await app.start(action, {"file": second}, owner="ada", key="k")
    await outcome(one)

    assert one.id == other.id
    assert second.file.closed


async def test_a_refused_start_lets_its_uploads_go(app: App) -> None:
    async def hold(file: Upload) -> None:
        await asyncio.Event().wait()

    action = app.action(concurrency=1)(hold)
    await app.start(action, {"file": Upload(BytesIO(b"a"))})
    refused = Upload(BytesIO(b"b"))

    with pytest.raises(RateLimited, match="At most 1"):
        await app.start(action, {"file": refused})

    assert refused.file.closed


async def test_a_start_that_is_cut_off_while_its_run_is_created_leaves_it_its_uploads() -> None:
    is_creating, can_create = asyncio.Event(), asyncio.Event()

    class SlowStore(MemoryStore):
        async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
            is_creating.set()
            await can_create.wait()
            return await super().create(run, admission)

    async def text_of(file: Upload) -> str:
        return (await file.read()).decode()

    async with opened(App(store=SlowStore(), timing=QUIET)) as app:
        action, first = app.action(text_of), {"file": Upload(BytesIO(b"abc"))}
        start = asyncio.ensure_future(app.start(action, first, owner="ada", key="k"))  # noqa: TID251 - cancelled by hand
        await is_creating.wait()
        start.cancel()
        await asyncio.wait({start})
        can_create.set()

        again = {"file": Upload(BytesIO(b"abc"))}
        run = await app.start(action, again, owner="ada", key="k")

        assert (await outcome(run)).end == ("done", {"result": "abc"})
        assert first["file"].file.closed


async def test_a_run_that_is_cancelled_while_it_waits_for_a_thread_closes_its_files() -> None:
    may_end = threading.Event()

    def hold(file: Upload) -> None:
        may_end.wait(SOON)

    async with opened(App(timing=QUIET, run_limits=RunLimits(threads=1))) as app:
        action = app.action(hold)
        first = await app.start(action, {"file": Upload(BytesIO(b"a"))})
        waiting = Upload(BytesIO(b"b"))
        second = await app.start(action, {"file": waiting})
        await asyncio.sleep(0)

        await second.cancel()
        ended = await outcome(second)
        await asyncio.sleep(0)

        assert ended.end[0] == "cancelled"
        assert waiting.file.closed
        may_end.set()
        await outcome(first)


async def test_files_whose_run_can_be_in_a_store_that_fails_are_deleted_when_it_answers(
    tmp_path: Path,
) -> None:
    class Unsure(SQLiteStore):
        fails = False

        async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
            raise StoreError("no answer")

        async def get(self, run_id: str, /) -> RunRecord:
            if self.fails:
                raise StoreError("no answer")
            return await super().get(run_id)

    async with opened(App(store=Unsure(tmp_path / "runs.db"), timing=QUIET)) as app:
        store, upload = cast("Unsure", app.store), Upload(BytesIO(b"a"))
        store.fails = True
        with pytest.raises(StoreError, match="no answer"):
            await app.start(app.action(size_of), {"file": upload})
        assert upload.file.closed

        store.fails = False
        await app.sweep()

        assert list((tmp_path / "runs.db-files").iterdir()) == []


# A concurrency limit's slot comes back.


async def end_by_itself(app: App, run: Run[Any]) -> None:
    await outcome(run)


async def end_by_cancel(app: App, run: Run[Any]) -> None:
    await first_chunk(run)
    await run.cancel()
    await outcome(run)


async def end_unstarted(app: App, run: Run[Any]) -> None:
    await run.cancel()
    await outcome(run)


@pytest.mark.parametrize(
    ("function", "timeout", "end"),
    [
        (count, None, end_by_itself),
        (fail, None, end_by_itself),
        (hang, 0.02, end_by_itself),
        (hang, None, end_by_cancel),
        (hang, None, end_unstarted),
    ],
    ids=["done", "error", "timeout", "cancel", "cancel before the start"],
)
async def test_a_slot_comes_back_on_every_way_out(
    app: App, function: Callable[..., Any], timeout: float | None, end: Callable[..., Any]
) -> None:
    action = app.action(concurrency=1, timeout=timeout)(function)

    for _ in range(3):
        run = await app.start(action)
        with pytest.raises(RateLimited, match="At most 1 runs of"):
            await app.start(action)
        await end(app, run)

    assert len(await app.find(Query(everyone=True))) == 3


async def test_a_start_that_is_refused_takes_no_slot(app: App) -> None:
    async def refuse(ctx: Context) -> None:
        if not ctx.state:
            raise Unauthorized

    refused = app.action(concurrency=1, guards=[refuse])(hang)
    invalid = app.action(concurrency=1)(count)
    for _ in range(3):
        with pytest.raises(Unauthorized, match="Sign in"):
            await app.start(refused)
        with pytest.raises(ValidationFailed, match="not valid"):
            await app.start(invalid, {"to": "many"})

    assert (await outcome(await app.start(invalid))).end[0] == "done"


async def test_a_caller_can_have_a_limited_number_of_runs_in_all() -> None:
    async with opened(App(max_runs=2, timing=QUIET)) as app:
        action = app.action(hang)
        for _ in range(2):
            await app.start(action, {}, owner="ada")

        with pytest.raises(RateLimited, match="At most 2 runs at a time"):
            await app.start(action, {}, owner="ada")

        await app.start(action, {}, owner="ben")


# Reading, cancelling, deleting.


async def test_a_snapshot_is_the_runs_state(app: App) -> None:
    async def act(stream: Stream[Text | Progress]) -> None:
        await stream.send(Text("a"))
        await stream.send(Progress(1, total=2))
        await stream.send(Text("b"))

    run = await app.start(app.action(act))
    await outcome(run)
    snapshot = await app.snapshot(run.id)
    without = await app.snapshot(run.id, with_text=False)

    assert (snapshot["status"], snapshot["seq"], snapshot["text"]) == ("completed", 4, "ab")
    assert snapshot["progress"]["percent"] == 50.0
    assert snapshot["retryAfterMs"] is None
    assert "text" not in without


async def test_a_snapshot_grows_with_the_log(app: App) -> None:
    run = await app.start(app.action(hang))
    await first_chunk(run)

    before = await run.snapshot()
    await run.cancel()
    await outcome(run)
    after = await run.snapshot()

    assert (before["text"], before["status"]) == ("here", "running")
    assert before["retryAfterMs"] == 500
    assert (after["text"], after["status"], after["seq"]) == ("here", "cancelled", 2)
    assert after["error"]["code"] == "CANCELLED"
    assert after["cancelRequested"]


async def test_snapshots_are_kept_folded_in_a_limited_number_of_bytes(app: App) -> None:
    async def tell() -> AsyncIterator[Text]:
        for _ in range(50):
            yield Text("x" * 70_000)

    action = app.action(tell)
    runs = [await app.start(action) for _ in range(20)]  # 70 MB of text
    for run in runs:
        await outcome(run)

    tracemalloc.start()
    try:
        lengths = {len((await run.snapshot())["text"]) for run in [*runs, runs[0]]}
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert lengths == {50 * 70_000}
    assert taken < 1.2 * FOLDS_BYTES


async def test_snapshots_at_once_are_one_fold_and_each_is_whole(app: App) -> None:
    async def tell() -> AsyncIterator[Text]:
        for n in range(60):
            yield Text(f"{n} ".ljust(20_000))

    run = await app.start(app.action(tell))
    await outcome(run)

    tracemalloc.start()
    try:
        snapshots = await asyncio.gather(*[run.snapshot() for _ in range(30)])
        lengths = [len(snapshot["text"]) for snapshot in snapshots]
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert lengths == [60 * 20_000] * 30
    assert taken < 5 * 60 * 20_000  # they share one text


async def test_every_verb_asks_whose_run_it_is() -> None:
    def team(caller: Caller, run: object, verb: str) -> bool:
        return caller.owner == "cleo" and verb == "read"

    async with opened(App(access=team, timing=QUIET)) as app:
        run = await app.start(app.action(count), {}, owner="ada")

        assert (await app.get(run.id, Caller(owner="ada"), "delete")).id == run.id
        assert (await app.get(run.id, Caller(owner="cleo"))).id == run.id
        with pytest.raises(Forbidden, match="somebody else"):
            await app.get(run.id, Caller(owner="cleo"), "cancel")
        with pytest.raises(Unauthorized, match="Sign in"):
            await app.get(run.id, Caller())
        with pytest.raises(NotFound, match="no run"):
            await app.get("rnever", Caller(owner="ada"))


async def test_a_cancel_answers_the_run_as_it_is_then(app: App) -> None:
    run = await app.start(app.action(hang))
    await first_chunk(run)

    asked = await app.cancel(run.id)
    again = await app.cancel(run.id, "another reason")
    await outcome(run)
    ended = await app.cancel(run.id)

    assert (asked.status, asked.cancel_reason) == (Status.RUNNING, "requested")
    assert again.cancel_reason == "requested"
    assert (ended.status, ended.seq) == (Status.CANCELLED, 2)


async def test_an_action_that_was_cancelled_before_its_start_never_runs(app: App) -> None:
    calls: list[str] = []

    async def act(file: Upload) -> None:
        calls.append("called")

    upload = Upload(BytesIO(b"abc"))
    run = await app.start(app.action(act), {"file": upload})
    ended = await app.cancel(run.id)
    await app.close()

    assert ended.status is Status.CANCELLED
    assert calls == []
    assert upload.file.closed


async def test_only_an_ended_run_can_be_deleted(app: App) -> None:
    run = await app.start(app.action(hang))
    await first_chunk(run)

    with pytest.raises(Conflict, match="has not ended"):
        await app.delete(run.id)
    await run.cancel()
    await outcome(run)
    await app.delete(run.id)

    with pytest.raises(NotFound, match="no run"):
        await app.snapshot(run.id)
    with pytest.raises(NotFound, match="no run"):
        await app.cancel(run.id)


# Time.


async def test_a_run_that_nobody_follows_is_stopped_and_a_detached_one_is_not() -> None:
    clock = MovingClock()
    async with opened(App(clock=clock, timing=QUIET)) as app:
        action = app.action(linger=30.0)(hang)
        attached = await start_attached(app, action, Caller())
        detached = await app.start(action)
        await first_chunk(detached)
        clock.advance(31)

        await app.sweep()

        async with asyncio.timeout(SOON):
            pages = [page async for page in app.reader(attached).pages(0, tick=SOON)]
        assert pages[-1][-1].end == "cancelled"
        assert (await app.snapshot(attached))["error"]["data"] == {"reason": "unattended"}
        assert (await detached.snapshot())["status"] == "running"


async def test_a_run_is_forgotten_after_its_retention() -> None:
    clock = MovingClock()
    async with opened(App(clock=clock, timing=QUIET)) as app:
        run = await app.start(app.action(retention=60.0)(count))
        await outcome(run)
        await run.snapshot()
        clock.advance(61)

        await app.sweep()

        with pytest.raises(NotFound, match="no run"):
            await run.snapshot()


async def test_time_is_looked_after_by_itself_and_again_after_a_failure(
    caplog: pytest.LogCaptureFixture,
) -> None:
    swept = asyncio.Event()

    class StumblingStore(MemoryStore):
        sweeps = 0

        async def sweep(self, *, lease: float | None = None) -> list[Any]:
            self.sweeps += 1
            if self.sweeps == 1:
                raise OSError("the disk is full")
            swept.set()
            return []

    async with opened(App(store=StumblingStore(), timing=Timing(sweep_every=0.001))):
        async with asyncio.timeout(SOON):
            await swept.wait()

    assert "a sweep failed, and is retried" in caplog.text
    assert "OSError: the disk is full" in caplog.text


class StumblingSweeping(Sweeping):
    """Cannot look after the first run that its store names."""

    def __init__(self, app: App) -> None:
        super().__init__(app)
        self.seen: list[str] = []

    async def _see(self, opening: Opening, run: RunRecord) -> None:
        self.seen.append(run.id)
        if len(self.seen) == 1:
            raise OSError("its files cannot be deleted")
        await super()._see(opening, run)


async def test_a_run_that_cannot_be_looked_after_keeps_no_other_from_it() -> None:
    clock = MovingClock()
    app = App(store=MemoryStore(clock=clock), timing=QUIET, clock=clock)
    sweeping = StumblingSweeping(app)
    async with opened(app):
        action = app.action(linger=1.0)(hang)
        runs = []
        for _ in range(3):
            request = StartRequest(action=action, caller=Caller(owner="ada"), data={})
            runs.append(await app.begin(request))
        await asyncio.sleep(0)
        clock.advance(60.0)
        await sweeping.sweep()

    assert sorted(sweeping.seen) == sorted(run.id for run in runs)


# Feeds.


async def test_a_shared_feed_is_one_run_for_all_with_the_same_input(app: App) -> None:
    async def ticks(symbol: str) -> AsyncIterator[int]:
        yield 1
        await asyncio.Event().wait()

    action = app.feed(shared=True)(ticks)
    first = await app.start(action, {"symbol": "A"}, owner="ada")
    second = await app.start(action, {"symbol": "A"}, owner="ben")
    other = await app.start(action, {"symbol": "B"}, owner="ada")

    assert first.id == second.id != other.id
    assert (await app.get(first.id, Caller(owner="cleo"))).owner is None


@pytest.mark.parametrize("store", ["memory", "sqlite"])
async def test_starts_that_race_for_a_shared_feed_make_one_run(store: str, tmp_path: Path) -> None:
    path = store if store == "memory" else f"sqlite:///{tmp_path}/runs.db"
    async with opened(App(store=path, timing=QUIET)) as app:
        action = app.feed(shared=True)(hang)

        runs = await asyncio.gather(*(app.start(action) for _ in range(20)))

        assert len({run.id for run in runs}) == 1
        assert len(await app.find(Query(everyone=True))) == 1


@pytest.mark.parametrize("steps", range(8))
async def test_a_shared_feed_continues_though_who_started_it_was_cancelled(
    steps: int, tmp_path: Path
) -> None:
    async with opened(App(store=f"sqlite:///{tmp_path}/runs.db", timing=QUIET)) as app:
        action = app.feed(shared=True)(hang)
        starts = [
            asyncio.ensure_future(app.start(action))  # noqa: TID251 - cancelled by hand
            for _ in range(2)
        ]
        for _ in range(steps):
            await asyncio.sleep(0)

        starts[0].cancel()
        await asyncio.wait(starts)

        run = await starts[1]
        assert await first_chunk(run) == {"type": "text", "text": "here"}
        assert (await app.store.get(run.id)).cancel_reason is None


async def test_a_shared_feed_that_ended_or_is_stopping_starts_over(app: App) -> None:
    action = app.feed(shared=True)(hang)
    first = await app.start(action)
    await first_chunk(first)
    await first.cancel()

    second = await app.start(action)
    await outcome(first)
    await app.delete(first.id)
    third = await app.start(action)

    assert first.id != second.id == third.id


# Closing.


async def test_a_stopping_application_takes_no_starts_and_lets_readers_go(app: App) -> None:
    action = app.action(hang)
    run = await app.start(action)
    await first_chunk(run)

    async def follow() -> bool:
        async with app.reader(run.id) as reader:
            async for _ in reader.pages(0, tick=SOON):
                continue
            return reader.is_leaving

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        following = group.create_task(follow())
        await asyncio.sleep(0)
        app.lifetime.drain()

    assert following.result()
    with pytest.raises(Unavailable, match="stopping"):
        await app.start(action)


async def test_closing_lets_running_actions_finish_within_the_grace() -> None:
    app, may_end = App(timing=Timing(grace=SOON)), asyncio.Event()

    async def act() -> AsyncIterator[int]:
        yield 1
        await may_end.wait()
        yield 2

    run = await app.start(app.action(act))
    await first_chunk(run)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(app.close())
        await asyncio.sleep(0)
        may_end.set()

    async with opened(app):
        assert (await outcome(run)).chunks == [1, 2]


async def test_what_continues_longer_than_the_grace_is_interrupted() -> None:
    app, steps = App(timing=Timing(grace=0.05)), list[str]()

    async def act() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.Event().wait()
        finally:
            steps.append("cleaned up")

    run = await app.start(app.action(act))
    await first_chunk(run)
    await app.close()

    async with opened(app):
        assert (await outcome(run)).code == "INTERRUPTED"
    assert steps == ["cleaned up"]


async def test_an_application_that_never_opened_closes() -> None:
    await App().close()


def test_what_needs_an_open_application_says_so() -> None:
    with pytest.raises(UsageError, match="not open"):
        App().reader("r1")


# Settings.


def test_a_store_is_named_or_handed_in(tmp_path: Path) -> None:
    clock, own = SystemClock(), MemoryStore()

    assert isinstance(open_store("memory", clock), MemoryStore)
    assert isinstance(open_store(f"sqlite:///{tmp_path}/runs.db", clock), SQLiteStore)
    assert open_store(own, clock) is own
