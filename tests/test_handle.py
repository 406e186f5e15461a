"""A run as Python code holds it."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from tests.support.runs import SOON, first_chunk, opened
from yieldwire.app import App, Timing
from yieldwire.chunks import Result
from yieldwire.errors import ActionError, NotFound, RunCancelled


@dataclass(frozen=True)
class Summary:
    rows: int


async def load(rows: int) -> AsyncIterator[int | Result[Summary]]:
    for row in range(rows):
        yield row
    yield Result(Summary(rows))


async def fail() -> AsyncIterator[int]:
    yield 1
    raise ActionError("NO", "No.", status=402, retryable=True, data={"n": 1})


async def hang() -> AsyncIterator[int]:
    yield 1
    await asyncio.Event().wait()


async def answers_with_a_code() -> dict[str, str]:
    return {"code": "NOT_AN_ERROR"}


@pytest.fixture
async def app() -> AsyncIterator[App]:
    async with opened(App(timing=Timing(grace=0.1))) as app:
        yield app


async def test_a_run_is_iterated_for_its_events(app: App) -> None:
    run = await app.start(app.action(load), {"rows": 2})

    async with asyncio.timeout(SOON):
        events = [(event.seq, event.type.value) async for event in run]

    assert events == [(1, "chunk"), (2, "chunk"), (3, "done")]


async def test_events_can_be_had_from_behind_any_of_them(app: App) -> None:
    run = await app.start(app.action(load), {"rows": 2})

    async with asyncio.timeout(SOON):
        for after in range(4):
            seqs = [event.seq async for event in run.events(after)]
            assert seqs == [*range(after + 1, 4)]


async def test_chunks_are_what_the_action_yielded(app: App) -> None:
    run = await app.start(app.action(load), {"rows": 3})

    async with asyncio.timeout(SOON):
        assert [chunk async for chunk in run.chunks()] == [0, 1, 2]


async def test_a_result_comes_back_in_its_type(app: App) -> None:
    run = await app.start(app.action(load), {"rows": 3})

    async with asyncio.timeout(SOON):
        assert await run.result() == Summary(3)
        assert await run.result() == Summary(3)


async def test_a_result_that_looks_like_an_error_is_none(app: App) -> None:
    run = await app.start(app.action(answers_with_a_code))

    async with asyncio.timeout(SOON):
        assert await run.result() == {"code": "NOT_AN_ERROR"}
        assert [chunk async for chunk in run.chunks()] == []


async def test_a_run_that_failed_raises_with_all_that_its_error_says(app: App) -> None:
    run = await app.start(app.action(fail))

    heard: list[int] = []

    async def read() -> None:
        async for chunk in run.chunks():
            heard.append(chunk)  # noqa: PERF401 - what came before the error counts

    async with asyncio.timeout(SOON):
        with pytest.raises(ActionError, match="No") as by_result:
            await run.result()
        with pytest.raises(ActionError, match="No") as by_chunks:
            await read()

    assert heard == [1]
    for caught in (by_result, by_chunks):
        told = caught.value.error_object()
        assert (told.code, told.status, told.retryable, told.data) == ("NO", 402, True, {"n": 1})


async def test_a_cancelled_run_raises(app: App) -> None:
    run = await app.start(app.action(hang))
    await first_chunk(run)

    await run.cancel()
    await run.cancel()

    async with asyncio.timeout(SOON):
        with pytest.raises(RunCancelled, match="was cancelled") as caught:
            await run.result()
    assert caught.value.code == "CANCELLED"


async def test_a_snapshot_is_the_runs(app: App) -> None:
    run = await app.start(app.action(hang))
    await first_chunk(run)

    snapshot = await run.snapshot()

    assert (snapshot["id"], snapshot["status"]) == (run.id, "running")
    assert repr(run) == f"<Run {run.id} of hang>"


async def test_a_run_that_was_forgotten_is_not_found(app: App) -> None:
    run = await app.start(app.action(load), {"rows": 1})
    async with asyncio.timeout(SOON):
        await run.result()
    await app.delete(run.id)

    with pytest.raises(NotFound, match="no run"):
        await run.result()
