"""The bytes for oRPC, as its published client reads them."""

from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from pydantic_core import from_json, to_json

from tests.support.calls import Call, Fields, get, post, send
from tests.support.world import ALICE, BOB, opened, world
from yieldwire import Actions
from yieldwire.dialects import ORPC


def orpc_world() -> Actions:
    actions = world()

    @actions.action
    async def planet_list(page: int = 1) -> dict[str, int]:
        return {"page": page}

    @actions.action
    async def take_map(ages: dict[str, int]) -> dict[str, int]:
        return ages

    @actions.feed
    async def ticks(upto: int) -> AsyncIterator[int]:
        for number in range(upto):
            yield number

    return actions


@pytest.fixture
async def site() -> AsyncIterator[ORPC]:
    async with opened(orpc_world()) as actions:
        yield ORPC(actions)


def frames(body: bytes) -> list[dict[str, str]]:
    """Return the fields of each event."""
    events = [event for event in body.decode().split("\n\n") if event and event[0] != ":"]
    return [dict(line.split(": ", 1) for line in event.split("\n")) for event in events]


async def test_an_action_that_streams_is_an_event_iterator(site: ORPC) -> None:
    heard = await send(site, post("/say", {"json": {"text": "ahoy", "times": 2}}, ALICE))

    chunk = {"json": {"type": "text", "text": "ahoy"}}
    first, second, last = frames(heard.body)
    assert heard.headers["content-type"] == "text/event-stream"
    assert [from_json(each["data"]) for each in (first, second, last)] == [chunk, chunk, {}]
    assert [each["event"] for each in (first, second, last)] == ["message", "message", "done"]
    assert first["id"].endswith(".1")
    assert "id" not in last  # a resume behind the end would look like success without a result


async def test_an_action_that_does_not_is_a_value(site: ORPC) -> None:
    heard = await send(site, post("/add", {"json": {"a": 1, "b": 2}}, ALICE))

    assert heard.json() == {"json": 3}


async def test_a_nested_procedure_is_an_action_with_the_names_of_its_path(site: ORPC) -> None:
    heard = await send(site, post("/planet/list", {"json": {"page": 3}}, ALICE))

    assert heard.json() == {"json": {"page": 3}}


async def test_a_call_without_input_has_an_empty_one(site: ORPC) -> None:
    assert (await send(site, post("/planet/list", {}, ALICE))).json() == {"json": {"page": 1}}


async def test_a_map_is_an_object(site: ORPC) -> None:
    body = {"json": {"ages": [["ada", 36]]}, "meta": [[7, "ages"]]}

    assert (await send(site, post("/take_map", body, ALICE))).json() == {"json": {"ada": 36}}


async def test_a_key_of_a_map_that_is_no_text_is_what_a_later_attempt_reads(site: ORPC) -> None:
    body = {"json": {"value": [[1, "a"], [True, "b"]]}, "meta": [[7, "value"]]}

    heard = await send(site, post("/echo", body, ALICE))

    assert from_json(frames(heard.body)[0]["data"]) == {"json": {"1": "a", "true": "b"}}


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"json": {"ages": 1}, "meta": [[7, "ages"]]},
        {"json": {}, "meta": [[7, "ages"]]},
        {"json": {"ages": [1]}, "meta": [[7, "ages", "x", 3]]},
        {"json": {"ages": [["ada", 36]]}, "meta": [[7, "ages"], [7, "ages"]]},
        {"json": {"ages": {"ada": 36}}, "meta": [[7, "ages"]]},
        {"json": {"ages": [["ada", 36], ["ada", 37]]}, "meta": [[7, "ages"]]},
        {"json": {"ages": [[1, 36], ["1", 37]]}, "meta": [[7, "ages"]]},
        {"json": {"ages": [["ada"]]}, "meta": [[7, "ages"]]},
        {"json": {"ages": ["a1"]}, "meta": [[7, "ages"]]},
        {"json": {"ages": [[["ada"], 36]]}, "meta": [[7, "ages"]]},
    ],
)
async def test_what_is_no_call_is_refused(site: ORPC, body: object) -> None:
    heard = await send(site, post("/take_map", body, ALICE))

    assert (heard.status, heard.json()["json"]["code"]) == (400, "BAD_REQUEST")


