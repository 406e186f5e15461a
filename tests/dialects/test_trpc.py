"""The bytes for tRPC, as its published client reads them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from pydantic_core import from_json, to_json

from tests.support.calls import Call, Fields, get, post, send
from tests.support.wire import Answer
from tests.support.world import ALICE, BOB, SSE, opened, world
from yieldwire import Actions, Context
from yieldwire.dialects import TRPC
from yieldwire.dialects.trpc import MOST_CALLS

STREAM: Fields = (*ALICE, SSE)


def trpc_world() -> Actions:
    actions = world()

    @actions.action
    async def planet_list(page: int = 1, lastEventId: str = "") -> dict[str, Any]:  # noqa: N803 - a name of tRPC's
        return {"page": page, "last": lastEventId}

    @actions.feed(keep=2)
    async def news() -> AsyncIterator[int]:
        for number in range(20):
            yield number
            await asyncio.sleep(0)

    async def stumble(ctx: Context) -> None:
        raise RuntimeError("SELECT secret")

    @actions.action(guards=[stumble])
    async def guarded() -> int:
        return 1

    return actions


@pytest.fixture
async def site() -> AsyncIterator[TRPC]:
    async with opened(trpc_world()) as actions:
        yield TRPC(actions)


def target(path: str, value: object, query: str = "") -> str:
    return f"/{path}?{query}input={quote(to_json(value))}"


def frames(body: bytes) -> list[dict[str, str]]:
    """Return the fields of each event."""
    events = [event for event in body.decode().split("\n\n\n") if event]
    return [dict(line.split(": ", 1) for line in event.split("\n")) for event in events]


async def subscribed(site: TRPC, path: str, value: object, headers: Fields = STREAM) -> Answer:
    return await send(site, get(target(path, value), headers))


async def test_a_subscription_is_tracked_from_its_first_frame_on(site: TRPC) -> None:
    heard = await subscribed(site, "say", {"text": "ahoy", "times": 2})

    connected, restored, first, second, last = frames(heard.body)
    assert (heard.status, heard.headers["content-type"]) == (200, "text/event-stream")
    assert (connected["event"], connected["data"]) == ("connected", "{}")
    assert (restored["event"], restored["data"]) == ("restore-id", "")
    assert [each["id"].rpartition(".")[2] for each in (restored, first, second)] == ["0", "1", "2"]
    assert from_json(first["data"]) == {"type": "text", "text": "ahoy"}
    assert last == {"event": "return", "data": ""}


async def test_a_query_and_a_mutation_are_answered_with_the_result(site: TRPC) -> None:
    queried = await send(site, get(target("add", {"a": 1, "b": 2}), ALICE))
    mutated = await send(site, post("/add", {"a": 1, "b": 2}, ALICE))

    assert queried.json() == mutated.json() == {"result": {"data": 3}}


@pytest.mark.parametrize("path", ["planet.list", "planet/list", "planet_list"])
async def test_a_nested_procedure_is_an_action_with_the_names_of_its_path(
    site: TRPC, path: str
) -> None:
    heard = await send(site, get(target(path, {"page": 3}), ALICE))

    assert heard.json()["result"]["data"]["page"] == 3


async def test_a_call_without_input_has_an_empty_one(site: TRPC) -> None:
    heard = await send(site, get("/planet.list", ALICE))

    assert heard.json() == {"result": {"data": {"page": 1, "last": ""}}}


async def test_the_calls_of_a_batch_are_answered_in_their_order(site: TRPC) -> None:
    values = {"0": {"a": 1, "b": 2}, "1": {"code": "OUT_OF_CREDIT"}}

    heard = await send(site, get(target("add,fail", values, "batch=1&"), ALICE))

    first, second = heard.json()
    assert heard.status == 207
    assert first == {"result": {"data": 3}}
    assert second["error"]["data"]["path"] == "fail"


async def test_an_unexpected_error_of_one_call_takes_no_answer_from_the_others(
    site: TRPC, caplog: pytest.LogCaptureFixture
) -> None:
    values = {"0": {"a": 1, "b": 2}, "1": {}, "2": {"a": 2, "b": 2}}

    heard = await send(site, post("/add,guarded,add?batch=1", values, ALICE))

    first, second, third = heard.json()
    assert (first, third) == ({"result": {"data": 3}}, {"result": {"data": 4}})
    assert second["error"]["data"]["code"] == "INTERNAL_SERVER_ERROR"
    assert second["error"]["data"]["errorId"] in caplog.text
    assert "secret" not in heard.body.decode()


async def test_a_batch_of_mutations_is_in_the_body(site: TRPC) -> None:
    heard = await send(site, post("/add,add?batch=1", {"0": {"a": 1, "b": 2}, "1": {}}, ALICE))

    first, second = heard.json()
    assert first == {"result": {"data": 3}}
    assert second["error"]["data"]["code"] == "UNPROCESSABLE_CONTENT"


@pytest.mark.parametrize("calls", [MOST_CALLS + 1, 20_000])
async def test_a_refused_batch_has_one_error_for_all_of_its_calls(site: TRPC, calls: int) -> None:
    path = ",".join(["a"] * calls)

    heard = await send(site, post(f"/{path}?batch=1", {}, ALICE))

    assert heard.status == 413
    assert heard.json()["error"]["data"]["code"] == "PAYLOAD_TOO_LARGE"
    assert len(heard.body) < len(path) + 500


@pytest.mark.parametrize(("path", "code"), [("add,fail", 200), ("add" + ",add" * 99, 413)])
async def test_a_batch_of_lines_is_one_line_with_every_answer(
    site: TRPC, path: str, code: int
) -> None:
    lines: Fields = (*ALICE, ("trpc-accept", "application/jsonl"))
    values = {"0": {"a": 1, "b": 2}, "1": {"code": "OUT_OF_CREDIT"}}

    heard = await send(site, post(f"/{path}?batch=1", values, lines))

    assert (heard.status, heard.body.count(b"\n")) == (code, 1)
    answers = {number: answer for number, ((answer,),) in heard.json().items()}
    assert answers["1"]["error"]["data"]["path"] == path.split(",")[1]
    assert len(answers) == (2 if code == 200 else MOST_CALLS)


async def test_a_batch_whose_input_is_a_list_is_refused(site: TRPC) -> None:
    assert (await send(site, post("/add,add?batch=1", [], ALICE))).status == 400


@pytest.mark.parametrize(
    ("path", "value", "headers", "codes", "status"),
    [
        ("say", {"times": "many"}, ALICE, ("UNPROCESSABLE_CONTENT", -32022), 422),
        ("fail", {"code": "OUT_OF_CREDIT"}, ALICE, ("BAD_REQUEST", -32600), 402),
        ("fail", {}, ALICE, ("INTERNAL_SERVER_ERROR", -32000), 500),
        ("none", {}, ALICE, ("NOT_FOUND", -32004), 404),
        ("say", {}, [*ALICE, ("origin", "https://evil.example")], ("FORBIDDEN", -32003), 403),
        ("say", {}, [("authorization", "Bearer unknown")], ("UNAUTHORIZED", -32001), 401),
    ],
)
async def test_an_error_before_the_first_event_is_told_and_ends_the_subscription(
    site: TRPC, path: str, value: object, headers: Fields, codes: tuple[str, int], status: int
) -> None:
    streamed = await subscribed(site, path, value, (*headers, SSE))
    whole = await send(site, post(f"/{path}", value, headers))

    last = frames(streamed.body)[-1]
    error = from_json(last["data"])
    assert (streamed.status, last["event"]) == (200, "serialized-error")
    assert (error["data"]["code"], error["code"]) == codes
    assert error["data"]["httpStatus"] == status
    assert whole.status == status
    assert whole.json()["error"]["data"]["code"] == codes[0]


async def test_an_actions_own_error_has_its_code_and_its_data(site: TRPC) -> None:
    heard = await subscribed(site, "fail", {"code": "OUT_OF_CREDIT"})

    assert from_json(frames(heard.body)[-1]["data"])["data"]["reason"] == "OUT_OF_CREDIT"


async def test_only_json_is_a_body(site: TRPC) -> None:
    form: Fields = (*ALICE, ("content-type", "multipart/form-data; boundary=x"))

    heard = await send(site, Call(method="POST", target="/say", headers=form, body=[b"--x--"]))

    assert heard.status == 415


@pytest.mark.parametrize("where", ["header", "query", "input"])
@pytest.mark.parametrize("seq", [0, 2])
async def test_a_subscription_continues_behind_the_last_event(
    site: TRPC, where: str, seq: int
) -> None:
    heard = await subscribed(site, "say", {"times": 3})
    cursor = frames(heard.body)[1]["id"].rpartition(".")[0] + f".{seq}"
    again = {
        "header": get("/say", (*STREAM, ("last-event-id", cursor))),
        "query": get(f"/say?lastEventId={cursor}", STREAM),
        "input": get(target("say", {"times": 9, "lastEventId": cursor}), STREAM),
    }

    rest = frames((await send(site, again[where])).body)

    chunks = [each for each in rest if "event" not in each]
    assert len(chunks) == 3 - seq
    assert rest[-1]["event"] == "return"


async def test_a_subscription_whose_next_event_was_deleted_is_told_instead_of_skipping_it(
    site: TRPC,
) -> None:
    heard = await subscribed(site, "news", {})
    run_id = frames(heard.body)[1]["id"].partition(".")[0]

    skipping = frames((await send(site, get(f"/news?lastEventId={run_id}.2", STREAM))).body)
    beginning = frames((await send(site, get(f"/news?lastEventId={run_id}.0", STREAM))).body)

    assert [each["event"] for each in skipping] == ["connected", "serialized-error"]
    assert from_json(skipping[-1]["data"])["data"]["httpStatus"] == 404
    assert beginning[-1]["event"] == "return"  # it had nothing yet


async def test_an_input_can_have_a_field_of_the_name(site: TRPC) -> None:
    heard = await subscribed(site, "planet.list", {"lastEventId": "mine"})

    assert frames(heard.body)[-1]["event"] == "return"


@pytest.mark.parametrize(
    ("path", "cursor", "headers", "status"),
    [
        ("add", "{run}.1", ALICE, 410),
        ("say", "{run}.1", BOB, 403),
        ("say", "{run}.99", ALICE, 410),
        ("say", "rNNNNNNNNNNNNNNNNNNNN.1", ALICE, 404),
        ("say", "what", ALICE, 400),
    ],
)
async def test_a_place_that_is_not_the_callers_ends_the_subscription(
    site: TRPC, path: str, cursor: str, headers: Fields, status: int
) -> None:
    heard = await subscribed(site, "say", {})
    place = cursor.format(run=frames(heard.body)[1]["id"].split(".")[0])

    refused = await subscribed(site, path, {}, (*headers, SSE, ("last-event-id", place)))

    error = from_json(frames(refused.body)[-1]["data"])
    assert error["data"]["httpStatus"] == status
