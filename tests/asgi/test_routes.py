import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from tests.support.calls import Call, Fields, get, post, send
from tests.support.world import ALICE, opened, world
from yieldwire import Actions, devtools
from yieldwire.actions.action import RESERVED
from yieldwire.asgi.route import match
from yieldwire.asgi.routes import ROUTES
from yieldwire.describe.runoperation import OPERATIONS
from yieldwire.describe.runschema import SCHEMAS
from yieldwire.errors import Json, NotFound


@pytest.mark.parametrize(
    ("path", "pattern", "arguments"),
    [
        ("/manifest.json", "manifest.json", []),
        ("manifest.json", "manifest.json", []),
        ("/runs", "runs", []),
        ("/runs/r1", "runs/{}", ["r1"]),
        ("/runs/events", "runs/{}", ["events"]),
        ("/runs/r1/events", "runs/{}/events", ["r1"]),
        ("/runs/r1/cancel", "runs/{}/cancel", ["r1"]),
        ("/runs/cancel", "runs/{}", ["cancel"]),
        ("/say/cancel", "{}/cancel", ["say"]),
        ("/say/cancel/", "{}/cancel", ["say"]),
        ("/say", "{}", ["say"]),
        ("/say/", "{}", ["say"]),
        ("/runs/", "runs", []),
        ("/runs/r1/", "runs/{}", ["r1"]),
        ("/runs/r1/events/", "runs/{}/events", ["r1"]),
        ("/manifest.json/", "manifest.json", []),
        ("/Runs", "{}", ["Runs"]),
        ("/{}", "{}", ["{}"]),
        ("/runs/{}", "runs/{}", ["{}"]),
        ("/runs/{}/events", "runs/{}/events", ["{}"]),
    ],
)
def test_a_path_leads_to_one_route(path: str, pattern: str, arguments: list[str]) -> None:
    route = match(path, ROUTES)

    assert ("/".join(route.pattern), [*route.arguments]) == (pattern, arguments)


@pytest.mark.parametrize(
    "path", ["/a/b", "/runs/r1/x", "/runs/r1/events/2", "//", "/say//", "/a//b"]
)
def test_there_is_nothing_anywhere_else(path: str) -> None:
    with pytest.raises(NotFound, match="nothing at this URL"):
        match(path, ROUTES)


@given(st.text(alphabet="/{}runsevt.json%", max_size=40))
def test_a_route_is_given_as_many_arguments_as_it_has_places(path: str) -> None:
    try:
        route = match(path, ROUTES)
    except NotFound:
        return

    assert len(route.arguments) == route.pattern.count("{}")


@pytest.mark.parametrize("base", ["", "/base"])
@pytest.mark.parametrize("slash", ["", "/"])
async def test_an_action_answers_with_and_without_a_slash_at_the_end(
    site: Actions, base: str, slash: str
) -> None:
    call = post(f"/add{slash}", {"a": 1, "b": 2}, root_path=base)

    answer = await send(site, call)

    assert (answer.status, answer.json()["result"]) == (200, 3)


@pytest.mark.parametrize("slash", ["", "/"])
async def test_the_base_is_the_same_with_and_without_a_slash(site: Actions, slash: str) -> None:
    answer = await send(site, get(slash, ALICE, root_path="/base"))

    assert (answer.status, answer.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_method_that_is_not_answered_is_told_which_are(site: Actions) -> None:
    answer = await send(site, Call(method="PUT", target="/runs/r1", headers=ALICE))

    assert (answer.status, answer.json()["error"]["code"]) == (405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, DELETE, HEAD, OPTIONS"


async def test_options_says_which_methods_are_answered(site: Actions) -> None:
    answer = await send(site, Call(method="OPTIONS", target="/runs/r1/cancel"))

    assert (answer.status, answer.headers["allow"]) == (204, "POST, OPTIONS")


async def test_a_head_is_a_get_without_its_body(site: Actions) -> None:
    for target in ("/manifest.json", "/openapi.json", "/client.js", "/runs"):
        head = await send(site, Call(method="HEAD", target=target, headers=ALICE))
        whole = await send(site, get(target, ALICE))

        assert (head.status, head.headers, head.body) == (200, whole.headers, b"")


@pytest.mark.parametrize(
    ("headers", "data", "hint"),
    [
        ([], {"upgradeArrived": False}, "A proxy may have dropped it"),
        (
            [("upgrade", "WebSocket"), ("connection", "upgrade")],
            {"upgradeArrived": True},
            "install the extra",
        ),
    ],
)
async def test_a_socket_that_was_not_opened_says_whether_its_upgrade_arrived(
    site: Actions, headers: Fields, data: Json, hint: str
) -> None:
    answer = await send(site, get("/ws", headers))

    error = answer.json()["error"]
    assert (answer.status, error["code"]) == (426, "UPGRADE_REQUIRED")
    assert (error["data"], hint in error["message"]) == (data, True)
    assert (answer.headers["upgrade"], answer.headers["connection"]) == ("websocket", "upgrade")


async def test_over_http_2_no_header_tells_to_upgrade(site: Actions) -> None:
    async def over_http_2(scope: Scope, receive: Receive, send: Send) -> None:
        await site({**scope, "http_version": "2"}, receive, send)

    answer = await send(over_http_2, get("/ws"))

    assert (answer.status, {"upgrade", "connection"} & answer.headers.keys()) == (426, set())


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("/client.js", "text/javascript; charset=utf-8"),
        ("/follow.js", "text/javascript; charset=utf-8"),
        ("/follow.css", "text/css; charset=utf-8"),
    ],
)
async def test_the_packages_own_files_are_served_by_their_type(
    site: Actions, path: str, media_type: str
) -> None:
    answer = await send(site, get(path))

    assert answer.headers["content-type"] == media_type
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert len(answer.body) == int(answer.headers["content-length"]) > 0


