"""What an application tells its hooks, and that they only watch."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from tests.support.calls import get, post, send
from tests.support.runs import SOON, call, first_chunk, opened, outcome
from yieldwire import ActionError, Actions, Context, Retry
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import ErrorObject, UsageError, ValidationFailed
from yieldwire.hooks import Hooks, RunLogging, Watch, carried_by
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Admission
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing import MovingClock
from yieldwire.testing.contract.harness import record

QUIET = Timing(sweep_every=10 * SOON, grace=0.1)


class Notes(Hooks):
    """Notes everything that it is told."""

    def __init__(self) -> None:
        self.notes: list[tuple[Any, ...]] = []
        self.readers: list[tuple[int, str | None]] = []

    def run_created(self, run: RunRecord, /) -> None:
        self.notes.append(("created", run.id))

    def attempt_started(self, run: RunRecord, /) -> None:
        self.notes.append(("started", run.id, run.attempt))

    def block_appended(self, run: RunRecord, block: Block, /) -> None:
        self.notes.append(("appended", run.id, block.first, block.last))

    def start_refused(self, action: str, error: Exception, /) -> None:
        self.notes.append(("start refused", action, getattr(error, "code", None)))

    def step_recorded(self, run: RunRecord, name: str, /) -> None:
        self.notes.append(("step", run.id, name))

    def attempt_ended(self, run: RunRecord, error: BaseException | None, /) -> None:
        name = None if error is None else type(error).__name__
        self.notes.append(("attempt", run.id, run.attempt, run.status.value, name))

    def run_ended(self, run: RunRecord, /) -> None:
        self.notes.append(("ended", run.id, run.status.value))

    def reader_came(self, run_id: str, reader: str, after: int, run: RunRecord | None, /) -> None:
        self.notes.append(("came", run_id, reader))
        self.readers.append((after, None if run is None else run.id))

    def reader_left(self, run_id: str, reader: str, /) -> None:
        self.notes.append(("left", run_id, reader))

    def request_refused(self, method: str, path: str, error: ErrorObject, /) -> None:
        self.notes.append(("refused", method, path, error.code))

    def swept(self, runs: Sequence[RunRecord], /) -> None:
        self.notes.append(("swept", *(run.id for run in runs)))

    def of(self, *kinds: str) -> list[tuple[Any, ...]]:
        return [note for note in self.notes if note[0] in kinds]


class Clumsy(Notes):
    """Notes everything, and raises."""

    def __getattribute__(self, name: str) -> Any:  # noqa: ANN401 - whatever it has
        value = super().__getattribute__(name)
        if name in vars(Hooks) and not name.startswith("_"):

            def raise_(*facts: object) -> None:
                value(*facts)
                raise OSError(f"{name} fell over")

            return raise_
        return value


async def two() -> AsyncIterator[int]:
    yield 1
    await asyncio.sleep(0)
    yield 2


async def hang() -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


async def broken() -> int:
    raise ActionError("BROKEN", "It is broken.")


async def test_a_hook_follows_a_run_from_its_start_to_its_end() -> None:
    notes = Notes()
    async with opened(App(hooks=[notes], timing=QUIET)) as app:
        run = await app.start(app.action(two))
        await outcome(run)

    assert notes.of("created", "started", "appended", "ended") == [
        ("created", run.id),
        ("started", run.id, 1),
        ("appended", run.id, 1, 1),
        ("appended", run.id, 2, 3),
        ("ended", run.id, "completed"),
    ]


async def test_a_hook_sees_each_reader_come_and_leave() -> None:
    notes = Notes()
    async with opened(App(hooks=[notes], timing=QUIET)) as app:
        run = await app.start(app.action(hang))
        async with app.reader(run.id) as stream, aclosing(stream.pages(0, tick=SOON)) as pages:
            await anext(pages)
            came = notes.of("came", "left")
        with_left = notes.of("came", "left")
        async with aclosing(app.reader(run.id).pages(0, tick=SOON)) as pages:
            await anext(pages)
        _, _, *other = notes.of("came", "left")

    assert came == [("came", run.id, stream.id)]
    assert with_left == [*came, ("left", run.id, stream.id)]
    assert [(kind, run_id) for kind, run_id, _ in other] == [("came", run.id), ("left", run.id)]
    assert other[0][2] == other[1][2] != stream.id


async def test_a_run_that_is_cancelled_while_it_is_pending_ends_once() -> None:
    notes = Notes()
    app = App(hooks=[notes], timing=QUIET, executor=Nowhere())
    async with opened(app):
        run = await app.start(app.action(hang))
        await asyncio.gather(app.cancel(run.id), app.cancel(run.id))
        await app.cancel(run.id)

    assert notes.of("started", "ended") == [("ended", run.id, "cancelled")]


async def test_a_run_that_is_cancelled_while_it_is_running_ends_once() -> None:
    notes = Notes()
    async with opened(App(hooks=[notes], timing=QUIET)) as app:
        run = await app.start(app.action(hang))
        await first_chunk(run)
        await app.cancel(run.id)
        await outcome(run)
        await app.cancel(run.id)

    assert notes.of("ended") == [("ended", run.id, "cancelled")]


async def test_a_run_that_a_sweep_ends_is_told_by_the_process_that_swept(tmp_path: Path) -> None:
    notes, clock = Notes(), MovingClock()
    store = SQLiteStore(tmp_path / "runs.db", clock=clock)
    async with opened(App(hooks=[notes], store=store, timing=QUIET, clock=clock)) as app:
        run = record(action="two")
        await store.create(run, Admission())
        await store.claim(run.id, lease=1)  # by a process that is gone
        clock.advance(2)
        await app.sweep()
        await app.sweep()

    assert notes.of("swept", "ended") == [
        ("ended", run.id, "failed"),
        ("swept", run.id),
        ("swept",),
    ]


async def test_a_run_that_cannot_be_executed_ends_for_its_hooks_too() -> None:
    notes = Notes()
    async with opened(App(hooks=[notes], timing=QUIET)) as app:
        run = record(action="gone", context=b'{"state":{},"request":{}}')
        await app.store.create(run, Admission())
        app.lifetime.current.worker.begin(run.id)
        async with asyncio.timeout(SOON):
            while not notes.of("ended"):  # noqa: ASYNC110 - until the worker has ended it
                await asyncio.sleep(0)

    assert notes.of("started", "ended") == [("ended", run.id, "failed")]


async def test_what_a_hook_knows_of_a_start_is_kept_with_the_run_and_reaches_no_action() -> None:
    class Carrying(Hooks):
        def carried(self, run: RunRecord, /) -> dict[str, str]:
            return {"trace": f"of {run.action}"}

    class Failing(Hooks):
        def carried(self, run: RunRecord, /) -> dict[str, str]:
            raise OSError

    async def facts(ctx: Context) -> str:
        return ctx.request.method

    app = App(hooks=[Failing(), Carrying()], timing=QUIET)
    async with opened(app):
        run = await app.start(app.action(facts))
        method = (await outcome(run)).end
        kept = await app.store.get(run.id)
        again = app.load(kept)

    assert carried_by(kept) == {"trace": "of facts"}
    assert method == ("done", {"result": "PYTHON"})
    assert again.context.keys() == {"state", "request"}


async def test_a_run_for_which_no_hook_carries_anything_carries_nothing() -> None:
    async with opened(App(hooks=[Notes()], timing=QUIET)) as app:
        run = await app.start(app.action(two))
        kept = await app.store.get(run.id)

    assert carried_by(kept) == {}


async def test_a_hook_hears_of_each_start_that_is_refused() -> None:
    notes = Notes()
    async with opened(App(hooks=[notes], timing=QUIET)) as app:
        action = app.action(two)
        with pytest.raises(ValidationFailed, match="input"):
            await app.start(action, {"unknown": 1})
        await outcome(await app.start(action))

    assert notes.of("start refused", "created")[0] == ("start refused", "two", "VALIDATION_ERROR")
    assert len(notes.of("start refused", "created")) == 2


async def test_a_hook_hears_how_each_attempt_ends_and_why() -> None:
    async def flaky(ctx: Context) -> int:
        if ctx.attempt < 3:
            raise OSError("not now")
        return await ctx.step("count", int, "3")

    notes = Notes()
    async with opened(App(hooks=[notes], timing=QUIET)) as app:
        retry = Retry(5, backoff=0.001, on=[OSError])
        run = await app.start(app.action(retries=retry)(flaky))
        await outcome(run)
        failed = await app.start(app.action(broken))
        await outcome(failed)

    assert notes.of("attempt", "step") == [
        ("attempt", run.id, 1, "pending", "OSError"),
        ("attempt", run.id, 2, "pending", "OSError"),
        ("step", run.id, "count"),
        ("attempt", run.id, 3, "completed", None),
        ("attempt", failed.id, 1, "failed", "ActionError"),
    ]


async def test_an_attempt_whose_process_stops_leaves_its_run_to_another_one(tmp_path: Path) -> None:
    notes = Notes()
    store = SQLiteStore(tmp_path / "runs.db")
    async with opened(App(hooks=[notes], store=store, timing=QUIET)) as app:
        run = await app.start(app.action(linger=None)(hang))
        await first_chunk(run)

    assert notes.of("attempt") == [("attempt", run.id, 1, "running", "RunCancelled")]


async def test_a_run_that_was_found_by_its_key_is_not_created_again() -> None:
    notes = Notes()
    async with opened(App(hooks=[notes], timing=QUIET)) as app:
        action = app.action(two)
        request = StartRequest(action=action, caller=Caller(owner="ada"), data={}, key="k")
        first, second = [await app.begin(request) for _ in range(2)]

    assert first.id == second.id
    assert notes.of("created") == [("created", first.id)]


async def test_a_hook_hears_of_each_request_that_is_refused() -> None:
    notes = Notes()
    actions = Actions(hooks=[notes], timing=QUIET)
    actions.action(hang)
    async with actions.lifespan():
        answers = [
            await send(actions, request)
            for request in (
                post("/hang", {"unknown": 1}),
                get("/runs"),
                get("/hang"),
                get("/manifest.json"),
                get("/runs", host="evil.example"),
            )
        ]

    assert [each.status for each in answers] == [422, 401, 405, 200, 403]
    assert notes.of("refused") == [
        ("refused", "POST", "/hang", "VALIDATION_ERROR"),
        ("refused", "GET", "/runs", "UNAUTHORIZED"),
        ("refused", "GET", "/hang", "METHOD_NOT_ALLOWED"),
        ("refused", "GET", "/runs", "FORBIDDEN"),
    ]


async def test_a_stream_and_a_waiting_answer_are_readers() -> None:
    notes = Notes()
    actions = Actions(hooks=[notes], timing=QUIET)
    actions.action(two)
    async with actions.lifespan():
        for accept in ("text/event-stream", "application/json"):
            await send(actions, post("/two", {}, [("accept", accept)]))

    assert [note[0] for note in notes.of("came", "left")] == ["came", "left"] * 2
    assert [after for after, _ in notes.readers] == [0, 0]
    assert [run_id for _, run_id in notes.readers] == [note[1] for note in notes.of("came")]


async def test_a_reader_that_resumes_tells_where() -> None:
    notes = Notes()
    actions = Actions(hooks=[notes], timing=QUIET)
    action = actions.action(two)
    async with actions.lifespan():
        run = await actions.start(action)
        await outcome(run)
        await send(actions, get(f"/runs/{run.id}/events", [("last-event-id", f"{run.id}.2")]))

    assert notes.readers[-1] == (2, run.id)


async def test_what_a_hook_raises_is_logged_and_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clumsy, notes = Clumsy(), Notes()
    async with opened(App(hooks=[clumsy, notes], timing=QUIET)) as app:
        heard = await call(app, two)
        await app.sweep()

    assert (heard.chunks, heard.end) == ([1, 2], ("done", {}))
    assert [note[0] for note in clumsy.notes] == [note[0] for note in notes.notes]
    for name in ("run_created", "attempt_started", "block_appended", "run_ended", "swept"):
        assert f"a hook failed: {name}" in caplog.text
    assert "run_ended fell over" in caplog.text


async def test_a_hook_that_is_cancelled_cancels_no_run(caplog: pytest.LogCaptureFixture) -> None:
    class Cancelled(Hooks):
        def block_appended(self, run: RunRecord, block: Block, /) -> None:
            raise asyncio.CancelledError

    async with opened(App(hooks=[Cancelled()], timing=QUIET)) as app:
        heard = await call(app, two)

    assert heard.end == ("done", {})
    assert "a hook failed: block_appended" in caplog.text


def test_only_what_a_hook_defines_is_called() -> None:
    class Ends(Hooks):
        def run_ended(self, run: RunRecord, /) -> None: ...

    nobody, ends, notes = Watch(), Watch([Ends()]), Watch([Notes()])

    assert ends.run_created is nobody.run_created
    assert (ends.has_blocks, ends.has_ends, ends.has_readers) == (False, True, False)
    assert (notes.has_blocks, notes.has_ends, notes.has_readers) == (True, True, True)
    assert (nobody.has_blocks, nobody.has_ends, nobody.has_readers) == (False, False, False)


async def test_starts_and_ends_are_logged_without_payloads(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="yieldwire.worker")

    async def act(password: str) -> AsyncIterator[str]:
        yield password

    async with opened(App(timing=QUIET)) as app:
        await call(app, act, password="hunter2")

    told = [each.getMessage() for each in caplog.records if each.name == "yieldwire.worker"]
    assert told == ["run starts: act", "run ends: act, completed"]
    assert "hunter2" not in caplog.text


async def test_what_is_not_logged_costs_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger="yieldwire.worker")

    async with opened(App(timing=QUIET)) as app:
        assert not app.watch.has_ends
        assert RunLogging.if_logged() == []


@pytest.mark.parametrize("hooks", [[Notes], [object()], Notes(), "notes"])
def test_what_is_not_a_hook_is_refused_at_once(hooks: Any) -> None:  # noqa: ANN401 - a mistake
    with pytest.raises(UsageError, match="hooks"):
        App(hooks=hooks)


def test_a_hook_that_would_have_to_be_awaited_is_refused_at_once() -> None:
    class Slow(Hooks):
        async def run_ended(self, run: RunRecord, /) -> None: ...  # type: ignore[override]

    with pytest.raises(UsageError, match="its methods must be normal functions"):
        App(hooks=[Slow()])


class Nowhere:
    """An executor that executes nothing."""

    async def open(self, worker: object, /) -> None: ...

    async def enqueue(self, run_id: str, prepared: object = None, /) -> None: ...

    async def close(self) -> None: ...
