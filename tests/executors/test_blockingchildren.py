"""Blocking actions that call other actions, and wait for them in their thread."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

from tests.support.runs import SOON, children_of, ended, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.actions.retry import Retry
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import ActionError, UsageError, ValidationFailed
from yieldwire.executors import RunLimits
from yieldwire.log.chunks import Result
from yieldwire.log.run import Status


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(timing=Timing(grace=0.1))) as app:
        yield app


async def count(to: int) -> AsyncIterator[int | Result[int]]:
    for n in range(to):
        yield n
    yield Result(to)


async def fail() -> None:
    raise ActionError("NO", "No.", data={"why": "so"})


async def test_a_blocking_action_starts_another_and_has_its_run(app: App) -> None:
    action = app.action(count)

    def parent(ctx: Context) -> list[object]:
        run = ctx.blocking.start(action, to=3)
        kinds = [event.type.value for event in run.events()]
        return [run.id, run.result(), list(run), kinds, run.snapshot()["status"], run.questions()]

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        told = await run.result()
    (child,) = await children_of(app, run.id)
    kinds = ["chunk", "chunk", "chunk", "done"]
    assert told == [child.id, 3, [0, 1, 2], kinds, "completed", []]


async def test_the_chunks_of_a_child_come_between_those_of_its_blocking_parent(app: App) -> None:
    def slowly() -> Iterator[int]:
        yield from range(3)

    action = app.action(slowly)

    def parent(ctx: Context) -> Iterator[Any]:
        yield "first"
        yield from ctx.blocking.run(action)
        yield "last"

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert [chunk async for chunk in run] == ["first", 0, 1, 2, "last"]


async def test_many_runs_give_a_blocking_action_their_results_as_they_come(app: App) -> None:
    async def double(n: int) -> int:
        return 2 * n

    action = app.action(double)

    def parent(ctx: Context) -> Iterator[Any]:
        work = ctx.blocking.map(action, [1, 2, 3], concurrency=2)
        for result in work:
            yield [result, work.progress.current, work.progress.total]

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        told = [chunk async for chunk in run]
    assert sorted(result for result, _, _ in told) == [2, 4, 6]
    assert [[current, total] for _, current, total in told] == [[n, 3] for n in range(1, 4)]


def iterated(ctx: Context, action: Any) -> object:  # noqa: ANN401 - any action
    return list(ctx.blocking.run(action))


def awaited(ctx: Context, action: Any) -> object:  # noqa: ANN401 - any action
    return ctx.blocking.run(action).result()


def mapped(ctx: Context, action: Any) -> object:  # noqa: ANN401 - any action
    return list(ctx.blocking.map(action, [{}]))


@pytest.mark.parametrize("follow", [iterated, awaited, mapped])
async def test_the_error_of_a_child_is_raised_in_the_thread_of_its_parent(
    app: App, follow: Callable[[Context, Any], object]
) -> None:
    action = app.action(fail)

    def parent(ctx: Context) -> object:
        try:
            return follow(ctx, action)
        except ActionError as exc:
            return [exc.code, exc.data]

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert await run.result() == ["NO", {"why": "so"}]


async def test_an_error_of_a_start_is_raised_in_the_thread_too(app: App) -> None:
    action = app.action(count)

    def parent(ctx: Context) -> str:
        with pytest.raises(ValidationFailed, match="to: ") as refused:
            ctx.blocking.start(action, {"to": "many"})
        return refused.value.code

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert await run.result() == "VALIDATION_ERROR"


def leave_run(ctx: Context, action: Any) -> None:  # noqa: ANN401 - any action
    for _ in ctx.blocking.run(action):
        break


def leave_batch(ctx: Context, action: Any) -> None:  # noqa: ANN401 - any action
    for _ in ctx.blocking.map(action, [{"ends": True}, {}], concurrency=2):
        break


class Endless:
    """An action that continues until it is cancelled, and tells where it runs."""

    def __init__(self, app: App) -> None:
        self.begun = asyncio.Queue[str]()
        self.action = app.action(self.endless)

    async def endless(self, ctx: Context, ends: bool = False) -> AsyncIterator[int]:  # noqa: FBT001, FBT002 - an input
        yield 1
        if not ends:
            self.begun.put_nowait(ctx.run_id)
            await asyncio.Event().wait()


@pytest.mark.parametrize("leave", [leave_run, leave_batch])
async def test_a_child_whose_loop_a_blocking_action_leaves_is_cancelled(
    app: App, leave: Callable[[Context, Any], None]
) -> None:
    endless, left = Endless(app), threading.Event()

    def parent(ctx: Context) -> str:
        leave(ctx, endless.action)
        assert left.wait(SOON)  # the child ends while its parent continues
        return "left"

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        record = await ended(app, await endless.begun.get())
        left.set()
        assert await run.result() == "left"
    assert (record.status, record.cancel_reason) == (Status.CANCELLED, "parent")


@pytest.mark.parametrize("follow", [iterated, awaited, mapped])
async def test_a_child_is_cancelled_with_the_blocking_action_that_follows_it(
    app: App, follow: Callable[[Context, Any], object]
) -> None:
    endless, cleaned = Endless(app), list[str]()

    def parent(ctx: Context) -> Iterator[object]:
        try:
            yield follow(ctx, endless.action)
        finally:
            cleaned.append("parent")

    run = await app.start(app.action(parent))
    async with asyncio.timeout(SOON):
        child_id = await endless.begun.get()

    await run.cancel()

    assert (await outcome(run)).end[0] == "cancelled"
    assert cleaned == ["parent"]
    record = await ended(app, child_id)
    assert (record.status, record.cancel_reason) == (Status.CANCELLED, "parent")


async def test_a_blocking_action_answers_steers_and_stops_a_child(app: App) -> None:
    @app.action(asks=int, inbox=int)
    async def child(ctx: Context) -> AsyncIterator[int]:
        yield await ctx.ask(int, "How many?")
        yield await ctx.receive(int) or 0
        await asyncio.Event().wait()

    def parent(ctx: Context) -> list[object]:
        run = ctx.blocking.start(child)
        chunks = iter(run)
        for event in run.events():
            if event.type.value == "question":
                run.answer("1", 7)
                break
        seen = [next(chunks)]
        run.send(8)
        seen.append(next(chunks))
        run.cancel()
        return [*seen, [event.type.value for event in run.events()][-1]]

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert await run.result() == [7, 8, "cancelled"]


async def test_a_later_attempt_of_a_blocking_action_finds_its_children(app: App) -> None:
    begun = list[int]()

    async def work(n: int) -> int:
        begun.append(n)
        return n

    action = app.action(work)

    @app.action(retries=Retry(1, backoff=0.0, on=(OSError,)))
    def parent(ctx: Context) -> list[int]:
        first = ctx.blocking.run(action, n=1).result()
        named = ctx.blocking.start.with_options(key="two")(action, n=2).result()
        both = list(ctx.blocking.map(action, [3], concurrency=1))
        if ctx.attempt == 1:
            raise OSError
        return [first, named, *both]

    run = await app.start(parent)

    async with asyncio.timeout(SOON):
        assert await run.result() == [1, 2, 3]
    assert begun == [1, 2, 3]


async def test_parents_that_wait_do_not_take_the_threads_of_their_children() -> None:
    async with opened(App(run_limits=RunLimits(threads=1))) as app:

        def leaf() -> int:
            return 1

        def whole(ctx: Context) -> int:
            return 1 + sum(ctx.blocking.map(inner, [{}, {}]))

        inner = app.action(leaf)
        run = await app.start(app.action(whole))

        async with asyncio.timeout(SOON):
            assert await run.result() == 3


@pytest.mark.parametrize("name", ["start", "run", "map"])
async def test_the_loop_is_not_blocked_for_another_run(app: App, name: str) -> None:
    action, said = app.action(count), list[str]()

    def call(ctx: Context) -> None:
        getattr(ctx.blocking, name)(action, {"to": 1})

    async def parent(ctx: Context) -> None:
        for wrong in (call, lambda ctx: asyncio.to_thread(call, ctx)):
            with pytest.raises(UsageError, match=rf"ctx\.(blocking\.)?{name}") as refused:
                await (wrong(ctx) or asyncio.sleep(0))
            said.append(str(refused.value))

    await outcome(await app.start(app.action(parent)))

    in_loop, elsewhere = said
    assert "would block the event loop" in in_loop
    assert "not in another thread" in elsewhere
