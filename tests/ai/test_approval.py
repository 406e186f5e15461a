import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.support.virtual import VirtualLoop, run_virtually
from yieldwire import Actions, Context, Text
from yieldwire.ai import Approval, Chunk, ToolCall, ToolOutput, approve
from yieldwire.clock import Clock

CALL = ToolCall("call_1", "delete", {"path": "x"})


def application(clock: Clock | None = None) -> Actions:
    actions = Actions(clock=clock)

    @actions.action(asks=Approval)
    async def tidy(ctx: Context, timeout: float | None = None) -> AsyncIterator[Chunk]:
        yield CALL
        answer = await approve(ctx, CALL, timeout=timeout)
        yield ToolOutput(CALL.id, answer.approved)
        yield Text(answer.reason or "")

    return actions


@pytest.mark.parametrize("is_approved", [True, False])
async def test_a_tool_is_called_only_if_a_person_approves_it(*, is_approved: bool) -> None:
    actions = application()
    async with actions.lifespan():
        run = await actions.start(actions.app.registry.action_named("tidy"))
        questions = []

        async for event in run.events():
            if event.type == "question":
                questions.append(event.value)
                await run.answer(CALL.id, {"approved": is_approved, "reason": "Because."})
        outputs = [chunk async for chunk in run if chunk["type"] == "tool-output"]

    call = {"id": "call_1", "name": "delete", "input": {"path": "x"}}
    assert [each["detail"] for each in questions] == [{"toolCall": call}]
    assert [each["output"] for each in outputs] == [is_approved]


def test_nobody_who_answers_in_time_is_a_no() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualLoop)
        actions = application(loop.clock)
        async with actions.lifespan():
            tidy = actions.app.registry.action_named("tidy")
            run = await actions.start(tidy, {"timeout": 60})

            chunks = [chunk async for chunk in run]

        assert chunks[-1] == {"type": "text", "text": "Nobody answered in time."}

    run_virtually(story())
