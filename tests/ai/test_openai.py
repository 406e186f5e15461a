"""OpenAI's own SDK against the local model."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, cast

import pytest
from openai import AsyncOpenAI
from openai.types.responses import ResponseErrorEvent, ResponseFailedEvent

from examples.local_model import response_of
from tests.ai.conftest import Model, SharedStore, until_failure
from tests.support.kept import kept
from yieldwire import Actions, Context, Retry, Timing
from yieldwire.ai import (
    Chunk,
    Custom,
    Finish,
    ModelFailed,
    ModelFile,
    Reasoning,
    SourceDocument,
    SourceURL,
    StepEnd,
    StepStart,
    ToolCall,
    ToolInput,
    Usage,
)
from yieldwire.ai.openai import ResponseEvents, background_chunks, chat_chunks, response_chunks
from yieldwire.errors import RunCancelled
from yieldwire.log.chunks import Text
from yieldwire.testing import MovingClock

PLAIN = [StepStart(), Reasoning("Hm."), Text("Jane "), Text("Austen"), Text(".")]
END = [Usage(12, 3), StepEnd(), Finish("stop")]


@pytest.fixture
async def client(model: Model) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(
        api_key="k", base_url="http://model/v1", http_client=model.http, max_retries=0
    ) as client:
        yield client


async def chat(client: AsyncOpenAI, prompt: str) -> AsyncIterator[Chunk]:
    stream = await client.chat.completions.create(
        model="local",
        messages=[{"role": "user", "content": prompt}],
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in chat_chunks(stream):
        yield chunk


async def respond(client: AsyncOpenAI, prompt: str) -> AsyncIterator[Chunk]:
    stream = await client.responses.create(model="local", input=prompt, stream=True)
    async for chunk in response_chunks(stream):
        yield chunk


Ask = Callable[[AsyncOpenAI, str], AsyncIterator[Chunk]]
both = pytest.mark.parametrize("ask", [chat, respond])


async def test_a_chat_completion_is_text_reasoning_usage_and_its_reason(
    client: AsyncOpenAI,
) -> None:
    chunks = [chunk async for chunk in chat(client, "Who wrote Emma?")]

    assert chunks == [*PLAIN, *END]


async def test_a_response_has_its_sources_too(client: AsyncOpenAI) -> None:
    chunks = [chunk async for chunk in respond(client, "Who wrote Emma?")]

    assert chunks == [*PLAIN, SourceURL("msg_1-0", "https://a.example/", "A page"), *END]


@both
async def test_a_tool_call_comes_piece_by_piece_and_then_whole(
    client: AsyncOpenAI, ask: Ask
) -> None:
    chunks = [chunk async for chunk in ask(client, "What is the weather?")]

    call = next(chunk for chunk in chunks if isinstance(chunk, ToolCall))
    pieces = [chunk.delta for chunk in chunks if isinstance(chunk, ToolInput)]
    assert (call.name, call.input) == ("weather", {"city": "Ely"})
    assert pieces == ["", '{"city":', '"Ely"}']
    assert chunks[-1] == Finish("tool-calls")


@both
async def test_an_answer_that_was_too_long_says_so(client: AsyncOpenAI, ask: Ask) -> None:
    chunks = [chunk async for chunk in ask(client, "Tell a long story.")]

    assert chunks[-1] == Finish("length")


@both
async def test_an_answer_that_breaks_off_is_never_a_whole_one(
    client: AsyncOpenAI, model: Model, ask: Ask
) -> None:
    model.cut_before(3)

    heard = await until_failure(ask(client, "Who wrote Emma?"))

    assert Text("Jane ") in heard
    assert not any(isinstance(chunk, Finish) for chunk in heard)


@both
async def test_a_stream_that_ends_too_early_is_never_a_whole_answer(
    client: AsyncOpenAI, model: Model, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("examples.local_model.LocalModel._paced", _only_the_head)

    with pytest.raises(ModelFailed, match="did not complete") as caught:
        async for _ in ask(client, "Who wrote Emma?"):
            pass

    assert caught.value.detail == "The stream ended before the answer did."


async def _only_the_head(server: object, frames: list[str], first: int) -> AsyncIterator[str]:
    for frame in frames[:3]:
        yield frame


@both
async def test_leaving_an_answer_closes_the_request(
    client: AsyncOpenAI, model: Model, ask: Ask
) -> None:
    model.hang_before(3)
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


class Background:
    """An application whose action answers in background mode; another worker can take over."""

    def __init__(self, client: AsyncOpenAI, retries: int | Retry = 0) -> None:
        self.clock = MovingClock()
        store, timing = SharedStore(clock=self.clock), Timing(sweep_every=3600.0, lease=0.3)
        self.actions = Actions(store=store, clock=self.clock, timing=timing)

        @self.actions.action(retries=retries)
        async def answer(ctx: Context) -> AsyncIterator[Chunk]:
            chunks = background_chunks(ctx, client, model="local", input="Who wrote Emma?")
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk

        self.action = answer


WHOLE = [
    {"type": "step-start"},
    {"type": "reasoning", "text": "Hm."},
    {"type": "text", "text": "Jane "},
    {"type": "text", "text": "Austen"},
    {"type": "text", "text": "."},
]


async def test_a_response_in_background_mode_is_asked_for_its_rest_after_a_cut(
    client: AsyncOpenAI, model: Model
) -> None:
    model.cut_before(4)
    world = Background(client, retries=Retry(1, backoff=0.0, on=[ModelFailed]))
    async with world.actions.lifespan():
        run = await world.actions.start(world.action)

        events = [event async for event in run.events()]

    assert [event.value for event in kept(events) if event.type == "chunk"][:5] == WHOLE
    assert [each.get("starting_after") for each in model.server.asked] == [None, 3]


async def test_a_response_in_background_mode_continues_after_its_worker_is_lost(
    client: AsyncOpenAI, model: Model
) -> None:
    model.hang_before(4)
    world = Background(client, retries=1)
    async with world.actions.lifespan():
        run = await world.actions.start(world.action)
        seen = 0
        async for event in run.events():
            seen += event.type == "chunk"
            if seen == len(WHOLE) - 1:
                break
        store = world.actions.app.store
        while not (await store.get(run.id)).saved_seq >= seen:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0)
        model.hang_before(100)

        world.clock.advance(60)  # longer than a lease
        await world.actions.app.sweep()
        events = [event async for event in run.events()]

    assert [event.value for event in kept(events) if event.type == "chunk"][:5] == WHOLE
    assert [each.get("starting_after") for each in model.server.asked] == [None, 3]
    assert model.server.cancelled == []


async def test_cancelling_the_run_cancels_its_response_in_background_mode(
    client: AsyncOpenAI, model: Model
) -> None:
    model.hang_before(3)
    world = Background(client)
    async with world.actions.lifespan():
        run = await world.actions.start(world.action)
        async for _ in run:
            await run.cancel()
            break

        with pytest.raises(RunCancelled, match="cancelled"):
            await run.result()

    assert model.server.cancelled == ["resp_1"]


async def test_a_later_attempt_repeats_nothing_of_a_response_that_has_ended(
    client: AsyncOpenAI, model: Model
) -> None:
    world = Background(client)

    @world.actions.action(retries=Retry(1, backoff=0.0, on=[OSError]))
    async def flaky(ctx: Context) -> AsyncIterator[Chunk]:
        async for chunk in background_chunks(ctx, client, model="local", input="Who?"):
            yield chunk
        if ctx.attempt == 1:
            raise OSError

    async with world.actions.lifespan():
        run = await world.actions.start(flaky)

        events = [event async for event in run.events()]

    texts = [event.value["text"] for event in kept(events) if b'"text"' in event.data]
    assert texts == ["Hm.", "Jane ", "Austen", "."]
    assert len(model.server.asked) == 1


def events_of(*events: dict[str, Any]) -> list[Chunk]:
    """Return the chunks of events that the local model does not send, built by the SDK."""
    from openai._models import construct_type  # noqa: PLC0415 - the SDK's own way to build events
    from openai.types.responses import ResponseStreamEvent  # noqa: PLC0415

    made = ResponseEvents()
    return [
        chunk
        for event in events
        for chunk in made.chunks(
            cast("Any", construct_type(type_=ResponseStreamEvent, value=event))
        )
    ]


def done(**item: object) -> dict[str, Any]:
    return {"type": "response.output_item.done", "output_index": 0, "item": {"id": "i", **item}}


def test_what_only_the_provider_has_is_a_custom_chunk() -> None:
    search = {"type": "web_search_call", "status": "completed"}

    chunks = events_of(done(**search))

    assert chunks == [Custom("openai.web_search_call", {"id": "i", **search})]


def test_a_picture_is_a_file_and_a_cited_file_a_document() -> None:
    cited = {"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 0}
    place = {"item_id": "m", "output_index": 0, "content_index": 0, "annotation_index": 1}

    chunks = events_of(
        done(type="image_generation_call", status="completed", result="AAAA"),
        {"type": "response.output_text.annotation.added", **place, "annotation": cited},
        {"type": "response.output_text.annotation.added", **place, "annotation": None},
        {"type": "response.reasoning_summary_part.added", "summary_index": 1},
    )

    assert chunks == [
        ModelFile("data:image/png;base64,AAAA", "image/png"),
        SourceDocument("m-1", "application/octet-stream", "a.pdf", "a.pdf"),
        Reasoning("\n\n"),
    ]


def test_a_custom_tool_gets_its_input_as_text() -> None:
    call = {"type": "custom_tool_call", "call_id": "c", "name": "shell", "input": "ls"}

    chunks = events_of(
        {"type": "response.output_item.added", "output_index": 0, "item": {"id": "i", **call}},
        {"type": "response.custom_tool_call_input.delta", "item_id": "i", "delta": "ls"},
        done(**call),
    )

    assert chunks == [
        ToolInput("c", "shell", ""),
        ToolInput("c", "shell", "ls"),
        ToolCall("c", "shell", "ls"),
    ]


@pytest.mark.parametrize(
    "event",
    [
        ResponseFailedEvent.model_validate(
            {
                "type": "response.failed",
                "sequence_number": 1,
                "response": response_of(
                    "r", "failed", error={"code": "server_error", "message": "secret"}
                ),
            }
        ),
        ResponseErrorEvent(type="error", message="secret", sequence_number=1),
    ],
)
def test_a_response_that_fails_raises_without_what_the_provider_said(
    event: ResponseFailedEvent | ResponseErrorEvent,
) -> None:
    with pytest.raises(ModelFailed, match="Try again") as caught:
        list(ResponseEvents().chunks(event))

    assert (caught.value.detail, "secret" in str(caught.value)) == ("secret", False)
