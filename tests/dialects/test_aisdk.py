"""The requests of the AI SDK, as its clients send them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic_core import from_json
from starlette.applications import Starlette
from starlette.routing import Mount

from tests.support.calls import Call, Fields, get, post, send
from tests.support.world import ALICE, BOB, opened, wait_for_end, world
from yieldwire import Actions, Context, Result, Text
from yieldwire.ai import Approval, Chunk, ToolCall, ToolOutput, UIMessage, approve
from yieldwire.dialects import AISDK, AILegacy, AIText
from yieldwire.errors import UsageError
from yieldwire.stores import Query

HELLO = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "hello"}]}
CALL = ToolCall("c1", "delete", {})


def ai_world() -> Actions:
    actions = world()

    @actions.action(asks=Approval)
    async def chat(messages: list[UIMessage], ctx: Context, id: str = "") -> AsyncIterator[Chunk]:
        yield Text(messages[-1].text)
        if messages[-1].text == "wait":
            await asyncio.Event().wait()
        if messages[-1].text == "delete":
            yield CALL
            yield ToolOutput("c1", (await approve(ctx, CALL)).approved)

    @actions.action
    async def complete(prompt: str) -> AsyncIterator[Text | Result[int]]:
        if prompt:
            yield Text(prompt)
        yield Result(3)

    actions.mount(AISDK(version=6, resumable=True))
    return actions


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    async with opened(ai_world()) as actions:
        yield actions


def sent(text: str = "hello", chat: str = "x", **other: object) -> dict[str, Any]:
    message = {"id": "u", "role": "user", "parts": [{"type": "text", "text": text}]}
    return {"id": chat, "messages": [message], "trigger": "submit-message", **other}


def responded(*ids: str, approved: bool = True, chat: str = "x") -> dict[str, Any]:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "data-odd", "state": "approval-responded", "approval": "odd"},
        *(
            {
                "type": "tool-delete",
                "toolCallId": each,
                "state": "approval-responded",
                "approval": {"id": each, "approved": approved, "reason": "Because."},
            }
            for each in ids
        ),
    ]
    message = {"id": "a", "role": "assistant", "parts": parts}
    return {"id": chat, "messages": [HELLO, message], "trigger": "submit-message"}


def datas(body: bytes) -> list[Any]:
    lines = [line for line in body.decode().split("\n") if line.startswith("data: {")]
    return [from_json(line.removeprefix("data: ")) for line in lines]


def delete(path: str, headers: Fields = ALICE) -> Call:
    return Call(method="DELETE", target=path, headers=headers)


async def test_a_chat_gets_what_it_takes_of_the_body(site: Actions) -> None:
    heard = await send(site, post("/ai/chat", sent(unknown=1), ALICE))

    frames = datas(heard.body)
    run_id = heard.headers["x-workflow-run-id"]
    assert (heard.status, heard.headers["x-vercel-ai-ui-message-stream"]) == (200, "v1")
    assert heard.body.startswith(b": stream-open\n\n")
    assert heard.body.endswith(b"data: [DONE]\n\n")
    assert frames[0] == {"type": "start", "messageId": run_id}
    assert frames[3] == {"type": "text-delta", "id": "text-1", "delta": "hello"}


async def test_a_run_of_a_chat_is_found_by_its_label_only_by_its_owner(site: Actions) -> None:
    heard = await send(site, post("/ai/chat", sent("delete"), ALICE))
    run_id = heard.headers["x-workflow-run-id"]

    mine = await send(site, get("/ai/chat/x/stream", ALICE))
    other = await send(site, get("/ai/chat/x/stream", BOB))
    by_id = await send(site, get(f"/ai/chat/{run_id}/stream", BOB))

    assert mine.headers["x-workflow-run-id"] == run_id
    assert datas(mine.body)[-1]["finishReason"] == "tool-calls"
    assert (other.status, by_id.status) == (204, 403)


async def test_an_approval_goes_on_with_the_same_run(site: Actions) -> None:
    heard = await send(site, post("/ai/chat", sent("delete"), ALICE))

    rest = await send(site, post("/ai/chat", responded("c1"), ALICE))
    again = await send(site, post("/ai/chat", responded("c1"), ALICE))
    frames = datas(rest.body)

    assert rest.headers["x-workflow-run-id"] == heard.headers["x-workflow-run-id"]
    assert [each["type"] for each in frames] == ["start", "tool-output-available", "finish"]
    assert frames[1]["output"] is True
    assert datas(again.body) == frames


async def test_an_approval_of_nothing_that_the_run_has_asked_starts_another(site: Actions) -> None:
    first = await send(site, post("/ai/chat", sent("delete"), ALICE))

    other = await send(site, post("/ai/chat", responded("c9"), ALICE))
    fresh = await send(site, post("/ai/chat", responded("c1", chat="new"), ALICE))

    runs = [each.headers["x-workflow-run-id"] for each in (first, other, fresh)]
    assert len(set(runs)) == 3


async def test_nothing_is_active_after_the_end(site: Actions) -> None:
    heard = await send(site, post("/ai/chat", sent(), ALICE))
    run_id = heard.headers["x-workflow-run-id"]

    chat = await send(site, get("/ai/chat/x/stream", ALICE))
    rest = await send(site, get(f"/ai/chat/{run_id}/stream?startIndex=5", ALICE))
    tail = await send(site, get(f"/ai/chat/{run_id}/stream?startIndex=-2", ALICE))
    odd = await send(site, get(f"/ai/chat/{run_id}/stream?startIndex=x", ALICE))
    foreign = await send(site, get(f"/ai/complete/{run_id}/stream?startIndex=0", ALICE))

    frames = datas(heard.body)
    assert (chat.status, foreign.status, odd.status) == (204, 204, 400)
    assert datas(rest.body) == frames[5:]
    assert datas(tail.body) == frames[-2:]
    assert tail.headers["x-workflow-stream-tail-index"] == str(len(frames) - 1)


async def test_a_page_stops_the_newest_run_of_its_chat(site: Actions) -> None:
    await send(site, post("/ai/chat", sent("delete"), ALICE))

    nobody = await send(site, delete("/ai/chat/nothing/stream"))
    stopped = await send(site, delete("/ai/chat/x/stream"))

    (run,) = await site.app.find(Query(owner="alice", action="chat"))
    await wait_for_end(site, run.id)
    assert (nobody.status, stopped.status) == (204, 204)
    assert (await site.app.store.get(run.id)).status == "cancelled"


@pytest.mark.parametrize(
    ("call", "status", "text"),
    [
        (post("/ai/chat", sent() | {"messages": [{"role": "user"}] * 2}, ALICE), 200, ""),
        (post("/ai/chat", sent() | {"messages": 3}, ALICE), 422, "not valid"),
        (post("/ai/chat", [1], ALICE), 400, "sends an object"),
        (post("/ai/chat/x/stream", {}, ALICE), 404, "sent by POST"),
        (get("/ai/chat", ALICE), 404, "sent by POST"),
        (get("/ai/chat/stream", ALICE), 404, "calls {api}"),
        (delete("/ai/chat"), 404, "sent by POST"),
    ],
)
async def test_a_refusal_is_its_message(site: Actions, call: Call, status: int, text: str) -> None:
    heard = await send(site, call)

    assert heard.status == status
    if text:
        assert heard.headers["content-type"] == "text/plain; charset=utf-8"
        assert text in heard.body.decode()


async def test_native_clients_are_answered_at_the_same_urls(site: Actions) -> None:
    heard = await send(site, post("/say", {"text": "ahoy"}, ALICE))
    nothing = await send(site, post("/ai/nothing", {}, ALICE))

    assert (heard.status, nothing.status) == (200, 404)
    assert b"event: done" in heard.body


def test_only_versions_that_exist_can_be_chosen() -> None:
    with pytest.raises(UsageError, match="version is 5, 6 or 7, not 4"):
        AISDK(version=4)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType] - the test


@pytest.fixture
async def mounted() -> AsyncIterator[Starlette]:
    actions = ai_world()
    async with opened(actions):
        yield Starlette(
            routes=[
                Mount("/chat", AISDK(actions.chat)),
                Mount("/text", AIText(actions)),
                Mount("/v4", AILegacy(actions)),
            ]
        )


async def test_a_dialect_of_one_action_has_no_name_in_its_urls(mounted: Starlette) -> None:
    heard = await send(mounted, post("/chat/", sent(), ALICE))
    resumed = await send(mounted, get("/chat/x/stream", ALICE))

    assert (heard.status, resumed.status) == (200, 204)


async def test_a_text_stream_is_the_text_or_else_the_result(mounted: Starlette) -> None:
    text = await send(mounted, post("/text/complete", {"prompt": "ahoy", "more": 1}, ALICE))
    result = await send(mounted, post("/text/complete", {"prompt": ""}, ALICE))
    refused = await send(mounted, post("/text/complete", {}, ALICE))

    assert (text.body, result.body) == (b"ahoy", b"3")
    assert (refused.status, refused.headers["content-type"]) == (422, "text/plain; charset=utf-8")


async def test_the_data_stream_of_version_4_is_a_line_for_each_part(mounted: Starlette) -> None:
    heard = await send(mounted, post("/v4/complete", {"prompt": "ahoy", "id": "x"}, ALICE))
    refused = await send(mounted, post("/v4/complete", {}, ALICE))
    over = await send(mounted, get("/v4/complete?chatId=x", ALICE))
    nobody = await send(mounted, get("/v4/complete", ALICE))

    assert heard.headers["x-vercel-ai-data-stream"] == "v1"
    assert heard.body.decode().split("\n")[1:3] == [
        '0:"ahoy"',
        '2:[{"type":"result","result":3}]',
    ]
    assert (refused.status, over.status, nobody.status) == (422, 404, 404)
