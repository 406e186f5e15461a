"""The bytes for nuxt-actions, as its published client 1.1.2 reads them."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.calls import Call, Fields, get, post, send, stream
from tests.support.world import ALICE, BOB, SSE, WHOLE, opened, wait_for_end, world
from yieldwire import Actions, Context, Text
from yieldwire.dialects import NuxtActions
from yieldwire.runs.access import Caller
from yieldwire.stores import Query

STREAM: Fields = (*ALICE, SSE)
PLAIN: Fields = (*ALICE, WHOLE)


def datas(body: bytes) -> list[Any]:
    """Return what the client reads: the data of each line that has some."""
    lines = body.decode().split("\n")
    return [from_json(line.removeprefix("data: ")) for line in lines if line.startswith("data:")]


def nuxt_world(**settings: Any) -> Actions:  # noqa: ANN401 - the dialect's own
    actions = world()

    @actions.action
    async def list_users(page: int = 1, tags: list[str] | None = None) -> dict[str, Any]:
        return {"page": page, "tags": tags}

    @actions.action(asks=bool)
    async def ask(ctx: Context) -> AsyncIterator[Text]:
        yield Text("so far")
        await ctx.ask(bool, "Continue?")

    @actions.action(asks=bool)
    async def ask_twice(ctx: Context) -> AsyncIterator[Text]:
        answer = await ctx.ask(bool, "Continue?", timeout=0.01, default=True)
        yield Text(str(answer))
        await ctx.ask(bool, "Still?")

    @actions.action
    async def mimic() -> AsyncIterator[dict[str, bool]]:
        yield {"__actions_done": True}

    actions.mount(NuxtActions(**settings))
    return actions


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    async with opened(nuxt_world()) as actions:
        yield actions


async def test_a_stream_is_a_line_of_data_for_each_chunk_and_one_for_the_end(site: Actions) -> None:
    heard = await send(site, post("/say", {"text": "ahoy", "times": 2}, STREAM))

    chunk = {"type": "text", "text": "ahoy"}
    assert heard.status == 200
    assert heard.headers["content-type"] == "text/event-stream"
    assert datas(heard.body) == [chunk, chunk, {"__actions_done": True}]
    assert b"event: done\n" in heard.body


@pytest.mark.parametrize(
    ("target", "value", "headers", "code", "status"),
    [
        ("/say", {"times": "many"}, ALICE, "VALIDATION_ERROR", 422),
        ("/fail", {"code": "OUT_OF_CREDIT"}, ALICE, "OUT_OF_CREDIT", 402),
        ("/fail", {}, ALICE, "INTERNAL_ERROR", 500),
        ("/say", {}, [*ALICE, ("origin", "https://evil.example")], "FORBIDDEN", 403),
        ("/say", {}, [("authorization", "Bearer unknown")], "UNAUTHORIZED", 401),
    ],
)
async def test_an_error_before_the_first_chunk_has_the_status_200_and_its_facts(
    site: Actions, target: str, value: object, headers: Fields, code: str, status: int
) -> None:
    streamed = await send(site, post(target, value, [*headers, SSE]))
    whole = await send(site, post(target, value, [*headers, WHOLE]))

    (frame,) = datas(streamed.body)
    error = frame["__actions_error"]
    assert (streamed.status, whole.status) == (200, 200)
    assert (error["code"], error["statusCode"]) == (code, status)
    assert whole.json()["success"] is False
    assert whole.json()["error"]["code"] == code


async def test_fields_are_named_with_what_is_wrong_with_each(site: Actions) -> None:
    heard = await send(site, post("/say", {"times": "many"}, PLAIN))

    assert list(heard.json()["error"]["fieldErrors"]) == ["times"]


async def test_an_error_after_the_first_chunk_is_the_last_frame(site: Actions) -> None:
    heard = await send(site, post("/fail_late", {}, STREAM))

    text, last = datas(heard.body)
    assert text["text"] == "so far"
    assert last["__actions_error"]["code"] == "INTERNAL_ERROR"


@pytest.mark.parametrize("path", ["list_users", "listUsers", "list-users", "list/users"])
async def test_an_action_answers_at_the_names_of_its_file(site: Actions, path: str) -> None:
    heard = await send(site, post(f"/{path}", {"page": 2}, PLAIN))

    assert heard.json() == {"success": True, "data": {"page": 2, "tags": None}}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_query_is_the_input_of_a_request_without_a_body(site: Actions, method: str) -> None:
    target = "/list-users?page=3&tags=%5B%22a%22%5D"

    heard = await send(site, Call(method=method, target=target, headers=PLAIN))

    assert heard.json() == {"success": True, "data": {"page": 3, "tags": ["a"]}}


async def test_a_get_from_another_site_starts_nothing(site: Actions) -> None:
    headers = [*PLAIN, ("sec-fetch-site", "cross-site")]

    heard = await send(site, get("/list-users", headers))

    assert heard.json()["error"]["code"] == "FORBIDDEN"
    assert await site.app.find(Query(everyone=True)) == []


async def test_native_clients_are_answered_at_the_same_urls(site: Actions) -> None:
    key = ("idempotency-key", "0123456789012345678901")

    heard = await send(site, post("/say", {}, [*STREAM, key]))

    assert b"event: run\n" in heard.body


async def test_a_client_that_leaves_stops_the_run(site: Actions) -> None:
    async with stream(site, post("/wait", {}, STREAM)) as response:
        await response.read()
        run_id = response.headers["run-id"]
    await site.app.sweep()
    await wait_for_end(site, run_id)

    assert (await site.app.store.get(run_id)).status == "cancelled"


async def test_a_stream_that_ends_before_its_run_says_so(site: Actions) -> None:
    async with stream(site, post("/wait", {}, STREAM)) as response:
        await response.read()
        site.drain()
        (last,) = datas(await response.rest())

    assert last["__actions_error"]["code"] == "UNAVAILABLE"


@pytest.mark.parametrize("headers", [STREAM, PLAIN])
async def test_a_question_that_the_client_cannot_answer_cancels_the_run(
    site: Actions, headers: Fields
) -> None:
    heard = await send(site, post("/ask", {}, headers))

    assert "asked a question, which this client cannot answer" in heard.body.decode()


async def test_a_question_with_a_time_limit_is_waited_for(site: Actions) -> None:
    heard = await send(site, post("/ask_twice", {}, STREAM))

    text, last = datas(heard.body)
    assert text["text"] == "True"
    assert last["__actions_error"]["data"] == {"reason": "unanswerable"}


async def test_a_run_waits_for_the_answer_of_somebody_else_if_its_mount_says_so() -> None:
    actions = nuxt_world(waits_for_answers=True)
    async with opened(actions), stream(actions, post("/ask", {}, STREAM)) as response:
        await response.read()
        run_id = response.headers["run-id"]
        await actions.app.reader(run_id).news(1, within=5.0)
        await actions.app.answer(run_id, "1", value=True, caller=Caller(owner="alice"))

        assert datas(await response.rest())[-1] == {"__actions_done": True}


async def test_a_chunk_that_looks_like_the_end_is_an_error(site: Actions) -> None:
    heard = await send(site, post("/mimic", {}, STREAM))

    (frame,) = datas(heard.body)
    assert frame["__actions_error"]["code"] == "INTERNAL_ERROR"


async def test_a_csrf_cookie_must_be_repeated_in_the_header() -> None:
    async with opened(nuxt_world(csrf=True)) as actions:
        given = await send(actions, get("/list-users", PLAIN))
        token = given.headers["set-cookie"].removeprefix("_csrf=").partition(";")[0]
        cookie = ("cookie", f"_csrf={token}")
        answers = [
            await send(actions, post("/list-users", {}, [*PLAIN, *more]))
            for more in ([], [cookie], [cookie, ("x-csrf-token", "?")])
        ]
        right = await send(
            actions, post("/list-users", {}, [*PLAIN, cookie, ("x-csrf-token", token)])
        )

    assert [answer.json()["error"]["code"] for answer in answers] == ["CSRF_ERROR"] * 3
    assert right.json()["success"] is True


async def test_one_action_is_mounted_in_an_application_of_its_own() -> None:
    actions = world()
    app = Starlette(routes=[Mount("/talk", NuxtActions(actions.say))])

    async with opened(actions):
        heard = await send(app, post("/talk/", {"text": "ahoy"}, STREAM))
        refused = await send(actions, get(f"/runs/{heard.headers['run-id']}", BOB))

    assert datas(heard.body)[0]["text"] == "ahoy"
    assert "location" not in heard.headers
    assert refused.status == 403
