"""Every attempt writes a terminal event, whatever code cancelled it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.runs import SOON, first_chunk, opened, tasks_of_runs
from yieldwire.actions.context import Context
from yieldwire.actions.run import Run
from yieldwire.actions.stream import Stream
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import ActionError, ErrorObject, Fenced, StoreError
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore

QUICK = Timing(grace=0.1, sweep_every=0.01)


async def forever() -> AsyncIterator[int]:
    n = 0
    while True:
        n += 1
        yield n
        await asyncio.sleep(0)


async def cancels_itself() -> AsyncIterator[int]:
    yield 1
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)
    yield 2


async def sends(stream: Stream[int]) -> None:
    while True:
        await stream.send(1)
        await asyncio.sleep(0)


async def helped(ctx: Context) -> AsyncIterator[int]:
    ctx.spawn(asyncio.sleep(SOON))
    while True:
        yield 1
        await asyncio.sleep(0)


def blocking() -> Iterator[int]:
    while True:
        yield 1


async def cancel_foreign(*, times: int = 1) -> None:
    for _ in range(times):
        for task in tasks_of_runs():
            task.cancel()
        await asyncio.sleep(0)


async def end_of(app: App, run: Run[Any]) -> RunRecord:
    async with asyncio.timeout(SOON):
        async for _ in run.events():
            pass
    return await app.store.get(run.id)


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("function", [forever, sends, helped, blocking])
async def test_a_foreign_cancellation_ends_the_run_as_interrupted(
    function: Callable[..., Any], times: int, store: str, tmp_path: Path
) -> None:
    url = store if store == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    async with opened(App(store=url, timing=QUICK, max_runs=1)) as app:
        action = app.action(function)
        run = await app.start(action)
        await first_chunk(run)

        await cancel_foreign(times=times)

        assert (await end_of(app, run)).status == "failed"
        snapshot = await run.snapshot()
        assert snapshot["error"]["code"] == "INTERRUPTED"
        again = await app.start(action)  # the caller's one run is free again
        await again.cancel()
        assert (await end_of(app, again)).status == "cancelled"


async def test_an_action_that_cancels_its_own_task_ends_its_run() -> None:
    async with opened(App(timing=QUICK)) as app:
        run = await app.start(app.action(cancels_itself))

        assert (await end_of(app, run)).status == "failed"


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), st.integers(1, 4), st.sampled_from([forever, sends, helped]))
def test_a_run_ends_wherever_its_task_is_cancelled(
    steps: int, times: int, function: Callable[..., Any]
) -> None:
    async def play() -> None:
        async with opened(App(timing=QUICK)) as app:
            run = await app.start(app.action(function))
            for _ in range(steps):
                await asyncio.sleep(0)

            await cancel_foreign(times=times)

            assert (await end_of(app, run)).status == "failed"

    asyncio.run(play())


@pytest.mark.parametrize("key", [None, "a key of the caller's own"])
@pytest.mark.parametrize("steps", range(8))
async def test_a_start_that_is_cancelled_leaves_no_run_that_nobody_knows(
    steps: int, key: str | None, tmp_path: Path
) -> None:
    async with opened(App(store=f"sqlite:///{tmp_path / 'runs.db'}", timing=QUICK)) as app:
        action = app.action(forever)
        starting = asyncio.ensure_future(  # noqa: TID251 - cancelled by hand
            app.start(action, {}, owner="ada", key=key)
        )
        for _ in range(steps):
            await asyncio.sleep(0)

        starting.cancel()
        await asyncio.wait({starting})
        if not starting.cancelled():  # it was over before, and its caller knows the run
            await starting.result().cancel()

        async with asyncio.timeout(SOON):
            while any(not run.status.is_terminal for run in await kept(app)):
                if key is not None:
                    run = await app.start(action, {}, owner="ada", key=key)
                    assert [run.id] == [each.id for each in await kept(app)]
                    await run.cancel()
                await asyncio.sleep(0.01)


async def kept(app: App) -> list[RunRecord]:
    return list(await app.store.find(Query(everyone=True)))


@pytest.mark.parametrize(
    ("other", "code"),
    [(ActionError("NO", "Declared."), "NO"), (KeyError("the second"), "INTERNAL_ERROR")],
    ids=["a declared error is told", "others are told as one"],
)
async def test_all_errors_of_a_group_are_logged(
    other: Exception, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def fails() -> None:
        raise ExceptionGroup("two", [ValueError("the first"), other])

    async with opened(App(timing=QUICK)) as app:
        run = await app.start(app.action(fails))
        with caplog.at_level(logging.ERROR):
            await end_of(app, run)
        snapshot = await run.snapshot()

    assert snapshot["error"]["code"] == code
    assert "the first" in caplog.text
    assert str(other) in caplog.text


class Slow(MemoryStore):
    """A store that takes its time, during which a caller can give up; its first end fails."""

    def __init__(self) -> None:
        super().__init__()
        self.has_failed = False

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        for _ in range(3):
            await asyncio.sleep(0)
        if block.end is not None and not self.has_failed:
            self.has_failed = True
            raise StoreError("not now")
        seq = await super().append(run_id, block, after=after, fence=fence)
        await asyncio.sleep(0)
        return seq


async def counts(stream: Stream[int]) -> int:
    for n in range(3):
        await stream.send(n)
        await asyncio.sleep(0)
    return 3


@pytest.mark.parametrize("steps", range(40))
async def test_a_run_ends_once_wherever_it_is_cancelled_and_however_slow_its_store_is(
    steps: int,
) -> None:
    async with opened(App(store=Slow(), timing=QUICK)) as app:
        run = await app.start(app.action(counts))
        for _ in range(steps):
            await asyncio.sleep(0)

        await cancel_foreign()

        record = await end_of(app, run)
        events = [event async for event in run.events()]
        assert record.status.is_terminal
        assert [event.is_terminal for event in events] == [False] * (len(events) - 1) + [True]


async def test_a_run_that_waits_for_one_that_was_cancelled_has_failed_and_not_been_cancelled() -> (
    None
):
    async with opened(App(timing=QUICK)) as app:
        inner = await app.start(app.action(forever))

        async def waits() -> None:
            await inner.result()

        run = await app.start(app.action(waits))
        await asyncio.sleep(0)
        await inner.cancel()

        assert (await end_of(app, run)).status == "failed"
        assert (await run.snapshot())["error"]["code"] == "CANCELLED"


class Stuck(MemoryStore):
    """A store that never answers to the end of a run."""

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        if block.end is not None:
            await asyncio.Event().wait()
        return await super().append(run_id, block, after=after, fence=fence)


async def test_a_store_that_never_takes_a_runs_end_does_not_hold_up_the_close() -> None:
    app = App(store=Stuck(), timing=QUICK)
    run = await app.start(app.action(forever))
    await first_chunk(run)

    async with asyncio.timeout(SOON):
        await app.close()


class LateClaims(MemoryStore):
    """A store that says only after a while that a run was claimed."""

    async def claim(self, run_id: str, *, lease: float | None) -> RunRecord:
        run = await super().claim(run_id, lease=lease)
        for _ in range(3):
            await asyncio.sleep(0)
        return run


@pytest.mark.parametrize("steps", range(8))
async def test_a_run_ends_whose_task_is_cancelled_before_it_learns_of_its_claim(steps: int) -> None:
    async with opened(App(store=LateClaims(), timing=QUICK)) as app:
        run = await app.start(app.action(forever))
        for _ in range(steps):
            await asyncio.sleep(0)

        await cancel_foreign()

        assert (await end_of(app, run)).status == "failed"


async def test_a_run_fails_whose_action_raises_that_another_run_was_taken_away() -> None:
    async def appends_elsewhere() -> None:
        raise Fenced("another run is another writer's")

    async with opened(App(timing=QUICK)) as app:
        run = await app.start(app.action(appends_elsewhere))

        assert (await end_of(app, run)).status == "failed"


class Unmade(ActionError):
    """An error whose object cannot be made."""

    def error_object(self, run_id: str | None = None) -> ErrorObject:
        raise KeyError(run_id)


async def test_a_run_whose_error_cannot_be_told_fails_as_an_internal_error() -> None:
    async def fails() -> None:
        raise Unmade("NO", "Never told.")

    async with opened(App(timing=QUICK)) as app:
        run = await app.start(app.action(fails))

        assert (await end_of(app, run)).status == "failed"
        assert (await run.snapshot())["error"]["code"] == "INTERNAL_ERROR"


async def in_time_limits() -> AsyncIterator[str]:
    for _ in range(3):
        try:
            async with asyncio.timeout(0.01):
                while True:
                    yield "in time"
        except TimeoutError:
            yield "too late"


async def in_cancel_scopes() -> AsyncIterator[str]:
    for _ in range(3):
        with anyio.move_on_after(0.01):
            while True:
                yield "in time"
        yield "too late"


@pytest.mark.parametrize("store", ["memory", "sqlite"])
@pytest.mark.parametrize("function", [in_time_limits, in_cancel_scopes])
async def test_a_time_limit_within_an_action_reaches_it_though_it_never_waits_but_to_be_written(
    function: Callable[[], AsyncIterator[str]], store: str, tmp_path: Path
) -> None:
    url = store if store == "memory" else f"sqlite:///{tmp_path / 'runs.db'}"
    async with opened(App(store=url, timing=QUICK)) as app:
        run = await app.start(app.action(function))

        record = await end_of(app, run)

        chunks = [event.value async for event in run.events() if not event.is_terminal]
        assert record.status == "completed"
        assert chunks.count("too late") == 3
        assert chunks[-1] == "too late"
