"""Who can open a socket: host, origin, identity, and the tokens of browsers."""

from typing import Any

import pytest
from starlette.requests import HTTPConnection

from tests.support.calls import Fields
from tests.support.sockets import refused, socket_to
from tests.support.virtual import run_virtually
from tests.support.world import ALICE, opened, world
from yieldwire import Actions, Identity
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.codecs.websocket import CloseCode, protocol_with
from yieldwire.errors import Forbidden, Unauthorized

COOKIE = ("cookie", "session=alice")
OWN = ("origin", "http://127.0.0.1:8000")
FOREIGN = ("origin", "https://evil.example")
FRIEND = ("origin", "https://friend.example")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([FOREIGN], 403),
        ([FOREIGN, COOKIE], 403),
        ([FOREIGN, *ALICE], 403),
        ([("origin", "null"), COOKIE], 403),
        ([OWN, OWN], 400),
        ([OWN, ("sec-fetch-site", "cross-site"), COOKIE], 403),
        ([("authorization", "Bearer a"), ("authorization", "Bearer b")], 400),
        ([("x-many", "1")] * 250, 413),
    ],
)
async def test_a_handshake_is_refused_with_a_status(
    site: Actions, headers: Fields, status: int
) -> None:
    answer = await refused(site, headers)

    assert answer["type"] == "websocket.http.response.start"
    assert answer["status"] == status


@pytest.mark.parametrize("scope", [{"host": "evil.example"}, {"path": "/say"}, {"path": "/"}])
async def test_a_handshake_for_another_host_or_path_is_refused(
    site: Actions, scope: dict[str, Any]
) -> None:
    answer = await refused(site, ALICE, **scope)

    assert answer["status"] in {403, 404}


async def test_a_server_that_cannot_send_a_status_closes(site: Actions) -> None:
    answer = await refused(site, [FOREIGN], extensions={})

    assert answer == {"type": "websocket.close", "code": 1008}


@pytest.mark.parametrize(
    "headers",
    [[COOKIE], [OWN, COOKIE], [FRIEND, COOKIE], [OWN, ("sec-fetch-site", "same-origin"), COOKIE]],
)
async def test_a_cookie_of_an_allowed_origin_identifies_the_caller(headers: Fields) -> None:
    async with (
        opened(world(origins=["https://friend.example"])) as site,
        socket_to(site, headers) as hand,
    ):
        hand.ask(1, "GET", "/runs")

        assert (await hand.answer()).head["status"] == 200


async def test_a_browser_sends_its_token_as_a_subprotocol(site: Actions) -> None:
    protocols = ["yieldwire", protocol_with("alice")]
    async with socket_to(site, [OWN], protocols=protocols) as hand:
        hand.ask(1, "GET", "/runs")
        answer = await hand.answer()

    assert hand.subprotocol == "yieldwire"
    assert answer.head["status"] == 200


@pytest.mark.parametrize("token", ["yieldwire.token.!", "yieldwire.token.Cg", "yieldwire.token._w"])
async def test_a_token_that_no_header_can_carry_is_none(site: Actions, token: str) -> None:
    async with socket_to(site, [OWN], protocols=[token]) as hand:
        hand.ask(1, "GET", "/runs")
        answer = await hand.answer()

    assert hand.subprotocol is None
    assert answer.head["status"] == 401


async def known(request: HTTPConnection) -> Identity:
    name = request.headers.get("authorization", "").removeprefix("Bearer ")
    if not name:
        raise Unauthorized
    if name == "mallory":
        raise Forbidden("Not you.")
    return Identity(owner=name)


async def test_a_caller_who_must_authenticate_can_do_so_by_the_first_message() -> None:
    async with opened(world(identify=known)) as site, socket_to(site) as hand:
        hand.ask(1, "GET", "/runs")
        before = await hand.answer()
        hand.say({"token": "alice"})
        hand.ask(2, "GET", "/runs")
        after = await hand.answer()

    assert (before.head["status"], after.head["status"]) == (401, 200)


def test_a_caller_who_must_authenticate_and_does_not_is_cut_off() -> None:
    async def program() -> int:
        async with opened(world(identify=known)) as site, socket_to(site) as hand:
            return int((await hand.message(20.0))["code"])

    assert run_virtually(program()) == CloseCode.UNAUTHORIZED


async def test_a_caller_whom_identify_forbids_opens_no_socket() -> None:
    async with opened(world(identify=known)) as site:
        answer = await refused(site, [("authorization", "Bearer mallory")])

    assert answer["status"] == 403


async def test_sockets_count_among_the_streams_of_a_caller() -> None:
    limits = RequestLimits(streams=1)
    async with opened(world(request_limits=limits)) as site, socket_to(site, ALICE):
        answer = await refused(site, ALICE)

    assert answer["status"] == 429


async def test_a_server_that_stops_opens_no_socket(site: Actions) -> None:
    site.drain()

    assert (await refused(site, ALICE))["status"] == 503


async def test_an_application_below_a_path_answers_there(site: Actions) -> None:
    async with socket_to(site, ALICE, path="/api/ws", root_path="/api") as hand:
        hand.ask(1, "POST", "/say", {})
        head = (await hand.told()).head

    assert head["headers"]["location"].startswith("/api/runs/")


async def test_headers_of_the_handshake_that_belong_to_one_request_are_dropped(
    site: Actions,
) -> None:
    fields = [*ALICE, ("prefer", "respond-async"), ("idempotency-key", "k"), ("x-own", "seen")]
    async with socket_to(site, fields) as hand:
        hand.ask(1, "POST", "/say", {})
        run_id = (await hand.told()).head["headers"]["run-id"]
    run = await site.app.store.get(run_id)

    assert not run.detached
    assert b'"x-own":"seen"' in run.context
