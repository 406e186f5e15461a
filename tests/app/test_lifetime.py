"""Opening, closing and opening again: in one event loop or many, alone and mounted."""

import asyncio
import gc
import json
import logging
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pytest
import uvloop
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from tests.support.runs import SOON, first_chunk, outcome
from yieldwire import Actions, Run, RunLimits, Stream, Text, Timing, Use
from yieldwire.app import App
from yieldwire.errors import StoreError, Unavailable, UsageError, YieldwireError
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore

T = TypeVar("T")

ROUNDS = 10
BRISK = Timing(grace=SOON, sweep_every=0.01)


def world(
    store: str = "memory", *, timing: Timing = BRISK, run_limits: RunLimits | None = None
) -> Actions:
    actions = Actions(store=store, hosts=("testserver",), timing=timing, run_limits=run_limits)

    @actions.resource
    async def pool() -> AsyncIterator[str]:
        yield "pool"
        await asyncio.sleep(0)

    @actions.action
    async def count(rows: Annotated[str, Use(pool)], to: int) -> AsyncIterator[int]:
        assert rows == "pool"
        for n in range(to):
            yield n

    return actions


def alone(actions: Actions) -> tuple[ASGIApp, str]:
    return actions, ""


def in_starlette(actions: Actions) -> tuple[ASGIApp, str]:
    return Starlette(routes=[Mount("/api", actions)], lifespan=actions.lifespan), "/api"


def in_fastapi(actions: Actions) -> tuple[ASGIApp, str]:
    host = FastAPI(lifespan=actions.lifespan)
    host.mount("/api", actions)
    return host, "/api"


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return "memory" if request.param == "memory" else f"sqlite:///{tmp_path}/runs.db"


