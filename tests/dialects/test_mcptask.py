"""Tasks, by the messages of both generations of clients."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.support.agent import META, STATELESS, Agent
from tests.support.world import ALICE, BOB, NOBODY, opened, wait_for_end, world
from yieldwire import ActionError, Actions, Context, Progress, Result
from yieldwire.dialects import MCP

ABLE: Final[dict[str, Any]] = {
    "elicitation": {"form": {}},
    "extensions": {f"{META}tasks": {}},
}
YES: Final = {"action": "accept", "content": {"value": True}}


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    actions = world()

    @actions.action(asks=bool)
    async def decide(ctx: Context) -> AsyncIterator[Progress | Result[bool]]:
        yield Progress(1, total=4, message="looked")
        yield Result(await ctx.ask(bool, "Continue?"))

    @actions.action
    async def refuse() -> int:
        raise ActionError("REFUSED", "Not today.")

    actions.mount(MCP())
    async with opened(actions) as opened_:
        yield opened_


async def of_2025(site: Actions, headers: Any = ALICE) -> Agent:  # noqa: ANN401 - fields
    agent = Agent(site, headers, capabilities=ABLE)
    await agent.begin()
    return agent


async def state_when(agent: Agent, task: str, status: str) -> Any:  # noqa: ANN401 - JSON
    """Poll until a task has a status, and return its state."""
    while (state := await agent.result("tasks/get", taskId=task))["status"] != status:
        pass
    return state


async def test_a_call_becomes_a_task_that_says_how_far_it_is(site: Actions) -> None:
    agent = await of_2025(site)

    created = (await agent.result("tools/call", name="wait", task={"ttl": 1000}))["task"]
    state = await agent.result("tasks/get", taskId=created["taskId"])

    assert created["status"] == state["status"] == "working"
    assert (state["ttl"], state["pollInterval"]) == (None, 1000)
    assert state["createdAt"] <= state["lastUpdatedAt"]


async def test_a_task_of_2025_asks_in_the_stream_of_its_result(site: Actions) -> None:
    agent = await of_2025(site)
    task = (await agent.result("tools/call", name="decide", task={}))["task"]["taskId"]
    state = await state_when(agent, task, "input_required")

    async with agent.asking("tasks/result", taskId=task) as messages:
        asked = await anext(messages)
        await agent.tell(id=asked["id"], result=YES)
        response = await anext(messages)
    again = await agent.messages("tasks/result", taskId=task)

    assert state["statusMessage"] == "Continue?"
    assert response["result"]["structuredContent"] == {"value": True}
    assert again[-1]["result"] == response["result"]
    assert len(again) == 1  # a question that is answered is not asked again


async def test_a_task_of_2026_has_questions_and_the_result_in_its_state(site: Actions) -> None:
    agent = Agent(site, ALICE, version=STATELESS, capabilities=ABLE)

    created = await agent.result("tools/call", name="decide")
    task = created["taskId"]
    state = await state_when(agent, task, "input_required")
    await agent.result("tasks/update", taskId=task, inputResponses={"9": YES})
    (id_,) = state["inputRequests"]
    await agent.result("tasks/update", taskId=task, inputResponses={id_: YES})
    done = await state_when(agent, task, "completed")

    assert (created["resultType"], created["ttlMs"]) == ("task", None)
    assert state["inputRequests"][id_]["method"] == "elicitation/create"
    assert done["result"]["structuredContent"] == {"value": True}
    assert done["statusMessage"] == "25 % looked"


async def test_an_answer_of_the_wrong_type_leaves_the_question_open(site: Actions) -> None:
    agent = Agent(site, ALICE, version=STATELESS, capabilities=ABLE)
    task = (await agent.result("tools/call", name="decide"))["taskId"]
    (id_,) = (await state_when(agent, task, "input_required"))["inputRequests"]

    wrong = {id_: {"action": "accept", "content": {"value": "perhaps"}}}
    refused = await agent.ask("tasks/update", taskId=task, inputResponses=wrong)
    state = await agent.result("tasks/get", taskId=task)

    assert refused["error"]["data"]["code"] == "VALIDATION_ERROR"
    assert state["status"] == "input_required"


async def test_a_task_that_fails_is_failed_in_2025_and_has_a_result_in_2026(site: Actions) -> None:
    first = await of_2025(site)
    second = Agent(site, ALICE, version=STATELESS, capabilities=ABLE)

    one = (await first.result("tools/call", name="refuse", task={}))["task"]["taskId"]
    two = (await second.result("tools/call", name="refuse"))["taskId"]
    failed = await state_when(first, one, "failed")
    completed = await state_when(second, two, "completed")

    assert failed["statusMessage"] == "Not today."
    assert completed["result"]["isError"] is True


async def test_a_cancelled_task_stays_cancelled(site: Actions) -> None:
    agent = await of_2025(site)
    task = (await agent.result("tools/call", name="wait", task={}))["task"]["taskId"]

    cancelled = await agent.result("tasks/cancel", taskId=task)
    await wait_for_end(site, task)
    state = await agent.result("tasks/get", taskId=task)
    again = await agent.ask("tasks/cancel", taskId=task)
    modern = Agent(site, ALICE, version=STATELESS, capabilities=ABLE)
    acknowledged = await modern.result("tasks/cancel", taskId=task)

    assert cancelled["status"] == state["status"] == "cancelled"
    assert again["error"]["message"] == "The task has ended."
    assert acknowledged == {"resultType": "complete"}


async def test_a_cancel_of_the_request_does_not_stop_its_task(site: Actions) -> None:
    agent = await of_2025(site)
    task = (await agent.result("tools/call", name="wait", task={}))["task"]["taskId"]

    await agent.tell(method="notifications/cancelled", params={"requestId": 1})

    assert (await agent.result("tasks/get", taskId=task))["status"] == "working"


@pytest.mark.parametrize("headers", [ALICE, NOBODY])
async def test_tasks_are_listed_to_who_started_them(site: Actions, headers: Any) -> None:  # noqa: ANN401
    agent, other = await of_2025(site, headers), await of_2025(site, BOB)
    called = [await agent.result("tools/call", name="add", task={}, arguments={"a": 1, "b": 2})]
    await agent.result("tools/call", name="add", arguments={"a": 1, "b": 2})

    listed = await agent.result("tasks/list")
    elsewhere = await (await of_2025(site, headers)).result("tasks/list")

    ids = [each["task"]["taskId"] for each in called]
    assert [task["taskId"] for task in listed["tasks"]] == ids
    assert (await other.result("tasks/list"))["tasks"] == []
    # Another session of somebody who is known has the same tasks.
    assert len(elsewhere["tasks"]) == (1 if headers else 0)


async def test_tasks_of_nobody_in_particular_are_listed_to_nobody(site: Actions) -> None:
    modern = Agent(site, NOBODY, version=STATELESS, capabilities=ABLE)
    await modern.result("tools/call", name="wait")
    nameless = Agent(site, NOBODY)
    created = await nameless.result("tools/call", name="wait", task={})

    listed = await Agent(site, NOBODY).result("tasks/list")

    assert created["task"]["status"] == "working"
    assert listed == {"tasks": []}


async def test_a_long_list_has_pages(site: Actions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("yieldwire.dialects.mcptask._PAGE", 2)
    agent = await of_2025(site)
    for _ in range(3):
        await agent.result("tools/call", name="add", task={}, arguments={"a": 1, "b": 2})

    first = await agent.result("tasks/list")
    second = await agent.result("tasks/list", cursor=first["nextCursor"])

    assert [len(first["tasks"]), len(second["tasks"])] == [2, 1]
    assert "nextCursor" not in second


async def test_a_run_that_is_not_a_task_is_not_one(site: Actions) -> None:
    agent = await of_2025(site)
    said = await agent.result("tools/call", name="say")

    told = await agent.ask("tasks/get", taskId=said["_meta"]["yieldwire/run"])

    assert told["error"]["message"] == "There is no such task."
