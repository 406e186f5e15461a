"""Answers that are not the server's: a proxy's, none at all, and a file that is gone."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from pydantic_core import to_json
from starlette.types import Message, Receive, Send

from tests.client.script import OPENING, Answer, Server, chunk, end, json, refusal, serve, stream
from yieldwire.client import AsyncClient, Patience
from yieldwire.errors import ActionError, InternalError, Json, Unreachable
from yieldwire.testing.transport import StreamingTransport

SNAPSHOT = {"id": "r1", "status": "cancelled"}


def page(status: int, body: str = "<h1>No</h1>", kind: str | None = "text/html") -> Answer:
    return Answer(status=status, headers={"content-type": kind} if kind else {}, pieces=[body])


FOREIGN = [
    *(page(status) for status in (400, 401, 403, 404, 405, 410, 500, 501, 502, 503)),
    *(page(status, "error code: 1", "text/plain") for status in (404, 499, 509, 520, 525, 530)),
    *(page(status, "", None) for status in (200, 202, 302, 404, 500)),
    page(200, "<form>"),
    page(200, "<form>", "application/json"),
    json({"signIn": "/login"}),
    json(["a list"]),
    json({"detail": "Not Found"}, status=404),
    json({"error": {"code": 403, "message": "Forbidden"}}, status=403),
    json({"error": {"code": "ResourceNotFound", "message": "No."}}, status=404),
    json({"error": "Internal Server Error"}, status=500),
]
foreign_answers = pytest.mark.parametrize("foreign", FOREIGN)


@pytest.mark.parametrize("told", [{"status": "ok"}, {"runs": None, "status": "ok"}, {"runs": {}}])
async def test_what_is_not_a_list_is_not_taken_for_one(told: Json) -> None:
    async with serve(json(told), json({"runs": [], "next": None})) as (client, _):
        assert await client.list() == {"runs": [], "next": None}


@foreign_answers
async def test_a_start_that_something_else_answers_is_sent_again(foreign: Answer) -> None:
    async with serve(foreign, stream(OPENING, end(1, value={"result": 7}))) as (client, server):
        assert await client.call("count") == 7

    assert len({seen.headers["idempotency-key"] for seen in server.requests}) == 1


@foreign_answers
async def test_a_run_continues_over_what_something_else_answers(foreign: Answer) -> None:
    answers = [stream(OPENING, chunk(1, "a")), foreign, stream(chunk(2, "b"), end(3))]
    async with serve(*answers) as (client, server):
        assert [value async for value in client.stream("count")] == ["a", "b"]

    assert server.requests[-1].headers["last-event-id"] == "r1.1"


@foreign_answers
async def test_short_requests_that_something_else_answers_are_sent_again(foreign: Answer) -> None:
    answers = [json(SNAPSHOT), json({"runs": []}), json({"actions": []}), json(None, status=204)]
    async with serve(*(one for answer in answers for one in (foreign, answer))) as (client, _):
        assert await client.cancel("r1") == SNAPSHOT
        assert await client.list() == {"runs": []}
        assert await client.manifest() == {"actions": []}
        await client.delete("r1")


async def test_what_is_given_up_says_what_was_seen() -> None:
    async with serve(*[page(200, "<form>")] * 4, tries=2) as (client, _):
        with pytest.raises(Unreachable, match="HTTP 200 OK text/html"):
            await client.call("count")
        with pytest.raises(Unreachable, match="HTTP 200 OK text/html"):
            await client.snapshot("r1")


@pytest.mark.parametrize("status", [413, 414, 431])
async def test_what_is_too_large_for_a_proxy_is_refused_at_once(status: int) -> None:
    async with serve(page(status)) as (client, _):
        with pytest.raises(ActionError, match=f"HTTP {status}") as caught:
            await client.call("count")

    assert (caught.value.code, caught.value.status) == ("HTTP_ERROR", status)


async def test_an_error_of_the_server_is_one_whatever_a_proxy_did_to_its_headers() -> None:
    error = {"error": {"code": "OUT_OF_CREDIT", "message": "No.", "statusCode": 402, "runId": "r1"}}
    async with serve(page(402, to_json(error).decode(), None)) as (client, _):
        with pytest.raises(ActionError, match=r"No\.") as caught:
            await client.call("count")

    assert (caught.value.code, caught.value.run_id) == ("OUT_OF_CREDIT", "r1")


async def test_an_internal_error_is_asked_for_again_only_where_it_says_so() -> None:
    again = {"code": "INTERNAL_ERROR", "message": "No.", "statusCode": 500, "retryable": True}
    answers = [json({"error": again}, status=500), refusal(500, "INTERNAL_ERROR")]
    async with serve(*answers) as (client, _):
        with pytest.raises(InternalError, match=r"No\."):
            await client.snapshot("r1")


async def _silent(scope: Message, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    while (await receive())["type"] != "http.disconnect":
        pass


async def _trickling(scope: Message, receive: Receive, send: Send) -> None:
    assert scope["type"] == "http"
    await send({"type": "http.response.start", "status": 200, "headers": []})
    async with asyncio.TaskGroup() as tasks:
        leaving = tasks.create_task(_silent(scope, receive, send))
        while not leaving.done():
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.005)


async def _never() -> str:
    await asyncio.Event().wait()
    return ""


VERBS: list[Callable[[AsyncClient], Awaitable[Json]]] = [
    lambda client: client.cancel("r1"),
    lambda client: client.snapshot("r1"),
    lambda client: client.list(),
    lambda client: client.manifest(),
    lambda client: client.delete("r1"),
]


@pytest.mark.parametrize(
    ("verb", "app"),
    [*((verb, _silent) for verb in VERBS), *((verb, _trickling) for verb in VERBS[:-1])],
)
async def test_a_short_request_has_an_end(
    verb: Callable[[AsyncClient], Awaitable[Json]],
    app: Callable[[Message, Receive, Send], Awaitable[None]],
) -> None:
    notices: list[str] = []
    patience = Patience(
        request=0.05, tries=2, backoff=0.0, notice=lambda what, _: notices.append(what)
    )
    async with httpx2.AsyncClient(transport=StreamingTransport(app)) as http, asyncio.timeout(30):
        client = AsyncClient("http://localhost/api", http=http, patience=patience)
        with pytest.raises(Unreachable, match=r"did not answer in 0\.05 s"):
            await verb(client)

    assert len(notices) == 1


async def test_a_token_that_never_comes_ends_a_call() -> None:
    server = Server([])
    patience = Patience(start=0.02, idle=0.02, request=0.02, tries=2, backoff=0.0)
    async with (
        httpx2.AsyncClient(transport=StreamingTransport(server)) as http,
        asyncio.timeout(30),
    ):
        client = AsyncClient("http://localhost/api", http=http, token=_never, patience=patience)
        for call in (client.call("count"), client.snapshot("r1"), client.delete("r1")):
            with pytest.raises(Unreachable, match=r"0\.02 s"):
                await call

    assert server.requests == []


async def test_an_upload_that_is_never_answered_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(b"a")
    patience = Patience(start=0.05, tries=2, backoff=0.0)
    async with (
        httpx2.AsyncClient(transport=StreamingTransport(_silent)) as http,
        asyncio.timeout(30),
    ):
        client = AsyncClient("http://localhost/api", http=http, patience=patience)
        with pytest.raises(Unreachable, match="nothing came"):
            await client.call("count", {"file": tmp_path / "a.csv"})


async def test_a_file_that_was_deleted_since_ends_the_call_at_once(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"a")

    async def refusing(scope: Message, receive: Receive, send: Send) -> None:
        await asyncio.to_thread(file.unlink)
        await Server([refusal(503, "UNAVAILABLE")])(scope, receive, send)

    async def at_once(seconds: float) -> None:
        del seconds

    async with httpx2.AsyncClient(transport=StreamingTransport(refusing)) as http:
        client = AsyncClient("http://localhost/api", http=http, patience=Patience(sleep=at_once))
        with pytest.raises(FileNotFoundError, match=r"a\.csv"):
            await client.call("count", {"file": file})
