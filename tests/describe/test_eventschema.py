"""What is sent for a run is what its schemas say, in both formats and as data alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from openapi_schema_validator import OAS32Validator

from tests.support.calls import post, send
from tests.support.wire import Answer
from tests.support.world import ALICE, opened
from yieldwire import ActionError, Actions, Context, Progress, Result, Text
from yieldwire.codecs.sse import SSEParser
from yieldwire.describe.openapi import document
from yieldwire.errors import Json


def talking() -> Actions:
    """Return an application whose runs have events of every type."""
    actions = Actions(identify=lambda _request: "ada")

    @actions.action
    async def count(to: int) -> AsyncIterator[Progress | Text | Result[int]]:
        for number in range(to):
            yield Progress(number, total=to)
        yield Text("counted")
        yield Result(to)

    @actions.action(asks=bool)
    async def ask(ctx: Context) -> AsyncIterator[Text]:
        told = await ctx.ask(bool, "Continue?", timeout=0.01, default=False)
        yield Text(str(told))

    @actions.action
    async def fail() -> AsyncIterator[Text]:
        yield Text("so far")
        raise ActionError("NO_STOCK", "Sold out.", status=402, data={"left": 0})

    @actions.action
    async def stop(ctx: Context) -> AsyncIterator[Text]:
        yield Text("so far")
        await actions.app.cancel(ctx.run_id)
        await asyncio.Event().wait()

    return actions


CALLS = {
    "count": (post("/count", {"to": 2}, ALICE), ["run", *["message"] * 3, "done"]),
    "ask": (post("/ask", {}, ALICE), ["run", "question", "answer", "message", "done"]),
    "fail": (post("/fail", {}, ALICE), ["run", "message", "error"]),
    "stop": (post("/stop", {}, ALICE), ["run", "message", "cancelled"]),
}


def fits(described: Json, schema: Json, value: object) -> bool:
    whole = {**schema, "components": described["components"]}
    return bool(OAS32Validator(whole).is_valid(value))


def data_of(described: Json, item: Json, event: str) -> Json:
    """Return the schema of an event's data, which a validator of JSON Schema does not look into."""
    *own, _ = item["anyOf"]
    shared = described["components"]["schemas"]["runs.Frame"]["oneOf"]
    (found,) = [one for one in [*own, *shared] if one["properties"]["event"]["const"] == event]
    return found["properties"]["data"]["contentSchema"]


async def answered(action: str, accept: str) -> tuple[Answer, Json, Json]:
    """Return what is sent for an action, and how it is described: the document, the media type."""
    call = replace(CALLS[action][0], headers=[*CALLS[action][0].headers, ("accept", accept)])
    async with opened(talking()) as actions:
        answer = await send(actions, call)
    described = document(actions.app.registry.actions)
    response = described["paths"][f"/{action}"]["post"]["responses"]["200"]
    return answer, described, response["content"][accept]


@pytest.mark.parametrize("action", CALLS)
async def test_events_and_their_data_match_their_schemas(action: str) -> None:
    answer, described, stream = await answered(action, "text/event-stream")

    messages = SSEParser().feed(answer.body)

    assert [message.event for message in messages] == CALLS[action][1]
    for message in messages:
        event = {"id": message.last_event_id, "event": message.event, "data": message.data}
        assert fits(described, stream["itemSchema"], event)
        data = json.loads(message.data)
        assert fits(described, data_of(described, stream["itemSchema"], message.event), data)
        assert fits(described, stream["schema"], data)


@pytest.mark.parametrize("action", CALLS)
async def test_lines_match_their_schema(action: str) -> None:
    answer, described, stream = await answered(action, "application/x-ndjson")

    lines = [json.loads(line) for line in answer.body.splitlines()]

    assert [line["type"] for line in lines] == [
        "chunk" if event == "message" else event for event in CALLS[action][1] if event != "run"
    ]
    for line in lines:
        assert fits(described, stream["itemSchema"], line)
        assert not fits(described, stream["itemSchema"], {**line, "data": 0.5})
