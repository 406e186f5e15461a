"""Pydantic AI's agents, over OpenAI's SDK, against the local model."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI
from pydantic_ai import Agent, AgentStreamEvent, BinaryContent, ModelRetry
from pydantic_ai.messages import (
    FilePart,
    FunctionToolResultEvent,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
    ToolReturnPart,
)
from pydantic_ai.models.openai import OpenAIResponsesModel
from pydantic_ai.providers.openai import OpenAIProvider

from tests.ai.conftest import Model, until_failure
from yieldwire import Actions, Result
from yieldwire.ai import (
    Chunk,
    Finish,
    ModelFailed,
    ModelFile,
    Reasoning,
    StepEnd,
    StepStart,
    ToolCall,
    ToolError,
    ToolInput,
    ToolOutput,
    Usage,
)
from yieldwire.ai.pydantic_ai import agent_chunks
from yieldwire.errors import RunCancelled
from yieldwire.log.chunks import Text


@pytest.fixture
async def agent(model: Model) -> AsyncIterator[Agent[None, str]]:
    async with AsyncOpenAI(
        api_key="k", base_url="http://model/v1", http_client=model.http, max_retries=0
    ) as client:
        provider = OpenAIProvider(openai_client=client)
        agent = Agent(OpenAIResponsesModel("local", provider=provider))

        @agent.tool_plain
        def weather(city: str) -> str:
            if city != "Ely":
                raise ModelRetry("Unknown.")
            return "rain"

        yield agent


async def asked(agent: Agent[None, str], prompt: str) -> AsyncIterator[Chunk]:
    async with agent.run_stream_events(prompt) as events:
        async for chunk in agent_chunks(events):
            yield chunk


async def test_an_agents_tools_are_in_a_step_and_its_answer_in_the_next(
    agent: Agent[None, str],
) -> None:
    chunks = [chunk async for chunk in asked(agent, "What is the weather?")]

    assert chunks == [
        StepStart(),
        Reasoning("A "),
        Reasoning("tool."),
        ToolInput("call_resp_1", "weather", ""),
        ToolInput("call_resp_1", "weather", '{"city":'),
        ToolInput("call_resp_1", "weather", '"Ely"}'),
        ToolCall("call_resp_1", "weather", {"city": "Ely"}),
        ToolOutput("call_resp_1", "rain"),
        StepEnd(),
        StepStart(),
        Text("It "),
        Text("rains."),
        Usage(32, 7),
        StepEnd(),
        Finish("stop"),
    ]


async def test_leaving_an_agent_closes_its_request(agent: Agent[None, str], model: Model) -> None:
    model.hang_before(3)
    actions = Actions()

    @actions.action
    async def answer() -> AsyncIterator[Chunk | Result[str]]:
        async with agent.run_stream_events("Who wrote Emma?") as events:
            async for chunk in agent_chunks(events):
                yield chunk
            yield Result("never")

    async with actions.lifespan():
        run = await actions.start(answer)
        async for _ in run:
            await run.cancel()
            break

        async with asyncio.timeout(1):
            await model.closed.wait()
        with pytest.raises(RunCancelled, match="cancelled"):
            await run.result()


async def test_an_answer_that_breaks_off_is_never_a_whole_one(
    agent: Agent[None, str], model: Model
) -> None:
    model.cut_before(4)

    with pytest.raises(ModelFailed, match="did not complete"):
        async for _ in asked(agent, "Who wrote Emma?"):
            pass


async def of(*events: AgentStreamEvent) -> AsyncIterator[AgentStreamEvent]:
    for event in events:
        yield event


async def test_the_parts_that_the_local_model_does_not_send_are_chunks_too() -> None:
    picture = BinaryContent(data=b"\0\0\0", media_type="image/png")
    failed = ToolReturnPart("weather", "Unknown.", "c", outcome="failed")
    events = of(
        PartStartEvent(index=0, part=TextPart("A")),
        PartDeltaEvent(index=0, delta=TextPartDelta("")),
        PartStartEvent(index=1, part=ThinkingPart("B")),
        PartDeltaEvent(index=1, delta=ThinkingPartDelta(content_delta=None)),
        PartStartEvent(index=2, part=FilePart(picture)),
        PartStartEvent(index=3, part=ToolCallPart("weather", {"x": 1}, "c")),
        PartDeltaEvent(index=3, delta=ToolCallPartDelta(args_delta={"y": 2})),
        PartEndEvent(index=3, part=ToolCallPart("weather", {"x": 1, "y": 2}, "c")),
        FunctionToolResultEvent(failed),
        PartStartEvent(index=0, part=NativeToolReturnPart("search", ["D"], "d")),
    )

    heard = await until_failure(agent_chunks(events))

    assert heard == [
        StepStart(),
        Text("A"),
        Reasoning("B"),
        ModelFile("data:image/png;base64,AAAA", "image/png"),
        ToolInput("c", "weather", '{"x": 1}'),
        ToolInput("c", "weather", '{"y": 2}'),
        ToolCall("c", "weather", {"x": 1, "y": 2}),
        ToolError("c", "Unknown."),
        StepEnd(),
        StepStart(),
        ToolOutput("d", ["D"]),
    ]
