"""Chunks of the answers of the Claude Agent SDK."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from yieldwire.ai.anthropic import MessageEvents, reason_of
from yieldwire.ai.chunks import (
    Chunk,
    Finish,
    Reasoning,
    StepEnd,
    StepStart,
    ToolCall,
    ToolError,
    ToolOutput,
    Usage,
)
from yieldwire.ai.failure import ModelFailed, answering, broke_off
from yieldwire.errors import Json
from yieldwire.log.chunks import Text

if TYPE_CHECKING:
    from claude_agent_sdk import (
        AssistantMessage,
        ClaudeSDKClient,
        Message,
        ResultMessage,
        StreamEvent,
        UserMessage,
    )

CLOSING: Final = 2.0
"""Seconds that an agent can take to stop its request."""


async def agent_chunks(client: "ClaudeSDKClient") -> AsyncGenerator[Chunk]:
    """Yield the chunks of an agent's work: a step for each message, and what its tools return.

    ``client`` is connected and has its query. With ``include_partial_messages=True`` in its
    options the text comes piece by piece; without it, message by message. What subagents say is not
    included. If this is left early, the agent is interrupted, which closes its request at once;
    leaving ``query(…)`` of the SDK would take seconds instead.

    Raises:
        ModelFailed: If the agent fails, or stops before its result.
    """
    from claude_agent_sdk import ClaudeSDKError  # noqa: PLC0415 - an extra

    work = _Work()
    try:
        with answering(ClaudeSDKError):
            async for message in client.receive_response():
                for chunk in work.chunks(message):
                    yield chunk
        if not work.has_ended:
            raise broke_off()
    finally:
        if not work.has_ended:
            with suppress(ClaudeSDKError, TimeoutError):
                async with asyncio.timeout(CLOSING):
                    await client.interrupt()


class _Work:
    def __init__(self) -> None:
        from claude_agent_sdk import (  # noqa: PLC0415 - an extra, which takes a second to import
            AssistantMessage,
            ResultMessage,
            StreamEvent,
            UserMessage,
        )

        self._assistant, self._user = AssistantMessage, UserMessage
        self._result, self._partial = ResultMessage, StreamEvent
        self._events = MessageEvents()
        self._is_partial = self.has_ended = False
        self._message: str | None = None
        """The id of the message whose step is open, if messages come whole."""
        self._called = set[str]()
        self._early = list[ToolOutput | ToolError]()
        """The outputs of calls whose end has not arrived: the agent does not wait for it."""

    def chunks(self, message: "Message") -> Iterator[Chunk]:
        if getattr(message, "parent_tool_use_id", None) is not None:
            return
        if isinstance(message, self._partial):
            yield from self._part(message)
        elif isinstance(message, self._assistant):
            if not self._is_partial:
                yield from self._whole(message)
        elif isinstance(message, self._user):
            yield from self._returned(message)
        elif isinstance(message, self._result):
            yield from self._ended(message)

    def _returned(self, message: "UserMessage") -> Iterator[Chunk]:
        for output in _outputs(message):
            if output.id in self._called:
                yield output
            else:
                self._early.append(output)

    def _part(self, message: "StreamEvent") -> Iterator[Chunk]:
        self._is_partial = True
        for chunk in self._events.chunks(message.event):
            if not isinstance(chunk, Usage):  # the result has that of all requests
                yield from self._passed(chunk)

    def _passed(self, chunk: Chunk) -> Iterator[Chunk]:
        yield chunk
        if isinstance(chunk, ToolCall):
            self._called.add(chunk.id)
            yield from [each for each in self._early if each.id == chunk.id]

    def _ended(self, message: "ResultMessage") -> Iterator[Chunk]:
        self.has_ended = True
        yield from self._step(None)
        if message.is_error:
            raise ModelFailed(message.result or message.subtype)
        usage: dict[str, Any] = message.usage or {}
        cached = usage.get("cache_read_input_tokens") or 0
        given = cached + (usage.get("cache_creation_input_tokens") or 0)
        given += usage.get("input_tokens") or 0
        yield Usage(given, usage.get("output_tokens") or 0, cached)
        yield Finish(reason_of(message.stop_reason))

    def _step(self, message: str | None) -> Iterator[Chunk]:
        if self._message is not None:
            yield StepEnd()
        if message is not None:
            yield StepStart()
        self._message = message

    def _whole(self, message: "AssistantMessage") -> Iterator[Chunk]:
        id_ = message.message_id or ""
        if id_ != self._message:  # each block of a message comes by itself
            yield from self._step(id_)
        for block in message.content:
            text, thinking = getattr(block, "text", None), getattr(block, "thinking", None)
            if text is not None:
                yield Text(text)
            elif thinking is not None:
                yield Reasoning(thinking)
            elif name := getattr(block, "name", None):
                call = ToolCall(getattr(block, "id", ""), name, getattr(block, "input", {}))
                yield from self._passed(call)


def _outputs(message: "UserMessage") -> Iterator[ToolOutput | ToolError]:
    for block in message.content if isinstance(message.content, list) else ():
        call = getattr(block, "tool_use_id", None)
        if call is None:
            continue
        content: Json = getattr(block, "content", None)
        if getattr(block, "is_error", None):
            yield ToolError(call, content if isinstance(content, str) else "The tool failed.")
        else:
            yield ToolOutput(call, content)
