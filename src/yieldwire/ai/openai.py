"""Chunks of the answers of OpenAI's SDK: chat completions, and the Responses API."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from yieldwire.actions.context import Context
from yieldwire.ai.chunks import (
    Chunk,
    Custom,
    Finish,
    FinishReason,
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
from yieldwire.ai.failure import ModelFailed, answering, broke_off
from yieldwire.ai.toolcalls import ToolCalls, parsed_call
from yieldwire.errors import Json
from yieldwire.executors.attempt import GONE, INTERRUPTED, LOST, RELEASED
from yieldwire.log.chunks import Text

if TYPE_CHECKING:
    from openai import AsyncOpenAI, AsyncStream
    from openai.types import CompletionUsage
    from openai.types.chat import ChatCompletionChunk
    from openai.types.chat.chat_completion_chunk import Choice
    from openai.types.responses import (
        Response,
        ResponseOutputItem,
        ResponseOutputTextAnnotationAddedEvent,
        ResponseStreamEvent,
    )

CLOSING: Final = 5.0
"""Seconds that a request to stop a response can take, while the run waits."""
_REASONS: Final[dict[str, FinishReason]] = {
    "stop": "stop",
    "length": "length",
    "max_output_tokens": "length",
    "content_filter": "content-filter",
    "tool_calls": "tool-calls",
    "function_call": "tool-calls",
}


def _errors() -> tuple[type[Exception], ...]:
    from openai import OpenAIError  # noqa: PLC0415 - an extra, which takes a second to import

    return (OpenAIError,)


async def chat_chunks(stream: "AsyncStream[ChatCompletionChunk]") -> AsyncGenerator[Chunk]:
    """Yield the chunks of a chat completion: one step, which ends with its usage and its reason.

    Only the first choice counts. Pass ``stream_options={"include_usage": True}`` to
    ``client.chat.completions.create`` for the usage. Servers that speak the same protocol and
    send ``reasoning_content`` are understood too. The request is closed when this is left.

    Raises:
        ModelFailed: If the stream ends before the answer.
    """
    calls, reason, usage = ToolCalls(), "", None
    with answering(*_errors()):
        async with stream:
            yield StepStart()
            async for part in stream:
                usage = part.usage or usage
                for choice in part.choices[:1]:
                    for chunk in _choice_chunks(choice, calls):
                        yield chunk
                    reason = choice.finish_reason or reason
    if not reason:
        raise broke_off()
    for call in calls.end_all():
        yield call
    if usage is not None:
        yield _chat_usage(usage)
    yield StepEnd()
    yield Finish(_REASONS.get(reason, "other"))


def _choice_chunks(choice: "Choice", calls: ToolCalls) -> Iterator[Chunk]:
    delta = choice.delta
    if reasoning := getattr(delta, "reasoning_content", None):
        yield Reasoning(reasoning)
    if text := delta.content or delta.refusal:
        yield Text(text)
    for call in delta.tool_calls or ():
        function = call.function
        if call.id and function is not None and function.name:
            yield calls.start(call.index, call.id, function.name)
        piece = calls.add(call.index, (function and function.arguments) or "")
        if piece is not None:
            yield piece


def _chat_usage(usage: "CompletionUsage") -> Usage:
    given, made = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        usage.prompt_tokens,
        usage.completion_tokens,
        (given and given.cached_tokens) or 0,
        (made and made.reasoning_tokens) or 0,
    )


async def response_chunks(stream: "AsyncStream[ResponseStreamEvent]") -> AsyncGenerator[Chunk]:
    """Yield the chunks of a response: one step, which ends with its usage and its reason.

    The request is closed when this is left.

    Raises:
        ModelFailed: If the response fails, or the stream ends before it.
    """
    events = ResponseEvents()
    with answering(*_errors()):
        async with stream:
            async for event in stream:
                for chunk in events.chunks(event):
                    yield chunk
    if not events.has_ended:
        raise broke_off()


async def background_chunks(
    ctx: Context, client: "AsyncOpenAI", **request: Json
) -> AsyncGenerator[Chunk]:
    """Create a response in background mode, and yield its chunks, over restarts of this process.

    The response and how far it was read are the run's saved place, so the action must not call
    ``ctx.save`` itself. A later attempt asks for the events after that place: nothing is generated
    twice, and no chunk is twice in the log. If the process is lost before the first event is
    stored, the later attempt creates another response. Give the action ``retries=``, so that
    there is a later attempt after a lost connection too.

    If the run is cancelled, the response is cancelled; if its work moves to another process, the
    response continues.

    Args:
        ctx: The run's context.
        client: The client; it also asks for the rest.
        **request: As for ``client.responses.create``, without ``stream`` and ``background``.

    Raises:
        ModelFailed: If the response fails, or the stream ends before it.
    """
    place = _Place(ctx.saved)
    if place.has_ended:
        return
    events = ResponseEvents(place.calls)
    try:
        with answering(*_errors()):
            async with await _open(client, place, request) as stream:
                async for event in stream:
                    for chunk in events.chunks(event):
                        yield chunk
                    place.id, place.after = events.id or place.id, event.sequence_number
                    place.has_ended = events.has_ended
                    ctx.save(place.saved())
        if not events.has_ended:
            raise broke_off()
    finally:
        id_ = events.id or place.id
        if id_ and not events.has_ended and _must_stop(ctx):
            with suppress(Exception):  # the run ends in any case, and the response by itself
                async with asyncio.timeout(CLOSING):
                    await client.responses.cancel(id_)


def _must_stop(ctx: Context) -> bool:
    reason = ctx.running.cancel_reason if ctx.running else None
    return reason is not None and reason not in {GONE, INTERRUPTED, LOST, RELEASED}


async def _open(
    client: "AsyncOpenAI", place: "_Place", request: dict[str, Json]
) -> "AsyncStream[ResponseStreamEvent]":
    if place.id:
        return await client.responses.retrieve(place.id, stream=True, starting_after=place.after)
    stream: AsyncStream[ResponseStreamEvent] = await client.responses.create(
        **request, stream=True, background=True
    )
    return stream


class _Place:
    """How far a response in background mode was read."""

    def __init__(self, saved: Json) -> None:
        known: dict[str, Any] = saved or {}
        self.id: str = known.get("response", "")
        self.after: int = known.get("after", 0)
        self.calls: dict[str, list[str]] = known.get("calls", {})
        self.has_ended: bool = known.get("ended", False)

    def saved(self) -> Json:
        return {
            "response": self.id,
            "after": self.after,
            "calls": self.calls,
            "ended": self.has_ended,
        }


class ResponseEvents:
    """Turns the events of one response into chunks.

    ``calls`` has the id and the name of each tool call by the id of its item; what it contains is
    all that has to be kept to continue in the middle.
    """

    def __init__(self, calls: dict[str, list[str]] | None = None) -> None:
        self._calls: Final = {} if calls is None else calls
        self.id: str = ""
        self.has_ended: bool = False

    def chunks(self, event: "ResponseStreamEvent") -> Iterator[Chunk]:
        """Yield the chunks of an event.

        Raises:
            ModelFailed: If it says that the response failed.
        """
        match event.type:
            case "response.created":
                self.id = event.response.id
                yield StepStart()
            case "response.completed" | "response.incomplete":
                self.has_ended = True
                yield from _ending(event.response)
            case "response.failed":
                error = event.response.error
                raise ModelFailed("" if error is None else error.message)
            case "error":
                raise ModelFailed(event.message)
            case _:
                yield from self._content(event)

    def _content(self, event: "ResponseStreamEvent") -> Iterator[Chunk]:
        match event.type:
            case "response.output_text.delta" | "response.refusal.delta":
                yield Text(event.delta)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield Reasoning(event.delta)
            case "response.reasoning_summary_part.added" if event.summary_index:
                yield Reasoning("\n\n")
            case "response.output_text.annotation.added":
                yield from _annotated(event)
            case "response.output_item.added":
                yield from self._begun(event.item)
            case "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta":
                if event.item_id in self._calls:
                    id_, name = self._calls[event.item_id]
                    yield ToolInput(id_, name, event.delta)
            case "response.output_item.done":
                yield from _item_chunks(event.item)
            case _:
                pass

    def _begun(self, item: "ResponseOutputItem") -> Iterator[Chunk]:
        if (item.type == "function_call" or item.type == "custom_tool_call") and item.id:  # noqa: PLR1714 - narrows the type
            self._calls[item.id] = [item.call_id, item.name]
            yield ToolInput(item.call_id, item.name, "")


def _item_chunks(item: "ResponseOutputItem") -> Iterator[Chunk]:
    if item.type == "function_call":
        yield parsed_call(item.call_id, item.name, item.arguments)
    elif item.type == "custom_tool_call":
        yield ToolCall(item.call_id, item.name, item.input)
    elif item.type == "image_generation_call":
        kind = f"image/{getattr(item, 'output_format', None) or 'png'}"
        if item.result:
            yield ModelFile(f"data:{kind};base64,{item.result}", kind)
    elif item.type not in {"message", "reasoning"}:
        # A tool that the provider runs itself, such as its web search.
        yield Custom(f"openai.{item.type}", json.loads(item.to_json()))


def _annotated(event: "ResponseOutputTextAnnotationAddedEvent") -> Iterator[Chunk]:
    about, id_ = event.annotation, f"{event.item_id}-{event.annotation_index}"
    if about is None:
        return
    if about.type == "url_citation":
        yield SourceURL(id_, about.url, about.title)
    elif about.type != "file_path":
        yield SourceDocument(id_, "application/octet-stream", about.filename, about.filename)


def _ending(response: "Response") -> Iterator[Chunk]:
    if response.usage is not None:
        usage = response.usage
        yield Usage(
            usage.input_tokens,
            usage.output_tokens,
            usage.input_tokens_details.cached_tokens,
            usage.output_tokens_details.reasoning_tokens,
        )
    yield StepEnd()
    yield Finish(_reason_of(response))


def _reason_of(response: "Response") -> FinishReason:
    details = response.incomplete_details
    if details is not None and details.reason:
        return _REASONS.get(details.reason, "other")
    needs_tools = any(
        item.type in {"function_call", "custom_tool_call"} for item in response.output
    )
    return "tool-calls" if needs_tools else "stop"
