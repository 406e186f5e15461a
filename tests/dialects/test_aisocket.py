"""The messages of the AI SDK's `WebSocketChatTransport`, over a socket in process."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.dialects.test_aisdk import ai_world, sent
from tests.support.calls import Fields
from tests.support.world import ALICE, BOB, opened, wait_for_end
from yieldwire import Actions
from yieldwire.asgi.exchange import BrokenOff
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.dialects import AISDK
from yieldwire.dialects.aisocket import ChatSocket
from yieldwire.stores import Query

SENDING: dict[str, Any] = {"type": "send", "requestId": "q", "headers": {}, "body": {}}


class Wire:
    """A client of one socket."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.heard: asyncio.Queue[Message] = asyncio.Queue()
        self.sent.put_nowait({"type": "websocket.connect"})

    def say(self, value: object) -> None:
        text = value if isinstance(value, str) else to_json(value).decode()
        self.sent.put_nowait({"type": "websocket.receive", "text": text})

    async def next(self) -> dict[str, Any]:
        message = await self.heard.get()
        return from_json(message["text"]) if "text" in message else dict(message)

    async def until(self, *types: str) -> list[dict[str, Any]]:
        """Return what is told up to a message of one of these types."""
        told = [await self.next()]
        while told[-1]["type"] not in types:
            told.append(await self.next())
        return told


@asynccontextmanager
async def socket(app: ASGIApp, headers: Fields = ALICE) -> AsyncGenerator[Wire]:
    """Open a socket, and leave it in the end."""
    wire = Wire()
    raw = [(name.encode(), value.encode()) for name, value in [*headers, ("host", "localhost")]]
    scope = {
        "type": "websocket",
        "path": "/chat",
        "root_path": "",
        "query_string": b"",
        "scheme": "ws",
        "headers": raw,
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
    }

    async def serve() -> None:
        await app(scope, wire.sent.get, wire.heard.put)

    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(serve())
        yield wire
        wire.sent.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await serving


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


async def test_a_page_of_another_origin_starts_nothing(actions: Actions) -> None:
    headers = [*ALICE, ("origin", "https://evil.example")]

    async with socket(AISDK(actions), headers) as wire:
        first = await wire.next()
        if first["type"] == "websocket.accept":
            wire.say(SENDING | sent())
            first = (await wire.until("error"))[-1]

    assert first["type"] in {"error", "websocket.close"}
    assert await actions.app.find(Query(owner="alice", action="chat")) == []


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


async def test_an_answer_that_is_broken_off_is_an_error() -> None:
    async def breaks(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["method"] != "HEAD":
            raise BrokenOff("The stream ends before the run does.")

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await ChatSocket(breaks, RequestLimits(), scope, receive, send).run()

    async with socket(serve) as wire:
        wire.say(SENDING | sent())

        *_, broken = await wire.until("error")

    assert broken["errorText"] == "The stream ended before its run did."
