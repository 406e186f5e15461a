"""The feature planner, with OpenAI's own SDK and the model that needs no key."""

from collections.abc import AsyncIterator

import pytest

from examples import feature_planner
from tests.support.calls import Call, get, send
from yieldwire import ActionError, Actions


@pytest.fixture
async def actions(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Actions]:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(feature_planner, "PACE", 0.0)
    application = Actions()
    application.include(feature_planner.actions)
    async with application.lifespan():
        yield application


async def test_a_plan_is_text_then_suggestions_one_by_one_and_what_it_took(
    actions: Actions,
) -> None:
    run = await actions.start(feature_planner.plan_feature, page="/pricing")

    chunks = [chunk async for chunk in run]
    plan = await run.result()

    text = "".join(chunk["text"] for chunk in chunks if chunk["type"] == "text")
    found = [chunk["data"]["title"] for chunk in chunks if chunk["type"] == "data"]
    assert text.startswith("Visitors compare before they buy.")
    assert found == ["A price calculator", "Yearly billing", "A comparison with others"]
    assert [each.title for each in plan.suggestions] == found
    assert (plan.usage.input_tokens, plan.usage.output_tokens) == (58 + 93, 31 + 74)
    assert plan.seconds >= 0


async def test_a_plan_is_started_by_one_request_and_read_by_another(actions: Actions) -> None:
    headers = [("content-type", "application/json"), ("prefer", "respond-async")]
    start = Call(method="POST", target="/plan_feature", headers=headers, body=[b"{}"])

    accepted = await send(actions, start)
    events = await send(actions, get(accepted.headers["location"] + "/events"))

    assert accepted.status == 202
    assert b"A price calculator" in events.body
    assert b"event: done" in events.body


async def test_a_model_that_does_not_keep_to_the_format_fails_the_plan(
    actions: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_planner, "SUGGESTIONS", ("Sure! Here you go:",))
    run = await actions.start(feature_planner.plan_feature)

    with pytest.raises(ActionError, match="did not complete"):
        await run.result()
