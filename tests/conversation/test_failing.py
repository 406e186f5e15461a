"""What a caller is told of everything that can go wrong, before the first event and after it."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Iterator

import pytest
from pydantic_core import from_json

from tests.conftest import Serve
from tests.support.server import ThreadServer
from tests.support.story import events_in
from tests.support.wire import Answer, fetch, post
from yieldwire import ActionError, Actions, Context, Text, Unauthorized


@pytest.fixture
def failing(serve: Serve) -> ThreadServer:
    """Serve actions that end badly, each at its own moment."""

    async def only_known(ctx: Context) -> None:
        if ctx.request.headers.get("x-known") != "yes":
            raise Unauthorized("Say who you are.")

    actions = Actions()

    @actions.action
    async def early(n: int = 1) -> AsyncIterator[Text]:
        if n == 1:
            raise ActionError("OUT_OF_CREDIT", "No credit.", status=402, data={"credit": 0})
        yield Text("never")

    @actions.action
    async def late() -> AsyncIterator[Text]:
        yield Text("a beginning")
        raise ActionError("OUT_OF_CREDIT", "No credit.", status=402, data={"credit": 0})

    @actions.action
    async def broken() -> AsyncIterator[Text]:
        yield Text("a beginning")
        raise RuntimeError("a secret of the server")

    @actions.action
    def broken_blocking() -> Iterator[Text]:
        yield Text("a beginning")
        raise RuntimeError("a secret of the server")

    @actions.action(guards=[only_known])
    async def guarded() -> AsyncIterator[Text]:
        yield Text("for the known")

    return serve(actions)


OUT_OF_CREDIT = {
    "code": "OUT_OF_CREDIT",
    "message": "No credit.",
    "statusCode": 402,
    "retryable": False,
    "fieldErrors": None,
    "data": {"credit": 0},
    "errorId": None,
}
ACCEPT = pytest.mark.parametrize(
    "accept", ["text/event-stream", "application/x-ndjson", "text/plain", "application/json"]
)


async def call(server: ThreadServer, name: str, accept: str, value: object = None) -> Answer:
    return await fetch(server.port, post(f"/{name}", value, {"Accept": accept}))


@ACCEPT
async def test_input_that_does_not_fit_is_refused_field_by_field(
    failing: ThreadServer, accept: str
) -> None:
    answer = await call(failing, "early", accept, {"n": "many", "m": 2})

    assert (answer.status, answer.headers["content-type"]) == (422, "application/json")
    error = answer.json()["error"]
    assert error["code"] == "VALIDATION_ERROR"
    assert sorted(error["fieldErrors"]) == ["m", "n"]


@ACCEPT
async def test_what_a_guard_refuses_never_becomes_a_stream(
    failing: ThreadServer, accept: str
) -> None:
    answer = await call(failing, "guarded", accept)

    assert answer.status == 401
    assert answer.json()["error"]["code"] == "UNAUTHORIZED"
    assert answer.json()["error"]["message"] == "Say who you are."


async def test_whom_a_guard_lets_through_is_served(failing: ThreadServer) -> None:
    answer = await fetch(failing.port, post("/guarded", headers={"X-Known": "yes"}))

    assert answer.status == 200


@pytest.mark.parametrize("accept", ["text/event-stream", "application/x-ndjson", "text/plain"])
async def test_an_error_before_the_first_event_is_a_status(
    failing: ThreadServer, accept: str
) -> None:
    answer = await call(failing, "early", accept)

    error = answer.json()["error"]
    assert answer.status == 402
    assert error == OUT_OF_CREDIT | {"runId": answer.headers["run-id"]}


async def test_an_error_after_the_first_event_is_the_last_event(failing: ThreadServer) -> None:
    answer = await call(failing, "late", "text/event-stream")

    run_id = answer.headers["run-id"]
    assert answer.status == 200
    assert events_in(answer.body.decode()) == [
        (1, "chunk", {"type": "text", "text": "a beginning"}),
        (2, "error", OUT_OF_CREDIT | {"runId": run_id}),
    ]


@pytest.mark.parametrize("name", ["broken", "broken_blocking"])
async def test_what_nobody_expected_reaches_the_caller_as_an_id_that_the_log_has_too(
    failing: ThreadServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await call(failing, name, "application/x-ndjson")

    last = from_json(answer.body.splitlines()[-1])
    assert last["type"] == "error"
    assert last["data"]["code"] == "INTERNAL_ERROR"
    assert b"secret" not in answer.body
    assert last["data"]["errorId"] in caplog.text
    assert "a secret of the server" in caplog.text


async def test_plain_text_of_a_run_that_failed_is_aborted(failing: ThreadServer) -> None:
    url = f"{failing.url}/late"
    answer = await asyncio.to_thread(
        subprocess.run,
        ["/usr/bin/curl", "-sN", "-X", "POST", url, "-H", "Accept: text/plain"],
        capture_output=True,
        check=False,
    )

    assert answer.stdout == b"a beginning"
    assert answer.returncode == 18  # curl's word for a body that ended too early