@pytest.fixture(autouse=True)
def nothing_is_left(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Threads, descriptors, signal handlers and complaints are as they were before."""
    gc.collect()
    before = threading.active_count(), descriptors(), handlers()
    yield
    gc.collect()
    until = time.monotonic() + SOON
    while threading.active_count() > before[0] and time.monotonic() < until:
        time.sleep(0.01)  # a thread of a loop that has gone notices it within a moment
    assert (threading.active_count(), descriptors(), handlers()) == before
    assert [
        record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR
    ] == []


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def handlers() -> list[Any]:
    return [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]


async def wait_through_cancellations(event: asyncio.Event) -> None:
    while not event.is_set():
        with suppress(asyncio.CancelledError):
            await event.wait()


def counted(client: TestClient, base: str) -> str:
    accept = {"accept": "application/x-ndjson"}
    answer = client.post(f"{base}/count", json={"to": 3}, headers=accept)
    assert answer.status_code == 200, answer.text
    events = [json.loads(line) for line in answer.text.splitlines()]
    return "".join(str(event["data"]) for event in events if event["type"] == "chunk")


def in_new_loop(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as a plain loop does, of which nobody cancels what it leaves."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(coroutine)
    finally:
        loop.close()


def in_uvloop(coroutine: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(coroutine)


in_uvloop(asyncio.sleep(0))  # its first loop opens what later ones share

# Again and again.


@pytest.mark.parametrize("mount", [alone, in_starlette, in_fastapi])
def test_an_application_serves_one_test_client_after_another(
    store: str, mount: Callable[[Actions], tuple[ASGIApp, str]]
) -> None:
    actions = world(store)
    app, base = mount(actions)

    for _ in range(ROUNDS):
        with TestClient(app) as client:
            assert counted(client, base) == "012"


@pytest.mark.parametrize("mount", [alone, in_starlette, in_fastapi])
def test_a_test_client_without_its_lifespan_is_answered_in_every_loop(
    store: str, mount: Callable[[Actions], tuple[ASGIApp, str]]
) -> None:
    actions = world(store)
    app, base = mount(actions)

    client = TestClient(app)
    texts = {counted(client, base) for _ in range(ROUNDS)}
    asyncio.run(reopen_and_close(actions.app))

    assert texts == {"012"}


async def reopen_and_close(app: App) -> None:
    await app.open()
    await app.close()


@pytest.mark.parametrize("run", [asyncio.run, in_new_loop, in_uvloop])
def test_an_application_lives_in_one_loop_after_another(
    store: str, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    actions = world(store)

    async def live() -> list[Any]:
        async with actions.lifespan():
            started = await actions.start(actions.app.registry.action_named("count"), {"to": 3})
            return (await outcome(started)).chunks

    assert [run(live()) for _ in range(ROUNDS)] == [[0, 1, 2]] * ROUNDS


def test_the_runs_of_one_loop_are_read_in_the_next(store: str) -> None:
    actions = world(store)

    async def start() -> str:
        async with actions.lifespan():
            run = await actions.start(actions.app.registry.action_named("count"), {"to": 3})
            await outcome(run)
            return run.id

    async def read(run_id: str) -> list[Any]:
        async with actions.lifespan():
            return [event.value async for event in (await actions.runs.get(run_id)).events()]

    run_id = asyncio.run(start())

    assert asyncio.run(read(run_id)) == [0, 1, 2, {}]


def test_openings_and_closings_of_one_loop_leave_no_task(store: str) -> None:
    actions = world(store)

    async def live() -> tuple[list[Any], set[Any]]:
        chunks: list[Any] = []
        for _ in range(ROUNDS):
            async with actions.lifespan():
                run = await actions.start(actions.app.registry.action_named("count"), {"to": 1})
                chunks += (await outcome(run)).chunks
        return chunks, asyncio.all_tasks() - {asyncio.current_task()}

    assert asyncio.run(live()) == ([0] * ROUNDS, set())


SHARED = world()
"""As a project's tests have it: one application for all of them, each in a loop of its own."""


@pytest.mark.parametrize("number", range(ROUNDS))
async def test_an_application_of_the_module_serves_the_loop_of_each_test(number: int) -> None:
    async with SHARED.lifespan():
        run = await SHARED.start(SHARED.app.registry.action_named("count"), {"to": 2})

        assert (await outcome(run)).chunks == [0, 1]


# A loop that has gone without a close.


@pytest.mark.parametrize("run", [asyncio.run, in_new_loop, in_uvloop])
def test_after_a_loop_that_has_gone_the_next_one_sweeps_and_lingers(
    store: str, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    actions = world(store)

    @actions.action(linger=0.02)
    async def hang() -> AsyncIterator[Text]:
        yield Text("here")
        await asyncio.Event().wait()

    async def leave() -> None:
        started = await actions.start(actions.app.registry.action_named("count"), {"to": 1})
        await outcome(started)

    async def linger() -> str | None:
        async with asyncio.timeout(SOON), actions.lifespan():
            run = await actions.app.begin(StartRequest(action=hang, caller=Caller(), data={}))
            async with actions.app.reader(run.id) as reader:
                async for page in reader.pages(0, tick=0.01):
                    if page:
                        break
            while not (await actions.app.get(run.id, Caller())).status.is_terminal:  # noqa: ASYNC110 - a sweep does it
                await asyncio.sleep(0.01)
            return (await actions.app.get(run.id, Caller())).cancel_reason

    run(leave())

    assert run(linger()) == "unattended"


@pytest.mark.parametrize("run", [asyncio.run, in_new_loop, in_uvloop])
def test_what_ran_in_a_loop_that_has_gone_is_interrupted(
    store: str, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    actions = world(store)

    @actions.action
    async def hang() -> AsyncIterator[Text]:
        yield Text("here")
        await asyncio.Event().wait()

    async def leave() -> str:
        started = await actions.start(hang)
        await first_chunk(started)
        return started.id

    async def ended(run_id: str) -> str:
        async with asyncio.timeout(SOON), actions.lifespan(), actions.app.reader(run_id) as reader:
            pages = [page async for page in reader.pages(0, tick=SOON)]
        return str(pages[-1][-1].end)

    run_id = run(leave())

    assert run(ended(run_id)) == "error"


def test_what_is_cut_off_with_its_loop_cleans_up_quietly_and_opens_nothing(store: str) -> None:
    actions, asked = world(store), list[str]()

    @actions.action
    async def insist(stream: Stream[str]) -> None:
        try:
            await stream.send("here")
            await asyncio.Event().wait()
        finally:
            asked.append(await refused(actions.app.ready()))

    async def leave() -> None:
        await anext(aiter(await actions.start(insist)))

    async def live() -> list[Any]:
        run = await actions.start(actions.app.registry.action_named("count"), {"to": 2})
        return (await outcome(run)).chunks

    for _ in range(5):
        in_new_loop(leave())
        assert in_new_loop(live()) == [0, 1]
    asyncio.run(reopen_and_close(actions.app))

    assert asked == ["The server has stopped."] * 5


def test_a_sweep_that_is_cut_off_with_its_loop_is_not_told_as_a_failure(
    store: str, caplog: pytest.LogCaptureFixture
) -> None:
    actions, is_asked = world(store), [asyncio.Event()]

    async def catch_up() -> None:
        is_asked[-1].set()
        await asyncio.Event().wait()

    actions.site.sign_outs.catch_up = catch_up  # type: ignore[method-assign]

    async def leave() -> None:
        is_asked.append(asyncio.Event())
        await actions.app.open()
        async with asyncio.timeout(SOON):
            await is_asked[-1].wait()

    in_new_loop(leave())
    in_new_loop(leave())
    asyncio.run(reopen_and_close(actions.app))

    assert caplog.messages == []


@pytest.mark.parametrize("run", [asyncio.run, in_uvloop])
def test_a_loop_that_shuts_down_without_a_close_gives_the_signal_handlers_back(
    run: Callable[[Coroutine[Any, Any, Any]], Any], request: pytest.FixtureRequest
) -> None:
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(partial(signal.signal, signal.SIGINT, inherited))
    actions, before = world(), handlers()

    async def leave() -> list[Any]:
        await actions.app.open()
        return handlers()

    during = run(leave())
    after = handlers()
    asyncio.run(reopen_and_close(actions.app))

    assert (after, during != before) == (before, True)


def test_what_one_run_of_a_runner_opened_another_can_close() -> None:
    actions, before = world(), handlers()

    with asyncio.Runner() as runner:
        runner.run(actions.app.open())
        runner.run(actions.app.close())

        assert handlers() == before


@pytest.mark.parametrize("run", [asyncio.run, in_uvloop])
def test_applications_that_are_thrown_away_with_their_loop_leave_no_thread_and_no_file_open(
    tmp_path: Path, run: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    before = threading.active_count(), descriptors()

    async def leave(number: int) -> None:
        actions = world(f"sqlite:///{tmp_path}/{number}.db")
        await outcome(await actions.start(actions.app.registry.action_named("count"), {"to": 2}))

    for number in range(5):
        run(leave(number))
    threads = [thread for thread in threading.enumerate() if "yieldwire" in thread.name]
    for thread in threads:
        thread.join(SOON)

    assert (threading.active_count(), descriptors()) == before


def test_loops_that_take_turns_can_share_an_application(store: str) -> None:
    actions, loops = world(store), [asyncio.new_event_loop(), asyncio.new_event_loop()]

    async def live() -> list[Any]:
        run = await actions.start(actions.app.registry.action_named("count"), {"to": 2})
        return (await outcome(run)).chunks

    async def end() -> set[Any]:
        for _ in range(10):
            await asyncio.sleep(0)
        return asyncio.all_tasks() - {asyncio.current_task()}

    told = [loop.run_until_complete(live()) for loop in 5 * loops]
    loops[1].run_until_complete(actions.app.close())
    left = [loop.run_until_complete(end()) for loop in loops]
    for loop in loops:
        loop.close()

    assert (told, left) == ([[0, 1]] * 10, [set(), set()])


def test_an_opening_whose_loop_has_gone_is_made_again(store: str) -> None:
    actions, openings = world(store), list[asyncio.Event]()

    @actions.resource
    async def slow() -> AsyncIterator[str]:
        openings[-1].set()
        if len(openings) == 1:
            await asyncio.Event().wait()
        yield "here"

    async def give_up() -> None:
        openings.append(asyncio.Event())
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                await actions.app.open()
        await openings[-1].wait()

    async def open_again() -> None:
        openings.append(asyncio.Event())
        await reopen_and_close(actions.app)

    in_new_loop(give_up())
    asyncio.run(open_again())

    assert [opening.is_set() for opening in openings] == [True, True]


def test_a_close_whose_loop_has_gone_is_a_close() -> None:
    actions = world()

    @actions.action
    async def hang() -> AsyncIterator[Text]:
        yield Text("here")
        await asyncio.Event().wait()

    async def leave() -> None:
        await first_chunk(await actions.start(hang))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await actions.app.close()

    in_new_loop(leave())

    assert asyncio.run(refused(actions.app.ready())) == "The server has stopped."
    asyncio.run(reopen_and_close(actions.app))


def test_a_loop_that_still_runs_keeps_its_application() -> None:
    actions = world()

    with TestClient(actions) as client:
        with pytest.raises(UsageError, match="open in another event loop, which is running"):
            asyncio.run(actions.app.open())
        assert counted(client, "") == "012"


# Who opens.


async def test_cancelling_the_first_request_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    actions, may_open = world(), asyncio.Event()

    @actions.resource
    async def slow() -> AsyncIterator[str]:
        await may_open.wait()
        yield "slow"

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        first = group.create_task(actions.app.find(Query(everyone=True)))
        await asyncio.sleep(0)
        second = group.create_task(actions.app.find(Query(everyone=True)))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        may_open.set()
    await actions.app.close()

    assert first.cancelled()
    assert list(second.result()) == []
    assert caplog.records == []


async def test_what_a_request_has_in_its_context_does_not_reach_what_it_opens() -> None:
    request: ContextVar[str] = ContextVar("request", default="none")
    actions, seen = world(), list[str]()

    @actions.resource
    async def pool() -> AsyncIterator[str]:
        seen.append(request.get())
        yield "pool"

    request.set("the first one's")
    await actions.app.ready()
    await actions.app.close()

    assert seen == ["none"]


async def test_an_opening_that_fails_leaves_nothing_open_and_is_tried_again(store: str) -> None:
    actions, tries = world(store), list[int]()

    @actions.resource
    async def broken() -> AsyncIterator[str]:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("no database")
        yield "here"

    for _ in range(2):
        with pytest.raises(OSError, match="no database"):
            await actions.app.open()
    threads = {thread.name for thread in threading.enumerate()}
    await actions.app.open()
    await actions.app.close()

    assert not {name for name in threads if name.startswith("yieldwire")}


async def test_a_resource_that_is_cancelled_while_it_opens_is_told() -> None:
    actions = world()

    @actions.resource
    async def cancelled() -> AsyncIterator[str]:
        await cancelled_by_another()
        yield "never"

    with pytest.raises(UsageError, match="A resource was cancelled"):
        await actions.app.open()


async def cancelled_by_another() -> None:
    raise asyncio.CancelledError


async def test_a_close_ends_an_opening_that_hangs() -> None:
    actions = world()

    @actions.resource
    async def never() -> AsyncIterator[str]:
        await asyncio.Event().wait()
        yield "never"

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        opening = group.create_task(refused(actions.app.open()))
        await asyncio.sleep(0)
        await actions.app.close()

    assert opening.result() == "The server has stopped."


async def test_a_close_waits_no_longer_than_the_grace_for_an_opening() -> None:
    may_open, steps = asyncio.Event(), list[str]()
    actions = world(timing=Timing(grace=0.05))

    @actions.resource
    async def stubborn() -> AsyncIterator[str]:
        while not may_open.is_set():
            try:
                await may_open.wait()
            except asyncio.CancelledError:
                steps.append("continues")
        yield "here"
        steps.append("closes")

    others = asyncio.all_tasks()
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        opening = group.create_task(refused(actions.app.open()))
        await asyncio.sleep(0)
        await actions.app.close()
    left = asyncio.all_tasks() - others
    may_open.set()
    await asyncio.wait(left)

    assert opening.result() == "The server has stopped."
    assert steps[-1] == "closes"


async def refused(coroutine: Coroutine[Any, Any, Any]) -> str:
    with pytest.raises(Unavailable, match="stop") as caught:
        await coroutine
    return str(caught.value)


# Closing.


async def test_after_a_close_every_verb_is_refused_and_opens_nothing(store: str) -> None:
    actions = world(store)
    async with actions.lifespan():
        run = await actions.start(actions.app.registry.action_named("count"), {"to": 1})
        await outcome(run)
    tasks = asyncio.all_tasks()

    for verb in (
        actions.start(actions.app.registry.action_named("count"), {"to": 1}),
        actions.app.get(run.id, Caller()),
        actions.app.fold(run.id),
        actions.app.snapshot(run.id),
        actions.app.cancel(run.id),
        actions.app.delete(run.id),
        actions.app.find(Query(everyone=True)),
        actions.app.sweep(),
        run.result(),
    ):
        await refused(verb)
    with pytest.raises(Unavailable, match="stop"):
        actions.app.reader(run.id)

    assert asyncio.all_tasks() == tasks
    assert not [one for one in threading.enumerate() if one.name.startswith("yieldwire")]


def test_requests_after_a_close_are_answered_503(store: str) -> None:
    actions = world(store)
    with TestClient(actions):
        pass

    client = TestClient(actions)
    answers = [
        client.post("/count", json={"to": 1}),
        client.get("/runs/abc"),
        client.get("/runs/abc/events"),
        client.post("/runs/abc/cancel"),
        client.delete("/runs/abc"),
    ]

    assert {answer.status_code for answer in answers} == {503}
    assert {"retry-after" in answer.headers for answer in answers} == {True}


async def test_a_sqlite_store_that_was_closed_opens_nothing_until_it_is_opened(
    tmp_path: Path,
) -> None:
    store = SQLiteStore(tmp_path / "runs.db")
    await store.open()
    await store.find(Query(everyone=True))
    await store.close()
    await store.close()

    with pytest.raises(StoreError, match="closed"):
        await store.find(Query(everyone=True))
    await store.open()
    found = await store.find(Query(everyone=True))
    await store.close()

    assert list(found) == []


async def test_a_store_that_two_applications_share_closes_with_the_last(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "runs.db")
    one, other = App(store=store), App(store=store)
    await one.open()
    await other.open()

    await one.close()
    found = await other.find(Query(everyone=True))
    await other.close()

    assert list(found) == []


@pytest.mark.parametrize("grace", [0.0, 0.3])
async def test_an_action_that_ignores_its_cancellation_does_not_hold_up_the_close(
    store: str, grace: float
) -> None:
    may_end = asyncio.Event()
    actions = world(store, timing=Timing(grace=grace), run_limits=RunLimits(cancel_within=0.1))

    @actions.action
    async def stubborn() -> AsyncIterator[Text]:
        yield Text("here")
        await wait_through_cancellations(may_end)

    @actions.action
    async def stubborn_to_the_end() -> AsyncIterator[Text]:
        try:
            yield Text("here")
            await may_end.wait()
        finally:
            await wait_through_cancellations(may_end)

    others = asyncio.all_tasks()
    runs = [await actions.start(action) for action in (stubborn, stubborn_to_the_end)]
    for run in runs:
        await first_chunk(run)
    async with asyncio.timeout(grace + 1):
        await actions.app.close()
    may_end.set()
    while asyncio.all_tasks() - others:  # noqa: ASYNC110 - a task without an owner
        await asyncio.sleep(0)

    await actions.app.open()
    statuses = {(await actions.app.get(run.id, Caller())).status.value for run in runs}
    await actions.app.close()
    assert statuses == {"failed"} if store == "memory" else {"failed", "running"} >= statuses


async def test_a_resource_that_does_not_close_does_not_hold_up_the_close(store: str) -> None:
    may_end, actions = asyncio.Event(), world(store, timing=Timing(grace=0.1))

    @actions.resource
    async def sticky() -> AsyncIterator[str]:
        yield "sticky"
        await wait_through_cancellations(may_end)

    others = asyncio.all_tasks()
    await actions.app.open()
    async with asyncio.timeout(SOON):
        await actions.app.close()
    left = asyncio.all_tasks() - others
    may_end.set()
    await asyncio.wait(left)

    assert len(left) == 1


async def test_who_waits_in_python_for_a_run_that_continues_elsewhere_is_told_of_the_close(
    tmp_path: Path,
) -> None:
    actions = world(f"sqlite:///{tmp_path}/runs.db", timing=Timing(grace=0.2))

    @actions.action
    async def hang() -> AsyncIterator[Text]:
        yield Text("here")
        await asyncio.Event().wait()

    async def read(started: Run[Any]) -> None:
        async for _ in started:
            pass

    async def told(waiting: Coroutine[Any, Any, Any]) -> type[BaseException] | None:
        try:
            await waiting
        except YieldwireError as exc:
            return type(exc)
        return None

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        run = await actions.start(hang)
        await first_chunk(run)
        waiting = [group.create_task(told(each)) for each in (run.result(), read(run))]
        await asyncio.sleep(0)
        await actions.app.close()

    assert [each.result() for each in waiting] == [Unavailable, Unavailable]


async def test_an_application_whose_resource_broke_learns_of_the_stop_anyway() -> None:
    actions, is_over = world(), asyncio.Event()

    @actions.resource
    async def broken() -> AsyncIterator[str]:
        async with asyncio.TaskGroup() as tasks:
            failing = tasks.create_task(fail())
            failing.add_done_callback(lambda _: is_over.set())
            yield "here"

    async def fail() -> None:
        raise OSError

    async with actions.lifespan():
        during = handlers()
        await is_over.wait()
        for _ in range(10):
            await asyncio.sleep(0)

        assert handlers() == during


async def test_a_close_that_nobody_waits_for_any_more_continues() -> None:
    actions, may_end = world(), asyncio.Event()

    @actions.action
    async def wait() -> AsyncIterator[Text]:
        yield Text("here")
        await may_end.wait()

    run = await actions.start(wait)
    await first_chunk(run)
    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        first = group.create_task(actions.app.close())
        await asyncio.sleep(0)
        second = group.create_task(actions.app.close())
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        may_end.set()
    await actions.app.open()
    text = (await outcome(run)).end[0]
    await actions.app.close()

    assert (first.cancelled(), second.cancelled(), text) == (True, False, "done")


async def test_an_opening_that_is_asked_for_during_a_close_follows_it() -> None:
    actions = world()
    await actions.app.open()

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        group.create_task(actions.app.close())
        await asyncio.sleep(0)
        group.create_task(actions.app.open())
    is_closing = actions.app.is_closing
    await actions.app.close()

    assert not is_closing


async def test_a_run_that_waited_for_a_thread_at_the_close_is_executed_after_it() -> None:
    may_end = threading.Event()
    actions = world(run_limits=RunLimits(threads=1), timing=Timing(grace=0.2))

    @actions.action
    def block() -> Iterator[Text]:
        yield Text("here")
        may_end.wait()

    try:
        async with actions.lifespan():
            first = await actions.start(block)
            await first_chunk(first)
            second = await actions.start(block)
    finally:
        may_end.set()
    async with asyncio.timeout(SOON), actions.lifespan():
        end = (await outcome(second)).end[0]

    assert end == "done"


async def test_an_ordinary_stop_over_sqlite_warns_of_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    actions = world(f"sqlite:///{tmp_path}/runs.db", timing=Timing(grace=0.1))

    @actions.action
    async def hang() -> AsyncIterator[Text]:
        yield Text("here")
        await asyncio.Event().wait()

    async with actions.lifespan():
        await first_chunk(await actions.start(hang))

    warnings = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert [each.getMessage() for each in warnings] == []


# Memory.


def test_who_waited_in_a_loop_that_has_gone_holds_up_no_append() -> None:
    store = MemoryStore()
    app = App(store=store, timing=Timing(sweep_every=SOON))

    async def hang() -> AsyncIterator[Text]:
        yield Text("here")
        await asyncio.Event().wait()

    async def leave() -> str:
        run = await app.start(app.action(hang))
        await first_chunk(run)
        reading = asyncio.ensure_future(outcome(run))  # noqa: TID251 - goes with its loop
        for _ in range(5):
            await asyncio.sleep(0)
        reading.add_done_callback(print)
        reading._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001
        return run.id

    async def end(run_id: str) -> str:
        await app.open()
        try:
            return (await app.get(run_id, Caller())).status.value
        finally:
            await app.close()

    run_id = in_new_loop(leave())

    assert asyncio.run(end(run_id)) == "failed"