async def test_a_feed_is_read_by_get(site: ORPC) -> None:
    data = quote(to_json({"json": {"upto": 2}}))

    heard = await send(site, get(f"/ticks?data={data}", ALICE))

    values = [from_json(each["data"]) for each in frames(heard.body)]
    assert values == [{"json": 0}, {"json": 1}, {}]


@pytest.mark.parametrize(
    ("target", "value", "headers", "code", "status"),
    [
        ("/say", {"times": "many"}, ALICE, "BAD_REQUEST", 422),
        ("/fail", {}, ALICE, "INTERNAL_SERVER_ERROR", 500),
        ("/none", {}, ALICE, "NOT_FOUND", 404),
        ("/say", {}, [*ALICE, ("origin", "https://evil.example")], "FORBIDDEN", 403),
        ("/say", {}, [("authorization", "Bearer unknown")], "UNAUTHORIZED", 401),
    ],
)
async def test_an_error_before_the_first_event_has_a_code_that_the_client_knows(
    site: ORPC, target: str, value: object, headers: Fields, code: str, status: int
) -> None:
    heard = await send(site, post(target, {"json": value}, headers))

    error = heard.json()["json"]
    assert (heard.status, error["status"], error["code"]) == (status, status, code)
    assert error["defined"] is False
    assert set(error) == {"defined", "code", "status", "message", "data"}


async def test_an_invalid_input_has_an_issue_for_each_fault(site: ORPC) -> None:
    heard = await send(site, post("/say", {"json": {"times": "many"}}, ALICE))

    (issue,) = heard.json()["json"]["data"]["issues"]
    assert issue["path"] == ["times"]


async def test_an_actions_own_error_is_defined_and_has_its_own_data(site: ORPC) -> None:
    heard = await send(site, post("/fail", {"json": {"code": "OUT_OF_CREDIT"}}, ALICE))

    error = heard.json()["json"]
    assert (error["defined"], error["code"], error["status"]) == (True, "OUT_OF_CREDIT", 402)


async def test_files_are_refused_with_the_reason(site: ORPC) -> None:
    form: Fields = (*ALICE, ("content-type", "multipart/form-data; boundary=x"))

    heard = await send(site, Call(method="POST", target="/say", headers=form, body=[b"--x--"]))

    assert (heard.status, heard.json()["json"]["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def resumed(site: Any, cursor: str, target: str, headers: Fields) -> Any:  # noqa: ANN401 - an answer
    fields: Fields = (*headers, ("last-event-id", cursor))
    return await send(site, post(target, {"json": {}}, fields))


async def test_a_stream_continues_behind_the_last_event(site: ORPC) -> None:
    heard = await send(site, post("/say", {"json": {"times": 3}}, ALICE))
    cursor = frames(heard.body)[1]["id"]

    rest = frames((await resumed(site, cursor, "/say", ALICE)).body)

    assert [each["event"] for each in rest] == ["message", "done"]


async def test_an_error_is_told_again_to_who_resumes(site: ORPC) -> None:
    heard = await send(site, post("/fail_late", {"json": {}}, ALICE))
    first, error = frames(heard.body)

    (again,) = frames((await resumed(site, first["id"], "/fail_late", ALICE)).body)

    assert again == error
    assert "id" not in error


@pytest.mark.parametrize(
    ("target", "cursor", "headers", "status"),
    [
        ("/add", "{run}.1", ALICE, 410),
        ("/say", "{run}.1", BOB, 403),
        ("/say", "{run}.99", ALICE, 410),
        ("/say", "rNNNNNNNNNNNNNNNNNNNN.1", ALICE, 404),
        ("/say", "what", ALICE, 400),
    ],
)
async def test_a_place_that_is_not_the_callers_is_refused(
    site: ORPC, target: str, cursor: str, headers: Fields, status: int
) -> None:
    heard = await send(site, post("/say", {"json": {}}, ALICE))
    run_id = frames(heard.body)[0]["id"].split(".")[0]

    refused = await resumed(site, cursor.format(run=run_id), target, headers)

    assert refused.status == status
