"""Every wait ends in its own time, on each event loop that servers use."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.runs import SOON
from tests.support.virtual import run_virtually
from yieldwire.stores import RunStore
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.stores.waiters import Heads
from yieldwire.stores.waits import Waits
from yieldwire.testing.contract.harness import chunks, claimed

Run: TypeAlias = Callable[[Coroutine[Any, Any, Any]], Any]

LIMITS = st.sampled_from([-1.0, 0.0, 1e-9, 0.0004, 0.001, 0.0011, 0.003])
"""In seconds: over already, on the border of a loop's ticks, and between two of them."""


@pytest.fixture(
    scope="module",
    params=[asyncio.SelectorEventLoop, uvloop.new_event_loop],
    ids=["asyncio", "uvloop"],
)
def run(request: pytest.FixtureRequest) -> Run:
    """Run a program to its end in an event loop of this kind."""

    def run_in(program: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - what the program returns
        with asyncio.Runner(loop_factory=request.param) as runner:
            return runner.run(program)

    return run_in


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], RunStore]:
    """Return what opens a store; whatever it opens is closed by the test."""
    return MemoryStore if request.param == "memory" else lambda: SQLiteStore(tmp_path / "runs.db")


def test_thousands_of_waits_of_no_time_all_end(run: Run, opened: Callable[[], RunStore]) -> None:
    async def program() -> None:
        store = opened()
        record = await claimed(store)
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            for _ in range(2_000):
                group.create_task(store.read(record.id, 0, wait=1e-9))
                await asyncio.sleep(0)  # so that they begin and end side by side
        await store.close()

    run(program())


def test_waits_that_begin_when_others_have_just_ended_end_too(run: Run) -> None:
    async def program() -> None:
        store = MemoryStore()
        record = await claimed(store)

        async def wait_often() -> None:
            for _ in range(50):
                assert not await store.read(record.id, 0, wait=1e-9)

        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            for _ in range(40):
                group.create_task(wait_often())

    run(program())


@settings(max_examples=30, deadline=None)
@given(waits=st.lists(st.tuples(LIMITS, st.booleans()), min_size=1, max_size=60))
def test_every_wait_ends_that_nobody_cancels(run: Run, waits: list[tuple[float, bool]]) -> None:
    async def program() -> None:
        store = MemoryStore()
        record = await claimed(store)
        async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
            waiting = [
                (group.create_task(store.read(record.id, 0, wait=limit)), is_cancelled)
                for limit, is_cancelled in waits
            ]
            await asyncio.sleep(0)
            for task, is_cancelled in waiting:
                if is_cancelled:
                    task.cancel()

        assert all(task.cancelled() or not task.result() for task, _ in waiting)
        assert all(is_cancelled for task, is_cancelled in waiting if task.cancelled())

    run(program())


MOMENTS = st.floats(0.0, 9_000.0)


@given(st.lists(st.tuples(MOMENTS, st.none() | MOMENTS), min_size=1, max_size=20), MOMENTS)
def test_a_wait_ends_at_its_time_or_with_the_news_or_its_cancellation_whichever_is_first(
    waits: list[tuple[float, float | None]], news_at: float
) -> None:
    async def program() -> None:
        store, loop = MemoryStore(), asyncio.get_running_loop()
        record, started = await claimed(store), loop.time()

        async def wait(limit: float, cancelled_at: float | None) -> None:
            moments: dict[object, float] = {False: limit, True: news_at}
            if cancelled_at is not None:
                moments["cancelled"] = cancelled_at
            outcome: object = "cancelled"
            try:
                outcome = bool(await store.read(record.id, 0, wait=limit))
            finally:
                after = loop.time() - started
                assert after == pytest.approx(min(moments.values()), abs=1e-6)
                assert after == pytest.approx(moments[outcome], abs=1e-6)

        async with asyncio.TaskGroup() as group:
            for limit, cancelled_at in waits:
                task = group.create_task(wait(limit, cancelled_at))
                if cancelled_at is not None:
                    loop.call_later(cancelled_at, task.cancel)
            await asyncio.sleep(news_at)
            block = chunks(record.id, 1, 1)
            await store.append(record.id, block, after=0, fence=record.fence)

    run_virtually(program())


def test_a_store_is_watched_patiently_while_only_messages_are_waited_for() -> None:
    async def program() -> None:
        watched = list[tuple[bool, bool]]()

        def ask(_: set[str]) -> "asyncio.Future[Heads]":
            return asyncio.get_running_loop().create_future()

        async def begin() -> None: ...

        def watch(waits: Waits) -> None:
            watched.append((bool(waits), waits.is_patient))

        waits = Waits(ask, ask, ask, begin=begin, watch=watch)
        async with asyncio.TaskGroup() as group:
            group.create_task(waits.wait(waits.inboxes, "r", 0, 3.0))
            await asyncio.sleep(1.0)
            await waits.wait(waits.logs, "r", 0, 1.0)

        assert watched == [(True, True), (True, False), (True, True), (False, True)]

    run_virtually(program())


def test_a_wait_at_the_known_end_of_a_log_needs_no_look() -> None:
    async def program() -> None:
        asked = list[set[str]]()

        def ask(run_ids: set[str]) -> "asyncio.Future[Heads]":
            asked.append(run_ids)
            return asyncio.get_running_loop().create_future()

        async def begin() -> None: ...

        def has_all(run_id: str, last: int) -> bool:
            return (run_id, last) == ("known", 3)

        waits = Waits(ask, ask, ask, begin=begin, watch=lambda _: None, has_all=has_all)
        for waiters, last in ((waits.logs, 3), (waits.logs, 2), (waits.inboxes, 3)):
            await waits.wait(waiters, "known", last, 1.0)

        assert asked == [{"known"}, {"known"}]

    run_virtually(program())
