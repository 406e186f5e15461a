"""Chunks of the answers of Anthropic's SDK: the Messages API."""

from collections.abc import AsyncGenerator, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from yieldwire.ai.chunks import (
    Chunk,
    Custom,
    Finish,
    FinishReason,
    Reasoning,
    SourceDocument,
    SourceURL,
    StepEnd,
    StepStart,
    Usage,
)
from yieldwire.ai.failure import ModelFailed, answering, broke_off
from yieldwire.ai.toolcalls import ToolCalls
from yieldwire.log.chunks import Text

if TYPE_CHECKING:
    from anthropic import AsyncStream
    from anthropic.lib.streaming import AsyncMessageStream
    from anthropic.types import RawMessageStreamEvent

_REASONS: Final[Mapping[str | None, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool-calls",
    "refusal": "content-filter",
}


async def message_chunks(
    stream: "AsyncStream[RawMessageStreamEvent] | AsyncMessageStream[Any]",
) -> AsyncGenerator[Chunk]:
    """Yield the chunks of a message: one step, which ends with its usage and its reason.

    ``stream`` is what ``client.messages.create(stream=True)`` returns, or what
    ``async with client.messages.stream(…)`` enters. The request is closed when this is left.

    Raises:
        ModelFailed: If the stream ends before the message.
    """
    from anthropic import AnthropicError  # noqa: PLC0415 - an extra, which takes a second to import
    from httpx2 import HTTPError  # noqa: PLC0415 - the SDK's own, which it lets through

    events = MessageEvents()
    with answering(AnthropicError, HTTPError):
        try:
            async for event in stream:
                if event.type in EVENTS:
                    for chunk in events.chunks(event.to_dict(mode="json")):
                        yield chunk
        finally:
            await stream.close()
    if not events.has_ended:
        raise broke_off()
    yield events.finish()


def reason_of(stop: str | None) -> FinishReason:
    """Return why an answer ended, from the API's ``stop_reason``."""
    return _REASONS.get(stop, "other")


EVENTS: Final = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
    }
)
"""The types of events that the Messages API sends; the SDK adds others, which repeat them."""


class MessageEvents:
    """Turns the events of the Messages API, as JSON, into chunks: for one message, or several."""

    def __init__(self) -> None:
        self._calls: Final = ToolCalls()
        self._usage: dict[str, Any] = {}
        self._reason: str | None = None
        self._sources = 0
        self.has_ended: bool = False

    def finish(self) -> Finish:
        """Return why the newest message ended."""
        return Finish(reason_of(self._reason))

    def chunks(self, event: Mapping[str, Any]) -> Iterator[Chunk]:
        """Yield the chunks of an event.

        Raises:
            ModelFailed: If it is an error.
        """
        match event:
            case {"type": "message_start", "message": message}:
                self._usage, self._reason, self.has_ended = {**message["usage"]}, None, False
                yield StepStart()
            case {"type": "content_block_start", "index": int(index), "content_block": block}:
                yield from self._begun(index, block)
            case {"type": "content_block_delta", "index": int(index), "delta": delta}:
                yield from self._grown(index, delta)
            case {"type": "content_block_stop", "index": int(index)}:
                call = self._calls.end(index)
                if call is not None:
                    yield call
            case {"type": "message_delta", "delta": delta}:
                self._reason = delta.get("stop_reason")
                self._usage |= _known(event.get("usage"))
            case {"type": "message_stop"}:
                self.has_ended = True
                yield _usage(self._usage)
                yield StepEnd()
            case {"type": "error", "error": error}:
                raise ModelFailed(str(error.get("message", "")))
            case _:
                pass

    def _begun(self, index: int, block: Mapping[str, Any]) -> Iterator[Chunk]:
        kind = block["type"]
        if kind == "tool_use":
            yield self._calls.start(index, block["id"], block["name"])
        elif kind == "text":
            if block["text"]:
                yield Text(block["text"])
        elif kind not in {"thinking", "redacted_thinking"}:
            # A tool that the provider runs itself, such as its web search.
            yield Custom(f"anthropic.{kind}", dict(block))

    def _grown(self, index: int, delta: Mapping[str, Any]) -> Iterator[Chunk]:
        match delta:
            case {"type": "text_delta", "text": text}:
                yield Text(text)
            case {"type": "thinking_delta", "thinking": text}:
                yield Reasoning(text)
            case {"type": "input_json_delta", "partial_json": text}:
                piece = self._calls.add(index, text)
                if piece is not None:
                    yield piece
            case {"type": "citations_delta", "citation": citation}:
                self._sources += 1
                yield _source(f"source-{self._sources}", citation)
            case _:
                pass


def _source(id: str, citation: Mapping[str, Any]) -> SourceURL | SourceDocument:
    if citation.get("url"):
        return SourceURL(id, citation["url"], citation.get("title"))
    title = citation.get("document_title") or citation.get("title") or ""
    is_plain = citation["type"] == "char_location"
    return SourceDocument(id, "text/plain" if is_plain else "application/pdf", title)


def _known(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (usage or {}).items() if value is not None}


def _usage(usage: Mapping[str, Any]) -> Usage:
    # The API's input_tokens are those that no cache had a part in.
    cached = usage.get("cache_read_input_tokens") or 0
    written = usage.get("cache_creation_input_tokens") or 0
    reasoning = (usage.get("output_tokens_details") or {}).get("thinking_tokens") or 0
    given = usage.get("input_tokens") or 0
    return Usage(given + cached + written, usage.get("output_tokens") or 0, cached, reasoning)
