"""What an unexpected exception was is shown in development, and to nobody else."""

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic_core import from_json
from starlette.requests import HTTPConnection

from tests.support.calls import Call, get, post, send, stream
from tests.support.wire import Answer
from tests.support.world import NDJSON, PAGE, SSE, TEXT, WHOLE, opened, wait_for_end, world
from yieldwire import ActionError, Actions, Context
from yieldwire.client import AsyncClient
from yieldwire.devtools import attach
from yieldwire.errors import ErrorObject, InternalError, RunError
from yieldwire.errors.lookup import error_from
from yieldwire.testing import connect

SECRET: Final = "canary-9f8e7d"
FORMATS: Final = {"SSE": SSE, "NDJSON": NDJSON, "text": TEXT, "JSON": WHOLE, "page": PAGE}
each_format = pytest.mark.parametrize("accept", FORMATS.values(), ids=list(FORMATS))
ACTIONS: Final = ["fail", "fail_late"]
TOLD: Final = (b"debug", b"RuntimeError", b"Traceback", b"SELECT", b"world.py", SECRET.encode())
"""What only development can say."""


async def every_answer(site: Actions, action: str) -> dict[str, Answer]:
    """Return what every transport says of a run that fails, by the transport's name."""
    body = {"canary": SECRET}
    answers = {}
    run_id = ""
    for name, accept in FORMATS.items():
        async with stream(site, post(f"/{action}", body, [accept])) as response:
            rest = await response.rest()
            answer = Answer(status=response.status, headers=response.headers, body=rest)
        answers[f"{name} of the start"] = answer
        run_id = answer.headers.get("run-id", run_id)
        await wait_for_end(site, run_id)
    for name, accept in FORMATS.items():
        async with stream(site, get(f"/runs/{run_id}/events", [accept])) as response:
            rest = await response.rest()
            answers[f"{name} of a replay"] = Answer(
                status=response.status, headers=response.headers, body=rest
            )
    for tail in ("", "?after=0", "?events=1", "?wait=1"):
        answers[f"snapshot {tail}"] = await send(site, get(f"/runs/{run_id}{tail}"))
    answers["page"] = await send(site, get(f"/runs/{run_id}", [PAGE]))
    answers["cancel"] = await send(site, post(f"/runs/{run_id}/cancel", {}))
    call = post(f"/{action}?events=1", body, [WHOLE])
    answers["whole with events"] = await send(site, call)
    return answers


@pytest.mark.parametrize("action", ACTIONS)
async def test_without_debug_no_transport_says_anything_of_an_exception(action: str) -> None:
    async with opened(world()) as site:
        answers = await every_answer(site, action)

    for name, answer in answers.items():
        said = answer.body + str(answer.headers).encode()
        assert {mark: name for mark in TOLD if mark in said} == {}


@pytest.mark.parametrize("action", ACTIONS)
async def test_with_debug_every_transport_that_says_errors_shows_it(action: str) -> None:
    async with opened(world(debug=True)) as site:
        answers = await every_answer(site, action)

    silent = {"text of the start", "text of a replay", "JSON of a replay", "page of a replay"}
    for name, answer in answers.items():
        if name not in silent and answer.status != 303:
            assert SECRET.encode() in answer.body, name
            assert b"in " + action.encode() in answer.body, name
            assert b"/src/yieldwire/" not in answer.body, name


@pytest.mark.parametrize("action", ACTIONS)
async def test_what_development_kept_in_a_file_is_not_shown_when_it_is_served(
    tmp_path: Path, action: str
) -> None:
    store = f"sqlite:///{tmp_path / 'runs.db'}"
    async with opened(world(store=store, debug=True)) as site:
        answer = await send(site, post(f"/{action}", {"canary": SECRET}, [WHOLE]))
        run_id = answer.headers["run-id"]
        assert SECRET.encode() in answer.body

    async with opened(world(store=store)) as site:
        calls = [get(f"/runs/{run_id}/events", [accept]) for accept in (SSE, NDJSON)]
        calls += [get(f"/runs/{run_id}{tail}") for tail in ("", "?after=0")]
        calls.append(get(f"/runs/{run_id}", [PAGE]))
        calls.append(get(f"/runs/{run_id}/events", [SSE, ("last-event-id", f"{run_id}.0")]))
        answers = [await send(site, call) for call in calls]
        logged = [event.data async for event in (await site.runs.get(run_id)).events()]
        with pytest.raises(RunError) as caught:
            await (await site.runs.get(run_id)).result()

    for answer in answers:
        assert b"INTERNAL_ERROR" in answer.body
        assert [mark for mark in TOLD if mark in answer.body] == []
    assert [mark for mark in TOLD if mark in b"".join(logged)] == []
    assert caught.value.debug is None
    assert SECRET not in "".join(getattr(caught.value, "__notes__", []))


