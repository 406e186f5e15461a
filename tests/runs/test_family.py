"""Parents and children over several attempts, processes and crashes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import to_json

from tests.support.parents import BRIEF, hang, raise_family
from tests.support.runs import SOON, first_chunk, opened
from yieldwire.actions.action import Action
from yieldwire.actions.context import Context
from yieldwire.actions.retry import Retry
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import ActionError, RunInterrupted
from yieldwire.executors import RunLimits
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Admission, Query, Reach, RunStore
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing import MovingClock
from yieldwire.testing.contract.harness import record

QUIET = Timing(sweep_every=10 * SOON, grace=0.1)


class SharedStore(MemoryStore):
    """Says that other processes share it, so its runs are leased."""

    reach: ClassVar[Reach] = "machine"


async def ended(app: App, run_id: str) -> RunRecord:
    """Return the record of a run when it has ended."""
    async with asyncio.timeout(SOON):
        while not (run := await app.store.get(run_id)).status.is_terminal:
            await app.store.read(run_id, run.seq, wait=SOON)
    return run


async def end_in(store: RunStore, run_id: str) -> None:
    """Write the failure of a run, like a process that is killed right afterwards."""
    run = await store.claim(run_id, lease=None)
    data = to_json(RunInterrupted().error_object(run_id).to_dict())
    block = Block.of_event(run_id, 1, EventType.ERROR, data, 0.0)
    await store.append(run_id, block, after=0, fence=run.fence)


# Later attempts.


async def test_a_later_attempt_finds_the_children_of_an_earlier_one() -> None:
    store, attempts = SharedStore(), list[str]()

    def declared(app: App) -> Action[..., Any, Any]:
        async def child(n: int) -> int:
            attempts.append(f"child {n}")
            return n

        action = app.action(child)

        async def parent(ctx: Context) -> AsyncIterator[object]:
            attempts.append(f"parent {ctx.attempt}")
            yield [await ctx.run(action, n=1).result(), (await ctx.start(action, n=2)).id]
            yield [result async for result in ctx.map(action, [3])]
            if ctx.attempt == 1:
                await asyncio.Event().wait()

        return app.action(retries=1)(parent)

    async with opened(App(store=store, timing=QUIET)) as app:
        run = await app.start(declared(app))
        async with asyncio.timeout(SOON):
            events = run.events()
            earlier = [(await anext(events)).value for _ in range(2)]
            await events.aclose()

    async with opened(App(store=store, timing=QUIET)) as app:
        declared(app)
        await app.sweep()
        await ended(app, run.id)
        later = [event.value async for event in (await app.runs.get(run.id)).events(3)]

    assert earlier == later[:2]
    assert attempts == ["parent 1", "child 1", "child 2", "child 3", "parent 2"]


async def test_a_parent_that_is_released_leaves_its_children_to_the_next_attempt() -> None:
    store = SharedStore()

    async with opened(App(store=store, timing=QUIET)) as app:
        action = app.action(retries=1)(hang)

        async def parent(ctx: Context) -> AsyncIterator[Any]:
            async for chunk in ctx.run(action):
                yield chunk

        run = await app.start(app.action(retries=1)(parent))
        await first_chunk(run)

    (child,) = await store.find(Query(everyone=True, parent=run.id))
    assert child.cancel_reason is None


async def test_a_later_attempt_starts_again_what_an_earlier_one_has_left() -> None:
    async with opened(App(timing=QUIET)) as app:
        action = app.action(hang)

        async def parent(ctx: Context) -> str:
            async for _ in ctx.run(action):
                break
            for child in await app.find(Query(everyone=True, parent=ctx.run_id)):
                await ended(app, child.id)
            if ctx.attempt == 1:
                raise ActionError("NO", "No.")
            return "done"

        retry = Retry(1, backoff=0.0, on=["NO"])
        run = await app.start(app.action(retries=retry)(parent))

        async with asyncio.timeout(SOON):
            assert await run.result() == "done"
        children = await app.find(Query(everyone=True, parent=run.id))
        assert [(await ended(app, child.id)).cancel_reason for child in children] == ["parent"] * 2


# Ends that no attempt writes.


async def test_a_parent_that_is_cancelled_between_two_attempts_takes_its_children_along() -> None:
    async with opened(App(timing=QUIET)) as app:
        parent = record(action="gone", retries=1)
        await app.store.create(parent, Admission())
        fence = (await app.store.claim(parent.id, lease=None)).fence
        await app.store.restart(parent.id, fence=fence, delay=SOON)
        child = await child_of(app, parent.id)

        await app.cancel(parent.id)

        assert (await ended(app, child.id)).cancel_reason == "parent"


async def test_a_parent_that_a_sweep_ends_takes_its_children_along() -> None:
    clock = MovingClock()
    async with opened(App(store=SharedStore(clock=clock), timing=QUIET, clock=clock)) as app:
        parent = record(action="gone")
        await app.store.create(parent, Admission())
        await app.store.claim(parent.id, lease=1)
        child = await child_of(app, parent.id)

        clock.advance(2)
        await app.sweep()

        assert (await app.store.get(parent.id)).status is Status.FAILED
        assert (await ended(app, child.id)).cancel_reason == "parent"


async def test_a_child_notices_at_a_heartbeat_that_its_parent_has_failed() -> None:
    timing = replace(QUIET, lease=0.03)
    async with opened(App(store=SharedStore(), timing=timing)) as app:
        parent = record(action="gone")
        await app.store.create(parent, Admission())
        action = app.action(hang)
        child = record(
            action=action.name, parent=parent.id, detached=True, input=b"{}", context=BRIEF
        )
        await app.store.create(child, Admission())
        async with asyncio.TaskGroup() as group:
            group.create_task(app.lifetime.current.worker.execute(child.id))

            await end_in(app.store, parent.id)

            assert (await ended(app, child.id)).status is Status.CANCELLED


async def test_a_pending_child_of_a_failed_parent_never_starts() -> None:
    clock = MovingClock()
    async with opened(App(store=SharedStore(clock=clock), timing=QUIET, clock=clock)) as app:
        parent = record(action="gone")
        child = record(action=app.action(hang).name, parent=parent.id, context=BRIEF)
        await app.store.create(parent, Admission())
        await app.store.create(child, Admission())
        await end_in(app.store, parent.id)

        clock.advance(SOON * 10)
        await app.sweep()

        run = await app.store.get(child.id)
        assert (run.status, run.attempt) == (Status.CANCELLED, 0)


async def child_of(app: App, parent_id: str) -> RunRecord:
    """Start a child of a run, as its attempt does."""
    action = app.action(hang)
    return await app.begin(
        StartRequest(action=action, caller=Caller(), data={}, detached=True, parent=parent_id)
    )


# A process that is killed.


async def test_children_in_another_process_end_when_their_parents_process_is_killed(
    tmp_path: Path,
) -> None:
    file = tmp_path / "runs.db"
    killed = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.parents", str(file), stdout=asyncio.subprocess.PIPE
    )
    assert killed.stdout is not None
    async with asyncio.timeout(SOON):
        parent_id, child_id = (await killed.stdout.readline()).decode().split()

    async with opened(raise_family(file)) as app:
        worker = app.lifetime.current.worker
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            group.create_task(worker.execute(child_id))
            other = await app.start(app.registry.action_named("hang"))
            await first_chunk(await app.runs.get(child_id))
            os.kill(killed.pid, signal.SIGKILL)
            await killed.wait()

            parent, child = await ended(app, parent_id), await ended(app, child_id)

        assert (parent.status, child.status) == (Status.FAILED, Status.CANCELLED)
        assert child.cancel_reason == "parent"
        assert (await app.store.get(other.id)).cancel_reason is None


# Any tree.

ENDS = ("return", "fail", "cancel", "hang")
TREES = st.recursive(
    st.fixed_dictionaries({"end": st.sampled_from(ENDS), "below": st.just([])}),
    lambda below: st.fixed_dictionaries(
        {
            "end": st.sampled_from(ENDS),
            "below": st.lists(st.tuples(st.sampled_from(["start", "run"]), below), max_size=3),
        }
    ),
    max_leaves=8,
)


@settings(max_examples=40)
@given(TREES)
def test_no_child_survives_a_parent_that_failed_and_no_other_run_is_touched(
    tree: dict[str, Any],
) -> None:
    asyncio.run(_grow(tree))


async def _grow(tree: dict[str, Any]) -> None:
    async with opened(App(timing=QUIET, run_limits=RunLimits(cancel_within=SOON))) as app:
        other = await app.start(app.action(hang))

        async def node(tree: dict[str, Any], ctx: Context) -> str:
            for way, below in tree["below"]:
                call = (ctx.start if way == "start" else ctx.run)(again, {"tree": below})
                await (call if way == "start" else call.result())
            if tree["end"] == "fail":
                raise ActionError("NO", "No.")
            if tree["end"] == "cancel":
                await app.cancel(ctx.run_id)
            if tree["end"] != "return":
                await asyncio.Event().wait()
            return "done"

        again = app.action(node)
        root = await app.start(again, {"tree": tree})
        await first_chunk(other)

        await root.cancel()

        await ended(app, root.id)
        for run in await app.find(Query(everyone=True)):
            await _check(app, run, other.id)


async def _check(app: App, run: RunRecord, other_id: str) -> None:
    if run.parent is None:
        assert run.id != other_id or run.cancel_reason is None
        return
    parent = await app.store.get(run.parent)
    if parent.status in {Status.FAILED, Status.CANCELLED}:
        assert (await ended(app, run.id)).status.is_terminal
    else:
        assert run.cancel_reason in {None, "requested"}