@pytest.mark.parametrize(
    "path", ["/../app.py", "/client.js/../../app.py", "/dev/../index.html", "/follow.js%00.css"]
)
async def test_no_path_leads_to_another_file(path: str) -> None:
    actions = world()
    devtools.attach(actions)
    async with opened(actions) as site:
        assert (await send(site, get(path))).status == 404


async def test_the_manifest_lists_every_action_with_its_schemas(site: Actions) -> None:
    listed = (await send(site, get("/manifest.json"))).json()["actions"]

    by_name = {action["name"]: action for action in listed}
    assert list(by_name) == [action.name for action in site.app.registry.actions]
    assert by_name["say"]["doc"] == "Say something, several times."
    assert by_name["say"]["input"]["properties"]["times"]["default"] == 1
    assert by_name["say"]["chunk"]["properties"]["type"]["const"] == "text"
    assert by_name["send_tree"]["alias"] == "sendTree"
    assert (by_name["tick"]["method"], by_name["add"]["streams"]) == ("GET", False)
    assert by_name["take"]["input"]["properties"]["file"] == {
        "type": "string",
        "format": "binary",
        "title": "File",
    }


@pytest.mark.parametrize("path", ["/v1/api/add", "/api/add"])
async def test_a_host_with_a_root_path_can_be_behind_a_proxy_that_takes_it_away(
    site: Actions, path: str
) -> None:
    host = Starlette(routes=[Mount("/api", site)])
    call = post(path, {"a": 1, "b": 2})

    async def behind_proxy(scope: Scope, receive: Receive, send: Send) -> None:
        await host({**scope, "root_path": "/v1"}, receive, send)

    answer = await send(behind_proxy, call)

    assert (answer.status, answer.json()["result"]) == (200, 3)


async def test_a_mounted_application_answers_below_its_base(site: Actions) -> None:
    answer = await send(site, post("/say", {}, ALICE, root_path="/api/_actions"))

    run_id = answer.headers["run-id"]
    assert answer.headers["location"] == f"/api/_actions/runs/{run_id}"


def test_no_action_can_have_the_name_of_a_route() -> None:
    actions = Actions()
    devtools.attach(actions)

    first = {pattern[0] for pattern in actions.site.routes}

    assert {name for name in first if name.isidentifier()} <= RESERVED


def test_every_request_for_runs_is_described_in_openapi_and_no_other() -> None:
    described = {
        (re.sub(r"\{\w+\}", "{}", path), method.upper())
        for path, operations in OPERATIONS.items()
        for method in operations
    }

    assert described == {
        (f"/{'/'.join(pattern)}", method)
        for pattern, handlers in ROUTES.items()
        if {"answers", "cancel", "runs", "uploads"} & set(pattern)
        for method in handlers
    }


async def test_what_is_answered_for_runs_is_what_openapi_describes() -> None:
    async with opened(world()) as site:
        started = await send(site, post("/add", {"a": 1, "b": 2}, ALICE))
        run = f"/runs/{started.json()['runId']}"
        snapshot, polled = [
            (await send(site, get(f"{run}{query}", ALICE))).json()
            for query in ("?input=1", "?after=0")
        ]
        listed = (await send(site, get("/runs", ALICE))).json()

    schema = SCHEMAS["runs.Snapshot"]
    assert set(schema["properties"]) == set(snapshot) | set(polled)
    assert set(schema["required"]) == set(snapshot) & set(polled)
    info = SCHEMAS["runs.Info"]  # what it can have in addition is there only if there is some
    assert set(info["required"]) <= set(listed["runs"][0]) <= set(info["properties"])


@pytest.mark.parametrize("path", ["", "/"])
async def test_without_a_page_the_base_says_where_to_look(path: str) -> None:
    async with opened(Actions()) as site:
        answer = await send(site, get(path))

    message = answer.json()["error"]["message"]
    assert answer.status == 404
    assert "manifest.json below it lists them" in message
    assert "`yieldwire dev` serves a page" in message
