"""Actions that call other actions."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.runs import SOON, children_of, ended, first_chunk, opened, outcome
from yieldwire.actions.context import Context
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import ActionError, RunCancelled, UsageError, ValidationFailed
from yieldwire.executors import RunLimits
from yieldwire.log.chunks import Result
from yieldwire.log.run import Status
from yieldwire.stores import Query


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(timing=Timing(grace=0.1))) as app:
        yield app


async def count(to: int) -> AsyncIterator[int | Result[int]]:
    for n in range(to):
        yield n
    yield Result(to)


async def double(n: int) -> int:
    return 2 * n


async def hang() -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


async def fail() -> None:
    raise ActionError("NO", "No.")


# Starting.


async def test_an_action_starts_another_and_has_its_run(app: App) -> None:
    action = app.action(count)

    async def parent(ctx: Context) -> int:
        run = await ctx.start(action, to=3)
        return int(await run.result())

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert await run.result() == 3
    (child,) = await children_of(app, run.id)
    assert (child.action, child.parent, child.detached) == ("count", run.id, True)


async def test_a_child_has_the_owner_the_limits_and_the_facts_of_its_parent(app: App) -> None:
    async def tell(ctx: Context) -> list[object]:
        return [ctx.owner, ctx.quota_key, ctx.request.method, ctx.parent, ctx.depth]

    action = app.action(tell)

    async def parent(ctx: Context) -> list[object]:
        return await ctx.run(action).result()

    run = await app.start(app.action(parent), {}, owner="ada")

    async with asyncio.timeout(SOON):
        assert await run.result() == ["ada", "owner:ada", "PYTHON", run.id, 1]


async def test_a_childs_guards_run_with_its_own_state(app: App) -> None:
    async def guard(ctx: Context) -> None:
        ctx.state["who"] = ctx.owner

    async def tell(ctx: Context) -> object:
        return ctx.state

    action = app.action(guards=[guard])(tell)

    async def parent(ctx: Context) -> object:
        return await ctx.run(action).result()

    run = await app.start(app.action(parent), {}, owner="ada")

    async with asyncio.timeout(SOON):
        assert await run.result() == {"who": "ada"}


async def test_a_childs_input_is_validated(app: App) -> None:
    action = app.action(count)

    async def parent(ctx: Context) -> str:
        try:
            await ctx.start(action, {"to": "many"})
        except ValidationFailed as exc:
            return str(exc)
        return ""

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert "to: " in await run.result()
    assert await children_of(app, run.id) == []


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"owner": "ben"}, "owner of its parent"),
        ({"webhook": "https://a.example"}, "cannot name a webhook"),
        ({"delay": 1.0}, "starts at once"),
        (None, "not an action of this"),
    ],
)
async def test_what_cannot_be_a_child_is_refused(
    app: App, options: dict[str, Any] | None, why: str
) -> None:
    action, foreign = app.action(double), App().action(count)

    async def parent(ctx: Context) -> str:
        try:
            if options is None:
                await ctx.start(foreign, to=1)
            else:
                await ctx.start.with_options(**options)(action, n=1)
        except UsageError as exc:
            return str(exc)
        return ""

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert why in await run.result()


# Following.


async def test_the_chunks_of_a_child_can_be_passed_on(app: App) -> None:
    action = app.action(count)

    async def parent(ctx: Context) -> AsyncIterator[Any]:
        async for chunk in ctx.run(action, to=3):
            yield chunk

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert [chunk async for chunk in run] == [0, 1, 2]


async def test_the_error_of_a_child_is_raised_where_it_is_followed(app: App) -> None:
    action = app.action(fail)

    async def parent(ctx: Context) -> AsyncIterator[Any]:
        async for chunk in ctx.run(action):
            yield chunk

    run = await app.start(app.action(parent))

    assert (await outcome(run)).code == "NO"


async def test_a_child_that_nobody_awaits_can_fail_alone(app: App) -> None:
    action = app.action(fail)

    async def parent(ctx: Context) -> str:
        child = await ctx.start(action)
        await ended(app, child.id)
        return "fine"

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert await run.result() == "fine"


async def test_a_child_whose_loop_is_left_is_cancelled(app: App) -> None:
    action = app.action(hang)

    async def parent(ctx: Context) -> str:
        async for _ in ctx.run(action):
            break
        return "left"

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert await run.result() == "left"
    (child,) = await children_of(app, run.id)
    record = await ended(app, child.id)
    assert (record.status, record.cancel_reason) == (Status.CANCELLED, "parent")


async def test_a_child_is_cancelled_if_nobody_waits_for_its_result_any_more(app: App) -> None:
    action = app.action(hang)

    async def parent(ctx: Context) -> str:
        try:
            async with asyncio.timeout(0):
                await ctx.run(action).result()
        except TimeoutError:
            (child,) = await children_of(app, ctx.run_id)
            await ended(app, child.id)
        return "gave up"

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert await run.result() == "gave up"


# Many at a time.


async def test_many_runs_give_their_results_as_they_come(app: App) -> None:
    action = app.action(double)

    async def parent(ctx: Context) -> AsyncIterator[Any]:
        work = ctx.map(action, [1, 2, 3, {"n": 4}], concurrency=2)
        async for result in work:
            yield [result, work.progress.current, work.progress.total]

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        told = [chunk async for chunk in run]
    assert sorted(result for result, _, _ in told) == [2, 4, 6, 8]
    assert [[current, total] for _, current, total in told] == [[n, 4] for n in range(1, 5)]


async def test_no_more_than_the_given_number_run_at_a_time(app: App) -> None:
    running, most = 0, 0

    async def work(n: int) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    action = app.action(work)

    async def parent(ctx: Context) -> None:
        async for _ in ctx.map(action, range(9), concurrency=3):
            pass

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        await run.result()
    assert most <= 3


async def test_the_first_of_many_to_fail_ends_the_others(app: App) -> None:
    async def work(n: int) -> None:
        if n == 2:
            raise ActionError("NO", "No.")
        await asyncio.Event().wait()

    action = app.action(work)

    async def parent(ctx: Context) -> str:
        try:
            async for _ in ctx.map(action, [1, 2, 3]):
                pass
        except ActionError as exc:
            return exc.code
        return ""

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert await run.result() == "NO"
    ends = [(await ended(app, child.id)).status for child in await children_of(app, run.id)]
    assert sorted(ends) == [Status.CANCELLED, Status.CANCELLED, Status.FAILED]


async def test_at_least_one_of_many_runs_at_a_time(app: App) -> None:
    action = app.action(double)

    async def parent(ctx: Context) -> str:
        with pytest.raises(UsageError, match="at least 1"):
            ctx.map(action, [], concurrency=0)
        return "refused"

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert await run.result() == "refused"


# The end of a parent.


@pytest.mark.parametrize("end", ["cancel", "fail", "time out"])
async def test_unfinished_children_end_with_a_parent_that_does_not_complete(
    app: App, end: str
) -> None:
    action = app.action(hang)

    async def parent(ctx: Context) -> AsyncIterator[str]:
        child = await ctx.start(action)
        yield child.id
        if end == "fail":
            raise ActionError("NO", "No.")
        await asyncio.Event().wait()

    timeout = 0.05 if end == "time out" else None
    run = await app.start(app.action(timeout=timeout)(parent))
    child_id = await first_chunk(run)

    if end == "cancel":
        await run.cancel()

    assert isinstance(child_id, str)
    record = await ended(app, child_id)
    assert (record.status, record.cancel_reason) == (Status.CANCELLED, "parent")


async def test_the_children_of_children_end_too(app: App) -> None:
    leaf = app.action(hang)

    async def middle(ctx: Context) -> AsyncIterator[str]:
        yield (await ctx.start(leaf)).id
        await asyncio.Event().wait()

    inner = app.action(middle)

    async def parent(ctx: Context) -> AsyncIterator[Any]:
        async for chunk in ctx.run(inner):
            yield chunk

    run = await app.start(app.action(parent))
    leaf_id = await first_chunk(run)

    await run.cancel()

    assert isinstance(leaf_id, str)
    assert (await ended(app, leaf_id)).status is Status.CANCELLED


async def test_a_parent_that_completes_leaves_its_children_running(app: App) -> None:
    action = app.action(hang)

    async def parent(ctx: Context) -> str:
        child = await ctx.start(action)
        await first_chunk(child)
        return child.id

    run = await app.start(app.action(parent))
    async with asyncio.timeout(SOON):
        child_id = await run.result()

    assert (await app.store.get(child_id)).status is Status.RUNNING


async def test_a_child_that_is_started_after_its_parents_end_is_cancelled() -> None:
    said: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async with opened(App(run_limits=RunLimits(cancel_within=0.01))) as app:
        action = app.action(hang)

        async def parent(ctx: Context) -> AsyncIterator[int]:
            try:
                yield 1
                await asyncio.Event().wait()
            finally:
                await ended(app, ctx.run_id)  # its cleanup takes too long
                try:
                    await ctx.start(action)
                except RunCancelled as exc:
                    said.set_result(str(exc.data))

        run = await app.start(app.action(parent))
        await first_chunk(run)

        await run.cancel()

        async with asyncio.timeout(SOON):
            assert await said == "{'reason': 'parent'}"
        (child,) = await children_of(app, run.id)
        assert (await ended(app, child.id)).status is Status.CANCELLED


# Limits.


async def test_an_action_that_calls_itself_ends_with_a_clear_error() -> None:
    async with opened(App(run_limits=RunLimits(max_depth=3))) as app:

        async def again(ctx: Context) -> None:
            await ctx.run(app.registry.action_named("again")).result()

        run = await app.start(app.action(again))

        ended_by = await outcome(run)

        assert ended_by.code == "LIMIT_EXCEEDED"
        assert "max_depth" in str(ended_by.end)
        assert len(await app.find(Query(everyone=True))) == 4


async def test_a_run_has_a_limited_number_of_children() -> None:
    async with opened(App(run_limits=RunLimits(max_children=2))) as app:
        action = app.action(double)

        async def parent(ctx: Context) -> None:
            for n in range(3):
                await ctx.start(action, n=n)

        run = await app.start(app.action(parent))

        assert (await outcome(run)).code == "LIMIT_EXCEEDED"
        assert len(await children_of(app, run.id)) == 2


# Names.


async def test_the_same_key_gives_the_same_child(app: App) -> None:
    action = app.action(double)

    async def parent(ctx: Context) -> list[str]:
        start = ctx.start.with_options(key="one")
        return [(await start(action, n=1)).id, (await start(action, n=1)).id]

    run, other = (
        await app.start(app.action(parent)),
        await app.start.with_options(owner="b")(app.registry.action_named("parent")),
    )

    async with asyncio.timeout(SOON):
        one, same = await run.result()
        third, _ = await other.result()
    assert one == same
    assert third != one


async def test_the_same_key_with_another_input_is_refused(app: App) -> None:
    action = app.action(double)

    async def parent(ctx: Context) -> str:
        start = ctx.start.with_options(key="one")
        await start(action, n=1)
        try:
            await start(action, n=2)
        except UsageError as exc:
            return str(exc)
        return ""

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        assert "give each a key=" in await run.result()


async def test_a_child_that_was_left_is_started_again(app: App) -> None:
    action = app.action(hang)

    async def parent(ctx: Context) -> list[str]:
        found: list[str] = []
        for _ in range(2):
            run = await ctx.start.with_options(key="one")(action)
            found.append(run.id)
            async for _ in ctx.run.with_options(key="one")(action):
                break
            await ended(app, run.id)
        return found

    run = await app.start(app.action(parent))

    async with asyncio.timeout(SOON):
        one, other = await run.result()
    assert one != other
