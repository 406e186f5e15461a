"""A2A by its requests, where the published client hides them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final
from uuid import uuid4

import pytest
from pydantic import Field
from pydantic_core import from_json

from tests.support.calls import Call, get, post, send, stream
from tests.support.world import ALICE, BOB, opened, world
from yieldwire import Actions, Context, Progress, Result
from yieldwire.dialects import A2A
from yieldwire.errors import Json
from yieldwire.stores import Query

UNKNOWN, NOT_CANCELABLE, UNSUPPORTED, INVALID = -32001, -32002, -32004, -32602
LONG: Final = str(uuid4())


def a2a_world() -> Actions:
    actions = world()

    @actions.action
    async def tell(
        contextId: str,  # noqa: N803 - the protocol's name
        number: Annotated[int, Field(ge=1)],
        text: str,
        more: str | None = None,
    ) -> Any:  # noqa: ANN401 - JSON
        return [contextId, number, text, more]

    @actions.action(asks=[int, str])
    async def order(ctx: Context) -> AsyncIterator[Progress | Result[list[Any]]]:
        yield Progress(1, total=2)
        async with asyncio.TaskGroup() as asking:
            size = asking.create_task(ctx.ask(int, "Which size?"))
            name = asking.create_task(ctx.ask(str, "Which name?"))
        yield Result([size.result(), name.result()])

    @actions.action(asks=bool)
    async def confirm(ctx: Context) -> list[bool]:
        first = await ctx.ask(bool, "Look?")
        return [first, await ctx.ask(bool, "Delete everything?")]

    actions.mount(A2A(card={"version": "7", "provider": {"organization": "Us", "url": "x:"}}))
    return actions


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    async with opened(a2a_world()) as actions:
        yield actions


def rpc(name: str, method: str, caller: Any = ALICE, **params: Any) -> Call:  # noqa: ANN401 - JSON
    return post(
        f"/a2a/{name}", {"jsonrpc": "2.0", "id": 5, "method": method, "params": params}, caller
    )


def message(name: str, *parts: Any, how: str = "SendMessage", **more: Any) -> Call:  # noqa: ANN401 - JSON
    told = {"messageId": "1", "role": "ROLE_USER", "parts": list(parts), **more}
    return rpc(name, how, message=told)


async def task_of(site: Actions, call: Call) -> Any:  # noqa: ANN401 - JSON
    told = (await send(site, call)).json()
    assert told["id"] == 5
    return told["result"].get("task", told["result"])


async def error_of(site: Any, call: Call) -> int:  # noqa: ANN401 - an application
    heard = await send(site, call)
    assert heard.status == 200
    return int(heard.json()["error"]["code"])


def parts_of(task: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return [part for artifact in task["artifacts"] for part in artifact["parts"]]


async def test_an_input_is_made_of_data_text_and_context(site: Actions) -> None:
    parts = {"text": "a"}, {"data": {"number": 2, "other": 1}}, {"text": "b"}

    task = await task_of(site, message("tell", *parts, contextId="c"))

    assert task["contextId"] == "c"
    assert parts_of(task) == [{"data": ["c", 2, "ab", None]}]


async def test_text_is_not_put_where_data_is_already(site: Actions) -> None:
    parts = {"text": "a"}, {"data": {"number": 2, "text": "b"}}

    task = await task_of(site, message("tell", *parts, contextId="c"))

    assert parts_of(task) == [{"data": ["c", 2, "b", "a"]}]


async def test_a_card_has_members_of_the_applications_own(site: Actions) -> None:
    card = (await send(site, get("/a2a/say/.well-known/agent-card.json", ALICE))).json()

    assert (card["name"], card["version"], card["provider"]["organization"]) == ("say", "7", "Us")
    assert card["supportedInterfaces"][0]["url"] == "http://127.0.0.1:8000/a2a/say/"


async def test_one_action_is_at_the_mount_itself() -> None:
    async with opened(world()) as actions:
        heard = await send(A2A(actions.say), message("", {"text": "ahoy"}))
        other = await send(A2A(actions.say), rpc("more", "SendMessage"))
        body = {"jsonrpc": "2.0", "method": "SendMessage", "params": {"message": {"parts": []}}}
        own = await send(A2A(actions.say), post("/", body, ALICE))

    assert heard.json()["error"]["code"] == other.json()["error"]["code"] == UNKNOWN
    assert parts_of(own.json()["result"]["task"]) == [{"text": "hello"}]


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (post("/a2a/say", [], ALICE), INVALID),
        (
            post("/a2a/say", {"jsonrpc": "2.0", "method": "SendMessage", "params": 5}, ALICE),
            INVALID,
        ),
        (rpc("say", "SendMessage", message={"parts": "x"}), INVALID),
        (rpc("say", "SendMessage", message={"parts": ["x"]}), INVALID),
        (rpc("say", "SendMessage"), INVALID),
        (rpc("say", "message/send"), -32601),
        (rpc("say", "GetTask", id=5), UNKNOWN),
        (message("say", {"url": "https://example.com/"}), -32005),
        (message("say", contextId="x" * 200), -32700),
        (get("/a2a/say", ALICE), UNKNOWN),
    ],
)
async def test_what_is_no_request_to_an_agent_is_refused(
    site: Actions, call: Call, code: int
) -> None:
    assert await error_of(site, call) == code
    assert await site.app.find(Query(everyone=True)) == []


async def test_a_client_of_another_version_is_refused(site: Actions) -> None:
    old = post("/a2a/say", {}, [*ALICE, ("a2a-version", "0.3")])

    assert await error_of(site, old) == -32009


async def test_a_client_without_an_identity_learns_it_from_the_status(site: Actions) -> None:
    heard = await send(site, rpc("say", "SendMessage", [("authorization", "Bearer unknown")]))

    assert (heard.status, "code" in heard.json()["error"]) == (401, True)


async def test_an_action_that_does_not_exist_is_left_to_the_application(site: Actions) -> None:
    heard = await send(site, rpc("nothing", "SendMessage"))

    assert (heard.status, heard.json()["error"]["code"]) == (404, "NOT_FOUND")


async def test_a_message_that_is_sent_again_has_the_same_task(site: Actions) -> None:
    first = await task_of(site, message("say", messageId=LONG))
    again = await task_of(site, message("say", messageId=LONG))
    streamed = await send(site, message("say", messageId=LONG, how="SendStreamingMessage"))

    (told,) = streamed.body.split(b"\n\n")[:-1]
    assert from_json(told.removeprefix(b"data: "))["result"]["task"] == first == again


async def test_a_task_is_its_owners_and_its_agents(site: Actions) -> None:
    sent = {"messageId": "1", "parts": []}
    now = {"returnImmediately": True}
    task = await task_of(site, rpc("wait", "SendMessage", message=sent, configuration=now))

    for call in (
        rpc("wait", "GetTask", BOB, id=task["id"]),
        rpc("say", "GetTask", id=task["id"]),
        rpc("wait", "CancelTask", BOB, id=task["id"]),
    ):
        assert await error_of(site, call) == UNKNOWN
    async with stream(site, rpc("wait", "SubscribeToTask", id=task["id"])) as heard:
        cancelled = await task_of(site, rpc("wait", "CancelTask", id=task["id"]))
        followed = await heard.rest()
    again = await error_of(site, rpc("wait", "CancelTask", id=task["id"]))

    assert cancelled["status"]["state"] == "TASK_STATE_CANCELED"
    assert b"TASK_STATE_CANCELED" in followed
    assert again == NOT_CANCELABLE


async def test_several_questions_are_answered_one_by_one(site: Actions) -> None:
    asked = await task_of(site, message("order"))
    named: Any = {"metadata": {"yieldwire/question": "2"}, "taskId": asked["id"]}

    second = await task_of(site, message("order", {"text": "7"}, **named))
    unknown = await error_of(site, message("order", {"text": "8"}, **named))
    wrong = await error_of(site, message("order", {"text": "big"}, taskId=asked["id"]))
    first = await task_of(site, message("order", {"data": 3}, taskId=asked["id"]))
    late = await error_of(site, message("order", {"text": "4"}, taskId=asked["id"]))
    elsewhere = await error_of(site, rpc("order", "SubscribeToTask", id=asked["id"]))

    assert asked["status"]["message"]["parts"] == [{"text": "Which size?"}]
    assert second["status"]["state"] == "TASK_STATE_INPUT_REQUIRED"
    assert (unknown, wrong, late, elsewhere) == (UNSUPPORTED, INVALID, UNSUPPORTED, UNSUPPORTED)
    assert parts_of(first) == [{"data": [3, "7"]}]


async def test_an_answer_that_is_sent_again_does_not_answer_the_next_question(
    site: Actions,
) -> None:
    asked = await task_of(site, message("confirm"))
    answer = message("confirm", {"data": True}, taskId=asked["id"], messageId=LONG)

    next_ = await task_of(site, answer)
    again = await error_of(site, answer)

    task = await task_of(site, rpc("confirm", "GetTask", id=asked["id"]))
    assert again == UNSUPPORTED
    for told in (next_, task):
        assert told["status"]["message"]["parts"] == [{"text": "Delete everything?"}]


@pytest.mark.parametrize("named", [[], {}, {"id": "1"}, 1])
async def test_a_question_that_is_not_named_by_text_is_not_answered(
    site: Actions, named: Json
) -> None:
    asked = await task_of(site, message("order"))
    answer = message("order", taskId=asked["id"], metadata={"yieldwire/question": named})

    assert await error_of(site, answer) == UNSUPPORTED


async def test_a_task_is_of_one_context(site: Actions) -> None:
    asked = await task_of(site, message("order", contextId="mine"))

    other = message("order", {"data": 3}, taskId=asked["id"], contextId="other")
    mine = message("order", {"data": 3}, taskId=asked["id"], contextId="mine")

    assert await error_of(site, other) == INVALID
    assert (await task_of(site, mine))["contextId"] == "mine"