async def test_the_developer_page_shows_errors_and_its_application_does() -> None:
    site = world()
    attach(site)
    async with opened(site):
        answer = await send(site, post("/fail", {"canary": SECRET}, [WHOLE]))

    debug = answer.json()["error"]["debug"]
    assert debug["type"] == "RuntimeError"
    assert debug["message"] == f"/srv/app.py: SELECT {SECRET}"
    assert debug["traceback"].startswith("Traceback (most recent call last):\n  File ")


# Before a run: whatever answers a request.


def failing_identify(request: HTTPConnection) -> str:
    raise LookupError(SECRET)


async def failing_guard(ctx: Context) -> None:
    raise LookupError(SECRET)


async def failing_middleware(ctx: Context) -> AsyncGenerator[None, None]:
    if ctx.action:
        raise LookupError(SECRET)
    yield


PLACES: Final[dict[str, tuple[dict[str, Any], str]]] = {
    "identify": ({"identify": failing_identify}, "failing_identify"),
    "guards": ({"guards": [failing_guard]}, "failing_guard"),
    "middleware": ({"middleware": [failing_middleware]}, "failing_middleware"),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("accept", [WHOLE, PAGE], ids=["program", "browser"])
async def test_whatever_of_the_application_fails_is_shown_from_its_own_line(
    place: str, accept: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    settings, function = PLACES[place]
    answers = []
    for debug in (True, False):
        async with opened(world(**settings, debug=debug)) as site:
            answer = await send(site, post("/say", {}, [accept]))
            if answer.status == 303:  # the page of the run
                await wait_for_end(site, answer.headers["run-id"])
                answer = await send(site, get(answer.headers["location"], [PAGE]))
            answers.append(answer.body.decode())

    shown, hidden = answers
    assert "LookupError" in shown
    assert f"in {function}" in shown
    assert "/src/yieldwire/" not in shown
    assert "starlette/" not in shown
    assert SECRET not in hidden
    assert "LookupError" not in hidden
    for record in caplog.records:
        if record.exc_info:
            assert "/src/yieldwire/" not in logging.Formatter().format(record)


async def test_a_resource_that_cannot_be_opened_is_shown_in_development() -> None:
    async def pool() -> AsyncIterator[int]:
        if SECRET:
            raise LookupError(SECRET)
        yield 1

    answers = []
    for debug in (True, False):
        site = world(debug=debug)
        site.resource(pool)
        answers.append((await send(site, post("/say", {}, [WHOLE]))).body.decode())
        await site.app.close()

    assert "in pool" in answers[0]
    assert SECRET not in answers[1]


async def test_an_error_that_cannot_be_written_as_json_is_still_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def check(ctx: Context) -> None:
        raise ActionError("ODD", "\ud800" if ctx.action == "say" else "m", data=object())

    async with opened(world(guards=[check])) as site:
        answers = [
            await send(site, Call(method="POST", target="/add", headers=[accept]))
            for accept in (WHOLE, PAGE)
        ]
        # What is logged of a text that UTF-8 does not have, pytest could not pass on.
        caplog.set_level(logging.CRITICAL, logger="yieldwire")
        answers += [
            await send(site, Call(method="POST", target="/say", headers=[accept]))
            for accept in (WHOLE, PAGE)
        ]

    assert [answer.status for answer in answers] == [500] * 4
    assert "error.data is of the type object" in caplog.text


# Clients.


async def test_a_python_client_raises_the_error_with_what_the_server_showed() -> None:
    async with connect(world(debug=True)) as client:
        with pytest.raises(InternalError, match="Something went wrong") as caught:
            await client.call("fail", {"canary": SECRET})

    assert isinstance(client, AsyncClient)
    assert caught.value.debug is not None
    assert caught.value.debug["type"] == "RuntimeError"
    assert "shown in development only" in caught.value.__notes__[0]
    assert SECRET in caught.value.__notes__[0]


@pytest.mark.parametrize("odd", ["text", 3, [], {"type": 3}])
async def test_a_client_takes_whatever_another_server_calls_debug(odd: object) -> None:
    told = ErrorObject.from_dict(from_json(b'{"code":"INTERNAL_ERROR"}') | {"debug": odd})

    assert error_from(told).code == "INTERNAL_ERROR"
