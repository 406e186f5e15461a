"""A store that fails is answered with 503 and never taken for a run's end."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from tests.support.calls import Call, Fields, get, post, send, stream
from tests.support.faults import Faults, Lock, everything, writing
from tests.support.wire import Answer
from tests.support.world import (
    ALICE,
    BRISK,
    NDJSON,
    PAGE,
    SSE,
    TEXT,
    WHOLE,
    begun,
    ended,
    log_of,
    opened,
    world,
)
from yieldwire import Actions, RunLimits
from yieldwire.errors import StoreError
from yieldwire.stores.sqlite import SQLiteStore

BRIEF: Final = 0.05
SOON: Final = 30.0
DETACHED: Final = ("prefer", "respond-async")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs.db"


@pytest.fixture
def faults() -> Iterator[Faults]:
    with Faults().installed() as faults:
        yield faults


@pytest.fixture
async def site(path: Path, faults: Faults) -> AsyncIterator[Actions]:
    """An open application with a file that fails when it is told to."""
    store = SQLiteStore(path, busy_timeout=BRIEF)
    async with AsyncExitStack() as stack:
        stack.callback(faults.repair)
        limits = RunLimits(store_patience=0.0, cancel_within=0.1)
        timing = replace(BRISK, keepalive=BRIEF)
        actions = world(store=store, run_limits=limits, timing=timing)
        yield await stack.enter_async_context(opened(actions))
        faults.repair()  # so that unfinished runs can end


def assert_unavailable(answer: Answer, path: Path) -> None:
    """Check that the answer says when to come back, and nothing about the store."""
    error = answer.json()["error"]
    assert answer.status == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["content-type"] == "application/json"
    assert (error["code"], error["statusCode"], error["retryable"]) == ("UNAVAILABLE", 503, True)
    assert str(path.parent) not in answer.body.decode()
    assert "disk" not in error["message"]


# Requests.


def calls_of(run_id: str) -> dict[str, Call]:
    """Return a request to every place that asks the store."""
    run = f"/runs/{run_id}"
    return {
        "a start": post("/say", {}, [*ALICE, SSE]),
        "a start for its whole answer": post("/say", {}, [*ALICE, WHOLE]),
        "a start that is not waited for": post("/say", {}, [*ALICE, DETACHED]),
        "a feed": get("/tick?times=1", [*ALICE, SSE]),
        "a snapshot": get(run, ALICE),
        "a poll": get(f"{run}?after=0&wait=5", ALICE),
        "a stream": get(f"{run}/events", [*ALICE, SSE]),
        "a stream of lines": get(f"{run}/events", [*ALICE, NDJSON]),
        "a stream of text": get(f"{run}/events", [*ALICE, TEXT]),
        "a cancel": post(f"{run}/cancel", {}, ALICE),
        "a deletion": Call(method="DELETE", target=run, headers=ALICE),
        "a list": get("/runs", ALICE),
    }


each_call = pytest.mark.parametrize("call", calls_of("r"))


@each_call
async def test_every_request_is_answered_503_while_the_file_fails(
    site: Actions, faults: Faults, path: Path, call: str
) -> None:
    request = calls_of(await ended(site))[call]
    faults.fails = everything

    assert_unavailable(await send(site, request), path)


@each_call
async def test_every_request_is_answered_again_when_the_file_works_again(
    site: Actions, faults: Faults, call: str
) -> None:
    request = calls_of(await ended(site))[call]
    faults.fails = everything
    await send(site, request)
    faults.repair()

    assert (await send(site, request)).status < 300


async def test_a_page_says_it_to_people(site: Actions, faults: Faults) -> None:
    run_id = await ended(site)
    faults.fails = everything

    answer = await send(site, get(f"/runs/{run_id}", [*ALICE, PAGE]))

    assert answer.status == 503
    assert answer.headers["content-type"].startswith("text/html")


async def test_the_log_says_why_in_one_line(
    site: Actions, faults: Faults, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    faults.fails = everything

    await send(site, get("/runs", ALICE))

    (record,) = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert str(path) in record.getMessage()
    assert record.exc_info is None


@pytest.mark.parametrize(
    "call", ["a snapshot", "a poll", "a stream", "a stream of lines", "a stream of text", "a list"]
)
async def test_what_is_there_is_read_while_nothing_can_be_written(
    site: Actions, faults: Faults, call: str
) -> None:
    request = calls_of(await ended(site))[call]
    faults.fails = writing

    answer = await send(site, request)

    assert answer.status == 200


@pytest.mark.parametrize("accept", [SSE, WHOLE, DETACHED])
async def test_nothing_is_started_on_a_full_disk(
    site: Actions, faults: Faults, path: Path, accept: tuple[str, str]
) -> None:
    faults.fails = writing

    assert_unavailable(await send(site, post("/say", {}, [*ALICE, accept])), path)

    faults.repair()
    assert (await send(site, get("/runs", ALICE))).json()["runs"] == []


async def test_a_start_that_was_refused_can_be_sent_again_with_its_key(
    site: Actions, faults: Faults
) -> None:
    start = post("/say", {}, [*ALICE, WHOLE, ("idempotency-key", "k" * 22)])
    faults.fails = writing
    refused = await send(site, start)
    faults.repair()

    first, second = await send(site, start), await send(site, start)

    assert refused.status == 503
    assert first.json()["status"] == "completed"
    assert second.json()["runId"] == first.json()["runId"]


async def test_a_file_that_comes_with_a_call_and_cannot_be_kept_starts_nothing(
    site: Actions, path: Path
) -> None:
    await asyncio.to_thread(path.with_name(path.name + "-files").touch)  # where a folder should be
    body = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        b"content\r\n--x--\r\n"
    )
    kind = ("content-type", "multipart/form-data; boundary=x")
    call = Call(method="POST", target="/take", headers=[*ALICE, WHOLE, kind], body=[body])

    assert_unavailable(await send(site, call), path)
    assert (await send(site, get("/runs", ALICE))).json()["runs"] == []


async def test_a_file_that_another_process_has_locked_is_waited_for_no_longer_than_said(
    site: Actions, path: Path
) -> None:
    with Lock(path):
        async with asyncio.timeout(SOON):
            answer = await send(site, post("/say", {}, [*ALICE, WHOLE]))

    assert_unavailable(answer, path)
    assert (await send(site, post("/say", {}, [*ALICE, WHOLE]))).status == 200


# Streams.


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT])
async def test_a_stream_that_cannot_continue_has_no_end_and_is_resumed(
    site: Actions, faults: Faults, accept: tuple[str, str]
) -> None:
    run_id = await begun(site)
    async with asyncio.timeout(SOON):
        async with stream(site, get(f"/runs/{run_id}/events", [*ALICE, accept])) as response:
            body = await response.read()
            faults.fails = everything
            body += await response.rest()
    faults.repair()
    await site.app.cancel(run_id)
    await site.app.reader(run_id).news(1, SOON)
    after: Fields = [*ALICE, SSE, ("last-event-id", f"{run_id}.1")]
    rest = await send(site, get(f"/runs/{run_id}/events", after))

    assert b"waiting" in body
    assert b"cancelled" not in body
    assert (response.error is not None) == (accept == TEXT)
    assert b"event: cancelled" in rest.body
    assert [seq for seq, _, _ in await log_of(site, run_id)] == [1, 2]


# Opening.


async def test_a_server_does_not_start_with_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    actions, sent = world(store=f"sqlite:///{tmp_path}/none/runs.db"), list[Any]()

    async def receive() -> Any:  # noqa: ANN401 - ASGI
        return {"type": "lifespan.startup"}

    async def note(message: Any) -> None:  # noqa: ANN401 - ASGI
        sent.append(message)

    with pytest.raises(StoreError, match="does not exist"):
        await actions({"type": "lifespan"}, receive, note)

    (message,) = sent
    assert message["type"] == "lifespan.startup.failed"
    assert message["message"] == (
        f"Runs cannot be kept in {tmp_path}/none/runs.db: "
        f"the folder {tmp_path}/none does not exist. Create it."
    )


async def test_a_mounted_application_fails_the_start_of_what_it_is_mounted_in(
    tmp_path: Path,
) -> None:
    with pytest.raises(StoreError, match="it is a folder"):
        async with world(store=f"sqlite:///{tmp_path}").lifespan():
            raise AssertionError("it began")


@each_call
async def test_an_application_that_nobody_opens_answers_503_until_its_file_can_be_used(
    tmp_path: Path, call: str
) -> None:
    path = tmp_path / "none" / "runs.db"
    actions = world(store=f"sqlite:///{path}")
    request = calls_of("rnothingisthereyet00000")[call]

    refused = await send(actions, request)
    await asyncio.to_thread(path.parent.mkdir)
    answered = await send(actions, request)
    await actions.app.close()

    assert_unavailable(refused, path)
    assert answered.status != 503


# Time.


async def test_a_sweep_that_fails_is_told_of_once_and_sweeping_continues(
    path: Path, faults: Faults, caplog: pytest.LogCaptureFixture
) -> None:
    store = SQLiteStore(path)
    async with opened(world(store=store, timing=replace(BRISK, sweep_every=0.001))) as site:
        seen = faults.connections
        faults.fails = lambda sql: sql.startswith("COMMIT")
        while faults.connections < seen + 4:  # noqa: ASYNC110 - as many sweeps have failed
            await asyncio.sleep(0.001)
        faults.repair()
        answer = await send(site, post("/say", {}, [*ALICE, WHOLE]))

    told = [each for each in caplog.records if "a sweep failed" in each.getMessage()]
    assert answer.status == 200
    assert len(told) == 1
    assert told[0].levelno == logging.WARNING
