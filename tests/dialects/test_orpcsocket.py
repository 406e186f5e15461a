"""What `RPCLink` over a WebSocket says and is told, over a socket in process."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic_core import to_json

from tests.support.foreignsocket import socket
from tests.support.world import BOB, opened, world
from yieldwire import Actions
from yieldwire.asgi.websocket.message import Asked, BadMessage, Leaving
from yieldwire.dialects import ORPC
from yieldwire.dialects.orpcsocket import read_orpc
from yieldwire.stores import Query


@pytest.fixture
async def actions() -> AsyncIterator[Actions]:
    async with opened(world()) as actions:
        yield actions


def read(**said: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return list(read_orpc(to_json(said).decode()))


def test_a_request_has_its_own_place_and_token_and_no_other_headers() -> None:
    headers = {"last-event-id": "r.1", "authorization": "Bearer a", "host": "x", "cookie": "y"}

    (asked,) = read(i="1", p={"u": "/a/b?data=1", "m": "GET", "h": headers})

    assert isinstance(asked, Asked)
    assert (asked.method, asked.target, asked.body) == ("GET", "/a/b?data=1", b"")
    assert asked.headers == {"last-event-id": "r.1", "authorization": "Bearer a"}


def test_an_abort_leaves_and_what_a_client_streams_is_ignored() -> None:
    assert read(i="1", t=4) == [Leaving("1")]
    assert read(i="1", t=3, p={"e": "message", "d": 1}) == []


def test_a_file_is_marked_as_one() -> None:
    (blob,) = read_orpc(b'{"i":"1","p":{"u":"/a","b":{}}}\xffbytes')

    assert isinstance(blob, Asked)
    assert blob.headers == {"content-type": "multipart/form-data"}


@pytest.mark.parametrize(
    "said", ["{", "5", '{"i":"1"}', '{"i":1,"p":{"u":"/"}}', '{"i":"1","p":{"u":"a"}}']
)
def test_what_is_no_message_is_refused(said: str) -> None:
    with pytest.raises(BadMessage):
        read_orpc(said)


async def test_an_iterator_and_a_value_are_answered(actions: Actions) -> None:
    async with socket(ORPC(actions)) as wire:
        wire.say({"i": "1", "p": {"u": "/say", "b": {"json": {"times": 2}}}})
        told = [await wire.next() for _ in range(5)]
        wire.say({"i": "2", "p": {"u": "/add", "b": {"json": {"a": 1, "b": 2}}}})
        value = await wire.next()
        wire.say({"i": "3", "p": {"u": "/nothing"}})
        refused = await wire.next()

    assert told[1] == {"i": "1", "p": {"h": {"content-type": "text/event-stream"}}}
    assert [each["p"]["e"] for each in told[2:]] == ["message", "message", "done"]
    assert (told[2]["t"], told[2]["p"]["m"]["id"].rpartition(".")[2]) == (3, "1")
    assert value == {"i": "2", "p": {"b": {"json": 3}}}
    assert (refused["p"]["s"], refused["p"]["b"]["json"]["code"]) == (404, "NOT_FOUND")


async def test_a_token_of_a_request_replaces_that_of_the_socket(actions: Actions) -> None:
    async with socket(ORPC(actions), BOB) as wire:
        await wire.next()
        wire.say(
            {
                "i": "1",
                "p": {
                    "u": "/add",
                    "b": {"json": {"a": 1, "b": 2}},
                    "h": {"authorization": "Bearer alice"},
                },
            }
        )
        await wire.next()

    (run,) = await actions.app.find(Query(owner="alice"))
    assert run.action == "add"
