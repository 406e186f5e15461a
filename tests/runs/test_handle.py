"""Runs as Python code starts, finds and holds them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import BaseModel

from tests.support.runs import SOON, first_chunk, opened
from yieldwire import Context, Stream, StreamableValue
from yieldwire.actions.marker import Body
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.errors import (
    ActionError,
    Forbidden,
    NotFound,
    RunCancelled,
    Unauthorized,
    UsageError,
    ValidationFailed,
)
from yieldwire.log.chunks import Result
from yieldwire.runs.access import Caller
from yieldwire.stores import Query


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


async def test_a_run_yields_its_events(app: App) -> None:
    run = await app.start(app.action(load), {"rows": 2})

    async with asyncio.timeout(SOON):
        events = [(event.seq, event.type.value) async for event in run.events()]

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
        assert [chunk async for chunk in run] == [0, 1, 2]


async def test_a_result_comes_back_in_its_type(app: App) -> None:
    run = await app.start(app.action(load), {"rows": 3})

    async with asyncio.timeout(SOON):
        assert await run.result() == Summary(3)
        assert await run.result() == Summary(3)


async def test_a_result_that_looks_like_an_error_is_none(app: App) -> None:
    run = await app.start(app.action(answers_with_a_code))

    async with asyncio.timeout(SOON):
        assert await run.result() == {"code": "NOT_AN_ERROR"}
        assert [chunk async for chunk in run] == []


async def test_a_run_that_failed_raises_with_all_that_its_error_says(app: App) -> None:
    run = await app.start(app.action(fail))

    heard: list[int] = []

    async def read() -> None:
        async for chunk in run:
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


# Starting.


async def name_it(ctx: Context, name: str, times: int = 1) -> str:
    return f"{ctx.owner}: {name * times}"


async def name_owner(owner: str, key: str = "") -> str:
    return owner + key


async def stream_it(name: str, stream: Stream[str], ctx: Context) -> str:
    await stream.send(name)
    return name


async def hold_it(ctx: Context, value: StreamableValue[str], name: str) -> None:
    value.update(name)


class Chat(BaseModel):
    words: list[str]


async def talk(chat: Annotated[Chat, Body()]) -> int:
    return len(chat.words)


async def take_options(options: dict[str, str]) -> list[str]:
    return sorted(options)


async def test_the_input_is_given_as_the_actions_own_parameters(app: App) -> None:
    action = app.action(name_it)

    runs = [
        await app.start(action, name="ab"),
        await app.start(action, name="ab", times=2),
        await app.start(action, "ab", 2),
        await app.start(action, "ab", times=3),
        await app.start(action, {"name": "ab", "times": 2}),
    ]

    results = [await run.result() for run in runs]
    assert results == ["None: ab", "None: abab", "None: abab", "None: ababab", "None: abab"]


async def test_injected_parameters_are_not_inputs_wherever_they_come(app: App) -> None:
    held = await app.start(app.action(hold_it), name="ab")
    streamed = await app.start(app.action(stream_it), {"name": "ab"})

    assert [await held.result(), await streamed.result()] == ["ab", "ab"]


async def test_a_body_is_given_as_its_model_or_as_its_fields(app: App) -> None:
    action = app.action(talk)

    runs = [
        await app.start(action, chat=Chat(words=["a", "b"])),
        await app.start(action, Chat(words=["a", "b"])),
        await app.start(action, {"words": ["a", "b"]}),
    ]

    assert [await run.result() for run in runs] == [2, 2, 2]


async def test_one_object_is_the_whole_input_and_named_objects_are_inputs(app: App) -> None:
    action = app.action(take_options)

    named = await app.start(action, options={"a": "b"})
    whole = await app.start(action, {"options": {"c": "d"}})

    assert [await named.result(), await whole.result()] == [["a"], ["c"]]


async def test_a_run_is_started_for_an_owner_and_once_for_a_key(app: App) -> None:
    action = app.action(name_it)
    start = app.start.with_options(owner="ada", key="k")

    first = await start(action, name="a")
    again = await start(action, name="a")
    other = await app.start(action, {"name": "a"}, owner="ada", key="k")

    assert first.id == again.id == other.id
    assert await first.result() == "ada: a"


async def test_inputs_named_as_options_are_never_mixed_up_with_them(app: App) -> None:
    action = app.action(name_owner)

    with pytest.raises(UsageError, match=r"an input called 'owner'.*with_options"):
        await app.start(action, owner="eve")
    asked = await app.start.with_options(owner="ada")(action, owner="eve", key="k")
    whole = await app.start(action, {"owner": "eve"}, owner="ada")

    assert [await asked.result(), await whole.result()] == ["evek", "eve"]
    assert {(await app.store.get(run.id)).owner for run in (asked, whole)} == {"ada"}


@pytest.mark.parametrize("given", [{}, {"name": 3}, {"name": "a", "lines": 3}])
async def test_an_input_that_does_not_fit_is_refused(app: App, given: dict[str, Any]) -> None:
    start: Any = app.start

    with pytest.raises(ValidationFailed):
        await start(app.action(name_it), **given)


async def test_more_values_than_inputs_are_refused(app: App) -> None:
    start: Any = app.start

    with pytest.raises(UsageError, match="name_it has 2 inputs, and 3 were given"):
        await start(app.action(name_it), "a", 2, 3)


# Attaching.


async def test_a_run_is_attached_to_by_its_id_and_gives_its_typed_result(app: App) -> None:
    action = app.action(load)
    started = await app.start(action, rows=2)

    found, typed = await app.runs.get(started.id), await app.runs.get(started.id, action)

    assert await found.result() == await typed.result() == Summary(2)
    assert repr(found) == f"<Run {started.id} of load>"


async def test_code_can_attach_to_a_run_of_any_owner(app: App) -> None:
    started = await app.start.with_options(owner="ada")(app.action(load), rows=1)

    assert (await app.runs.get(started.id)).id == started.id


async def test_a_run_that_is_attached_to_can_be_followed_and_stopped(app: App) -> None:
    started = await app.start(app.action(hang))
    found = await app.runs.get(started.id)

    assert await first_chunk(found) == 1
    await found.cancel()

    with pytest.raises(RunCancelled, match="cancelled"):
        await started.result()


async def test_what_is_not_a_run_or_another_actions_is_not_found(app: App) -> None:
    other, started = app.action(fail), await app.start(app.action(load), rows=1)

    with pytest.raises(NotFound, match="no run"):
        await app.runs.get("r0")
    with pytest.raises(NotFound, match="not one of fail, but of load"):
        await app.runs.get(started.id, other)


async def test_a_run_is_found_for_a_caller_who_can_read_it_alone(app: App) -> None:
    started = await app.start(app.action(load), {"rows": 1}, owner="ada")

    found = await app.runs.get(started.id, caller=Caller(owner="ada"))

    assert found.id == started.id
    with pytest.raises(Forbidden, match="somebody else"):
        await app.runs.get(started.id, caller=Caller(owner="ben"))
    with pytest.raises(Unauthorized):
        await app.runs.get(started.id, caller=Caller())


async def test_runs_are_listed_and_deleted(app: App) -> None:
    started = await app.start(app.action(load), {"rows": 1}, owner="ada")
    await started.result()

    found = await app.runs.find(Query(owner="ada"))
    await app.runs.delete(started.id)

    assert [run.id for run in found] == [started.id]
    with pytest.raises(NotFound):
        await app.runs.get(started.id)


async def test_a_run_is_found_in_a_file_by_an_application_that_has_just_begun(
    tmp_path: Path,
) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    async with opened(App(store=store)) as app:
        run_id = (await app.start(app.action(load), rows=1)).id
        await (await app.runs.get(run_id)).result()

    fresh, forgetful = App(store=store), App(store=store)
    fresh.action(load)
    try:
        assert await (await fresh.runs.get(run_id)).result() == Summary(1)
        # Without the action it is plain JSON.
        assert await (await forgetful.runs.get(run_id)).result() == {"rows": 1}
    finally:
        await fresh.close()
        await forgetful.close()
