"""Questions to the people who use agents, by the messages of both generations of clients."""

from collections.abc import AsyncIterator

import pytest

from tests.dialects.test_mcp import FORMS, agents_world, first_of_2025, run_of
from tests.support.agent import STATELESS, Agent
from tests.support.world import ALICE, BOB, opened, wait_for_end
from yieldwire import Actions


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    async with opened(agents_world()) as actions:
        yield actions


async def test_a_question_ends_a_call_of_2026_and_the_next_one_continues(site: Actions) -> None:
    agent = Agent(site, ALICE, version=STATELESS, capabilities=FORMS)

    asked = await agent.result("tools/call", name="decide")
    ids, state = asked["inputRequests"], asked["requestState"]
    again = await agent.result("tools/call", name="decide", requestState=state)
    answers = {id_: {"action": "accept", "content": {"value": True}} for id_ in ids}
    done = await agent.result(
        "tools/call", name="decide", requestState=state, inputResponses={**answers, "9": {}}
    )
    repeated = await agent.result(
        "tools/call", name="decide", requestState=state, inputResponses=answers
    )

    assert asked["resultType"] == "input_required"
    assert again["inputRequests"] == ids
    assert done["structuredContent"] == repeated["structuredContent"] == {"value": True}


async def test_an_answer_of_2026_that_cannot_be_read_cancels_the_run(site: Actions) -> None:
    agent = Agent(site, ALICE, version=STATELESS, capabilities=FORMS)
    asked = await agent.result("tools/call", name="number")
    state = asked["requestState"]
    (id_,) = asked["inputRequests"]

    wrong = {id_: {"action": "accept", "content": {"value": "many"}}}
    told = await agent.result("tools/call", name="number", requestState=state, inputResponses=wrong)

    run = await run_of(site)
    await wait_for_end(site, run.id)
    assert told["isError"] is True
    assert (await run_of(site)).status == "cancelled"


async def test_a_person_who_declines_what_is_not_a_yes_or_no_stops_the_run(site: Actions) -> None:
    agent = Agent(site, ALICE, version=STATELESS, capabilities=FORMS)
    asked = await agent.result("tools/call", name="number")
    state = asked["requestState"]
    (id_,) = asked["inputRequests"]

    declined = {id_: {"action": "decline"}}
    told = await agent.result(
        "tools/call", name="number", requestState=state, inputResponses=declined
    )

    assert told["isError"] is True


async def test_a_state_is_of_one_tool_and_one_owner(site: Actions) -> None:
    agent = Agent(site, ALICE, version=STATELESS, capabilities=FORMS)
    asked = await agent.result("tools/call", name="decide")
    state = asked["requestState"]

    other = await agent.ask("tools/call", name="number", requestState=state)
    stolen = await Agent(site, BOB, version=STATELESS).result(
        "tools/call", name="decide", requestState=state
    )

    assert other["error"]["message"] == "The requestState is of another tool."
    assert stolen["_meta"]["yieldwire/error"]["code"] == "FORBIDDEN"


async def test_an_answer_that_cannot_be_read_cancels_the_run(site: Actions) -> None:
    agent = await first_of_2025(site, capabilities=FORMS)

    async with agent.asking("tools/call", name="number") as messages:
        asked = await anext(messages)
        answer = {"action": "accept", "content": {"value": "many"}}
        status = await agent.tell(id=asked["id"], result=answer)
        other = await agent.tell(id="another", result={})
        response = await anext(messages)

    assert asked["method"] == "elicitation/create"
    assert (status, other) == (422, 202)
    assert response["result"]["isError"] is True
