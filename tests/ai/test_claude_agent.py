"""The Claude Agent SDK, with the program that it brings, against the local model."""

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, cast

import pytest
from claude_agent_sdk import (
    AssistantMessage,
    ClaudeAgentOptions,
    ClaudeSDKClient,
    CLIConnectionError,
    ResultMessage,
    TextBlock,
    ThinkingBlock,
    ToolResultBlock,
    ToolUseBlock,
    UserMessage,
    create_sdk_mcp_server,
    tool,
)

from examples.local_model import Answer, LocalModel
from tests.ai.conftest import script
from tests.conftest import Serve
from yieldwire import Actions
from yieldwire.ai import (
    Chunk,
    Finish,
    ModelFailed,
    Reasoning,
    StepEnd,
    StepStart,
    ToolCall,
    ToolError,
    ToolOutput,
    Usage,
)
from yieldwire.ai.claude_agent import agent_chunks
from yieldwire.errors import RunCancelled
from yieldwire.log.chunks import Text

TOOL = "mcp__desk__weather"


@tool("weather", "The weather in a city.", {"city": str})
async def weather(given: dict[str, Any]) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": f"rain in {given['city']}"}]}


def say(asked: dict[str, Any]) -> Answer:
    answer = script(asked)
    return Answer(tool=TOOL, tool_input=answer.tool_input) if answer.tool else answer


@pytest.fixture
def server() -> LocalModel:
    return LocalModel(answer=say)


@pytest.fixture
def options(server: LocalModel, serve: Serve, tmp_path: Path) -> ClaudeAgentOptions:
    return ClaudeAgentOptions(
        env={
            "HOME": str(tmp_path),
            "CLAUDE_CONFIG_DIR": str(tmp_path),
            "ANTHROPIC_BASE_URL": serve(server.app).url,
            "ANTHROPIC_API_KEY": "k",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        },
        cwd=tmp_path,
        model="local",
        system_prompt="Answer.",
        setting_sources=[],
        tools=[],
        mcp_servers={"desk": create_sdk_mcp_server("desk", tools=[weather])},
        allowed_tools=[TOOL],
        include_partial_messages=True,
        stderr=lambda line: None,
    )


async def asked(options: ClaudeAgentOptions, prompt: str) -> AsyncGenerator[Chunk]:
    async with ClaudeSDKClient(options) as client:
        await client.query(prompt)
        async with aclosing(agent_chunks(client)) as chunks:
            async for chunk in chunks:
                yield chunk


async def end_what_the_sdk_left() -> None:
    """Let the SDK's own generators end, which it leaves to the garbage collector."""
    gc.collect()
    async with asyncio.timeout(10):
        while len(asyncio.all_tasks()) > 1:  # noqa: ASYNC110 - nobody tells when they end
            await asyncio.sleep(0)


async def test_an_agents_text_comes_piece_by_piece_and_its_tools_with_their_outputs(
    options: ClaudeAgentOptions,
) -> None:
    chunks = [chunk async for chunk in asked(options, "What is the weather?")]

    call = next(chunk for chunk in chunks if isinstance(chunk, ToolCall))
    output = next(chunk for chunk in chunks if isinstance(chunk, ToolOutput))
    assert (call.name, call.input, output.id) == (TOOL, {"city": "Ely"}, call.id)
    assert "rain in Ely" in str(output.output)
    assert chunks.index(call) < chunks.index(output)
    assert chunks[-6:] == [
        StepStart(),
        Text("It "),
        Text("rains."),
        StepEnd(),
        Usage(32, 7),
        Finish("stop"),
    ]


@pytest.mark.filterwarnings("ignore:Unclosed <MemoryObject:ResourceWarning")
async def test_leaving_an_agent_closes_its_request_to_the_model(
    options: ClaudeAgentOptions, server: LocalModel
) -> None:
    closed = threading.Event()
    actions = Actions()

    async def pause(n: int) -> None:
        if n == 8:
            await asyncio.Event().wait()

    server.pause, server.closed = pause, closed.set

    @actions.action
    async def answer() -> AsyncIterator[Chunk]:
        async with aclosing(asked(options, "Who wrote Emma?")) as chunks:
            async for chunk in chunks:
                yield chunk

    async with actions.lifespan():
        run = await actions.start(answer)
        async for chunk in run:
            if chunk == {"type": "text", "text": "Jane "}:
                await run.cancel()
                break

        assert await asyncio.to_thread(closed.wait, 1)
        with pytest.raises(RunCancelled, match="cancelled"):
            await run.result()
    await end_what_the_sdk_left()


class Said:
    """A client whose agent says these messages."""

    def __init__(self, *messages: object) -> None:
        self._messages = messages

    async def receive_response(self) -> AsyncIterator[object]:
        for message in self._messages:
            yield message

    async def interrupt(self) -> None:
        raise CLIConnectionError


def of(*messages: object) -> ClaudeSDKClient:
    return cast("ClaudeSDKClient", Said(*messages))


def ended(**other: object) -> ResultMessage:
    return ResultMessage(
        subtype="success",
        duration_ms=1,
        duration_api_ms=1,
        num_turns=1,
        session_id="s",
        **cast("Any", {"is_error": False, "stop_reason": "end_turn", **other}),
    )


async def test_whole_messages_are_a_step_each() -> None:
    call = ToolUseBlock("c", "weather", {"city": "Ely"})
    usage = {"input_tokens": 1, "cache_read_input_tokens": 2, "output_tokens": 4}
    messages = of(
        AssistantMessage([ThinkingBlock("Hm.", "")], "local", message_id="1"),
        AssistantMessage([call], "local", message_id="1"),
        UserMessage([ToolResultBlock("c", "rain")]),
        UserMessage("and"),
        AssistantMessage([TextBlock("No.")], "local", message_id="x", parent_tool_use_id="c"),
        AssistantMessage([TextBlock("It rains.")], "local", message_id="2"),
        UserMessage([TextBlock("so"), ToolResultBlock("c", [], is_error=True)]),
        ended(usage=usage),
    )

    chunks = [chunk async for chunk in agent_chunks(messages)]

    assert chunks == [
        StepStart(),
        Reasoning("Hm."),
        ToolCall("c", "weather", {"city": "Ely"}),
        ToolOutput("c", "rain"),
        StepEnd(),
        StepStart(),
        Text("It rains."),
        ToolError("c", "The tool failed."),
        StepEnd(),
        Usage(3, 4, 2),
        Finish("stop"),
    ]


@pytest.mark.parametrize("messages", [(), (ended(is_error=True, result="secret"),)])
async def test_an_agent_that_fails_or_stops_too_early_never_looks_complete(
    messages: tuple[Any, ...],
) -> None:
    with pytest.raises(ModelFailed, match="did not complete") as caught:
        async for _ in agent_chunks(of(*messages)):
            pass

    assert "secret" not in str(caught.value)
