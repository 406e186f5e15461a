"""Anthropic's own SDK against the local model."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from anthropic import AsyncAnthropic

from tests.ai.conftest import Model, until_failure
from yieldwire import Actions
from yieldwire.ai import (
    Chunk,
    Custom,
    Finish,
    ModelFailed,
    Reasoning,
    SourceDocument,
    SourceURL,
    StepEnd,
    StepStart,
    ToolCall,
    ToolInput,
    Usage,
)
from yieldwire.ai.anthropic import MessageEvents, message_chunks
from yieldwire.errors import RunCancelled
from yieldwire.log.chunks import Text

WHOLE = [
    StepStart(),
    Reasoning("Hm."),
    Text("Jane "),
    Text("Austen"),
    Text("."),
    Usage(12, 3),
    StepEnd(),
    Finish("stop"),
]


@pytest.fixture
async def client(model: Model) -> AsyncIterator[AsyncAnthropic]:
    async with AsyncAnthropic(
        api_key="k", base_url="http://model", http_client=model.http, max_retries=0
    ) as client:
        yield client


async def create(client: AsyncAnthropic, prompt: str) -> AsyncIterator[Chunk]:
    stream = await client.messages.create(
        model="local",
        max_tokens=100,
        messages=[{"role": "user", "content": prompt}],
        stream=True,
    )
    async for chunk in message_chunks(stream):
        yield chunk


async def stream(client: AsyncAnthropic, prompt: str) -> AsyncIterator[Chunk]:
    async with client.messages.stream(
        model="local", max_tokens=100, messages=[{"role": "user", "content": prompt}]
    ) as events:
        async for chunk in message_chunks(events):
            yield chunk


Ask = Callable[[AsyncAnthropic, str], AsyncIterator[Chunk]]
both = pytest.mark.parametrize("ask", [create, stream])


@both
async def test_a_message_is_text_reasoning_usage_and_its_reason(
    client: AsyncAnthropic, ask: Ask
) -> None:
    chunks = [chunk async for chunk in ask(client, "Who wrote Emma?")]

    assert chunks == WHOLE


@both
async def test_a_tool_call_comes_piece_by_piece_and_then_whole(
    client: AsyncAnthropic, ask: Ask
) -> None:
    chunks = [chunk async for chunk in ask(client, "What is the weather?")]

    assert chunks[3:7] == [
        ToolInput("toolu_msg_1", "weather", ""),
        ToolInput("toolu_msg_1", "weather", '{"city":'),
        ToolInput("toolu_msg_1", "weather", '"Ely"}'),
        ToolCall("toolu_msg_1", "weather", {"city": "Ely"}),
    ]
    assert chunks[-1] == Finish("tool-calls")


@both
async def test_a_message_that_breaks_off_is_never_a_whole_one(
    client: AsyncAnthropic, model: Model, ask: Ask
) -> None:
    model.cut_before(8)

    heard = await until_failure(ask(client, "Who wrote Emma?"))

    assert Text("Jane ") in heard
    assert not any(isinstance(chunk, Finish) for chunk in heard)


@both
async def test_leaving_a_message_closes_the_request(
    client: AsyncAnthropic, model: Model, ask: Ask
) -> None:
    model.hang_before(8)
    actions = Actions()

    @actions.action
    async def answer() -> AsyncIterator[Chunk]:
        async for chunk in ask(client, "Who wrote Emma?"):
            yield chunk

    async with actions.lifespan():
        run = await actions.start(answer)
        async for _ in run:
            await run.cancel()
            break

        async with asyncio.timeout(1):
            await model.closed.wait()
        with pytest.raises(RunCancelled, match="cancelled"):
            await run.result()


def events_of(*events: dict[str, Any]) -> list[Chunk]:
    made = MessageEvents()
    return [chunk for event in events for chunk in made.chunks(event)]


def grown(**delta: object) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": delta}


def test_what_a_text_cites_is_a_source_or_a_document() -> None:
    page = {"type": "web_search_result_location", "url": "https://a.example/", "title": "A"}
    paper = {"type": "page_location", "document_title": "B"}

    chunks = events_of(
        grown(type="citations_delta", citation=page), grown(type="citations_delta", citation=paper)
    )

    assert chunks == [
        SourceURL("source-1", "https://a.example/", "A"),
        SourceDocument("source-2", "application/pdf", "B"),
    ]


def test_what_only_the_provider_has_is_a_custom_chunk() -> None:
    search = {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}

    chunks = events_of({"type": "content_block_start", "index": 0, "content_block": search})

    assert chunks == [Custom("anthropic.server_tool_use", search)]


def test_the_input_tokens_include_those_of_the_cache() -> None:
    usage = {"input_tokens": 1, "cache_read_input_tokens": 2, "cache_creation_input_tokens": 4}

    chunks = events_of(
        {"type": "message_start", "message": {"usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "A"}},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": 8, "output_tokens_details": {"thinking_tokens": 3}},
        },
        {"type": "message_stop"},
        {"type": "ping"},
        grown(type="signature_delta", signature="x"),
    )

    assert chunks == [StepStart(), Text("A"), Usage(7, 8, 2, 3), StepEnd()]


def test_an_error_in_the_stream_raises_without_what_the_provider_said() -> None:
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "secret"}}

    with pytest.raises(ModelFailed, match="Try again") as caught:
        events_of(error)

    assert (caught.value.detail, "secret" in str(caught.value)) == ("secret", False)
