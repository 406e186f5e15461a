"""What `wsLink` says and is told, over a socket in process."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.foreignsocket import Wire, socket
from tests.support.world import ALICE, opened, world
from yieldwire import Actions, Context
from yieldwire.asgi.requestlimits import Allowance, RequestLimits
from yieldwire.asgi.websocket.message import Asked, BadMessage, Echo, Leaving, NewToken
from yieldwire.dialects import TRPC
from yieldwire.dialects.trpcsocket import TRPCChannel, read_trpc
from yieldwire.stores import Query

COUNTING: dict[str, Any] = {"path": "tick", "input": {"times": 2}}


@pytest.fixture
async def actions() -> AsyncIterator[Actions]:
    actions = world(request_limits=RequestLimits(socket_requests=2))

    @actions.action
    async def name(ctx: Context) -> str | None:
        return ctx.owner

    async with opened(actions):
        yield actions


def asked(id: int, method: str, **params: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    return {"id": id, "method": method, "params": params}


async def accept(wire: Wire) -> None:
    assert (await wire.next())["type"] == "websocket.accept"


def test_a_message_can_be_several_requests() -> None:
    first, second, stop = read_trpc(
        b"".join(
            [
                b"[",
                b'{"id":1,"method":"query","params":{"path":"a.b","input":{"n":1}}},',
                b'{"id":2,"method":"subscription",',
                b'"params":{"path":"c","lastEventId":"r.1","input":{}}},',
                b'{"id":2,"method":"subscription.stop"}]',
            ]
        ).decode()
    )

    assert isinstance(first, Asked)
    assert (first.method, first.target, first.body) == ("POST", "/a.b", b'{"n":1}')
    assert isinstance(second, Asked)
    assert (second.method, second.target) == ("GET", "/c?input=%7B%7D")
    assert second.headers == {"accept": "text/event-stream", "last-event-id": "r.1"}
    assert stop == Leaving(2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("PING", [Echo("PONG")]),
        ("PONG", []),
        ('{"method":"connectionParams","data":{"token":"t"}}', [NewToken("t")]),
        ('{"method":"connectionParams","data":{"authorization":"Bearer t"}}', [NewToken("t")]),
        ('{"method":"connectionParams","data":null}', [NewToken("")]),
    ],
)
def test_a_connection_tells_its_life_and_its_token(text: str, said: list[Any]) -> None:
    assert list(read_trpc(text)) == said


@pytest.mark.parametrize("message", [b"{}", "{", "5", '{"id":1}', '{"id":1,"method":"query"}'])
def test_what_is_no_message_is_refused(message: str | bytes) -> None:
    with pytest.raises(BadMessage):
        read_trpc(message)


def test_a_keepalive_is_a_ping() -> None:
    async def write(_: str) -> None:
        raise AssertionError

    asked = Asked(id=1, method="GET", target="/", headers={}, body=b"", credit=0)

    assert TRPCChannel(asked, write, Allowance(0)).framed(b"event: ping\ndata: ") == b"PING"


async def test_a_subscription_is_tracked_and_continues_behind_a_value(actions: Actions) -> None:
    async with socket(TRPC(actions)) as wire:
        wire.say(asked(1, "subscription", **COUNTING))
        told = [await wire.next() for _ in range(5)]
        place = told[2]["result"]["id"]
        wire.say(asked(1, "subscription", **COUNTING, lastEventId=place))
        rest = [await wire.next() for _ in range(3)]

    assert [each["result"]["type"] for each in told[1:]] == ["started", "data", "data", "stopped"]
    assert told[2]["result"]["data"] == {"id": place, "data": 0}
    assert [each["result"].get("data", {}).get("data") for each in rest] == [None, 1, None]


async def test_a_refused_subscription_never_starts(actions: Actions) -> None:
    async with socket(TRPC(actions)) as wire:
        await accept(wire)
        wire.say(asked(1, "subscription", path="nothing"))
        refused = await wire.next()

    assert (refused["id"], refused["error"]["data"]["code"]) == (1, "NOT_FOUND")


async def test_a_token_of_the_connection_is_the_callers(actions: Actions) -> None:
    async with socket(TRPC(actions), [("authorization", "Bearer unknown")]) as wire:
        await accept(wire)
        wire.say(asked(1, "query", path="name"))
        unknown = await wire.next()
        wire.say({"method": "connectionParams", "data": {"token": "alice"}})
        wire.say(asked(2, "query", path="name"))
        known = await wire.next()

    assert unknown["error"]["data"]["code"] == "UNAUTHORIZED"
    assert known == {"id": 2, "result": {"data": "alice", "type": "data"}}


async def test_a_page_of_another_origin_gets_no_socket(actions: Actions) -> None:
    async with socket(TRPC(actions), [*ALICE, ("origin", "https://evil.example")]) as wire:
        refused = await wire.next()

    assert refused == {"type": "websocket.close", "code": 1008}


async def test_requests_over_a_socket_are_limited_and_stopped_ones_are_not_counted(
    actions: Actions,
) -> None:
    async with socket(TRPC(actions)) as wire:
        await accept(wire)
        for number in (1, 2):
            wire.say(asked(number, "subscription", path="wait"))
            assert (await wire.next())["result"]["type"] == "started"
            assert (await wire.next())["result"]["type"] == "data"
        wire.say(asked(3, "query", path="name"))
        refused = await wire.next()
        wire.say({"id": 1, "method": "subscription.stop"})
        wire.say("PING")
        pong = await wire.next()
        wire.say(asked(4, "query", path="name"))
        answered = await wire.next()

    assert (refused["id"], refused["error"]["data"]["code"]) == (3, "TOO_MANY_REQUESTS")
    assert (pong, answered["id"]) == ("PONG", 4)


async def test_a_server_that_stops_closes_the_socket_so_that_the_client_comes_back(
    actions: Actions,
) -> None:
    async with socket(TRPC(actions)) as wire:
        await accept(wire)
        wire.say(asked(1, "subscription", path="wait"))
        await wire.next()
        await wire.next()
        actions.drain()
        closed = await wire.next()

    assert closed == {"type": "websocket.close", "code": 1012}


@pytest.mark.parametrize("message", ["{", b"{}", "x" * 2**21])
async def test_a_message_that_the_client_never_sends_closes_the_socket(
    actions: Actions, message: str | bytes
) -> None:
    async with socket(TRPC(actions)) as wire:
        await accept(wire)
        wire.say(message)
        closed = await wire.next()

    assert closed["type"] == "websocket.close"
    assert await actions.app.find(Query(everyone=True)) == []
