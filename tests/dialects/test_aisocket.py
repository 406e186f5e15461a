"""The messages of the AI SDK's `WebSocketChatTransport`, over a socket in process."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from starlette.types import Receive, Scope, Send

from tests.dialects.test_aisdk import ai_world, sent
from tests.support.foreignsocket import socket
from tests.support.world import ALICE, BOB, opened, wait_for_end
from yieldwire import Actions
from yieldwire.asgi.exchange import BrokenOff
from yieldwire.dialects import AISDK
from yieldwire.dialects.aisocket import ChatSocket
from yieldwire.stores import Query

SENDING: dict[str, Any] = {"type": "send", "requestId": "q", "headers": {}, "body": {}}


@pytest.fixture
async def actions() -> AsyncIterator[Actions]:
    async with opened(ai_world()) as actions:
        yield actions


async def test_an_answer_is_messages_in_sequence(actions: Actions) -> None:
    async with socket(AISDK(actions)) as wire:
        wire.say(SENDING | sent())

        accepted, start, *chunks, end = await wire.until("end")

    assert accepted == {"type": "websocket.accept"}
    assert (start["type"], end) == ("start", {"requestId": "q", "type": "end"})
    assert [each["sequence"] for each in chunks] == [*range(len(chunks))]
    assert [each["chunk"]["type"] for each in chunks][:3] == ["start", "start-step", "text-start"]


async def test_a_resume_replays_the_run_that_is_active(actions: Actions) -> None:
    async with socket(AISDK(actions, version=6, resumable=True)) as wire:
        wire.say(SENDING | sent("delete"))
        first = await wire.until("end")
        wire.say({"type": "resume", "requestId": "r", "id": "x"})
        again = await wire.until("end")
        wire.say({"type": "resume", "requestId": "s", "id": "nobody"})
        (none,) = await wire.until("no-active")

    assert [each.get("chunk") for each in again] == [each.get("chunk") for each in first[1:]]
    assert none == {"requestId": "s", "type": "no-active"}


async def test_a_stop_cancels_a_run_that_outlives_its_readers(actions: Actions) -> None:
    async with socket(AISDK(actions, resumable=True)) as wire:
        wire.say(SENDING | sent("wait"))
        await wire.until("chunk")
        (run,) = await actions.app.find(Query(owner="alice", action="chat"))

        wire.say({"type": "abort", "requestId": "nothing"})
        wire.say({"type": "abort", "requestId": "q"})
        await wait_for_end(actions, run.id)

    assert (await actions.app.store.get(run.id)).status == "cancelled"


async def test_a_client_that_leaves_leaves_a_run_that_outlives_its_readers(
    actions: Actions,
) -> None:
    async with socket(AISDK(actions, resumable=True)) as wire:
        wire.say(SENDING | sent("wait"))
        await wire.until("chunk")

    (run,) = await actions.app.find(Query(owner="alice", action="chat"))
    assert run.status == "running"


async def test_a_refusal_is_its_message(actions: Actions) -> None:
    async with socket(AISDK(actions)) as wire:
        wire.say(SENDING | sent() | {"messages": 3})

        (*_, refused) = await wire.until("error")

    assert "not valid" in refused["errorText"]


async def test_a_token_of_a_request_replaces_that_of_the_socket(actions: Actions) -> None:
    async with socket(AISDK(actions), BOB) as wire:
        wire.say({**SENDING, **sent(), "headers": {"authorization": "Bearer alice"}})
        await wire.until("end")

    (run,) = await actions.app.find(Query(owner="alice", action="chat"))
    assert run.owner == "alice"


async def test_a_page_of_another_origin_gets_no_socket(actions: Actions) -> None:
    headers = [*ALICE, ("origin", "https://evil.example")]

    async with socket(AISDK(actions), headers) as wire:
        refused = await wire.next()

    assert refused == {"type": "websocket.close", "code": 1008}


async def test_a_caller_who_is_refused_gets_no_socket(actions: Actions) -> None:
    async with socket(AISDK(actions), [("authorization", "Bearer unknown")]) as wire:
        refused = await wire.next()

    assert refused == {"type": "websocket.close", "code": 1008}


@pytest.mark.parametrize(
    "text", ["", "{", '{"type":"other"}', '{"type":"send","requestId":1,"body":{}}', "x" * 2**21]
)
async def test_a_message_that_the_client_never_sends_closes_the_socket(
    actions: Actions, text: str
) -> None:
    async with socket(AISDK(actions)) as wire:
        wire.say(text)

        _, closed = await wire.until("websocket.close")

    assert closed["code"] > 1000


async def test_an_answer_that_is_broken_off_is_an_error(actions: Actions) -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["method"] != "HEAD":
            raise BrokenOff("The stream ends before the run does.")

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await ChatSocket(breaks, actions.site, scope, receive, send).run()

    async with socket(serve) as wire:
        wire.say(SENDING | sent())

        *_, broken = await wire.until("error")

    assert broken["errorText"] == "The stream ended before its run did."
