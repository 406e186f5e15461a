"""Chunks of the answers of Pydantic AI's agents."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

from pydantic_core import to_jsonable_python

from yieldwire.ai.chunks import (
    Chunk,
    Finish,
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
from yieldwire.ai.failure import answering, broke_off
from yieldwire.ai.toolcalls import parsed_call
from yieldwire.log.chunks import Text

if TYPE_CHECKING:
    from pydantic_ai import AgentRunResult, AgentRunResultEvent, AgentStreamEvent
    from pydantic_ai.messages import (
        ModelResponsePart,
        ModelResponsePartDelta,
        NativeToolReturnPart,
        ToolReturnPart,
    )

    _Event: TypeAlias = AgentStreamEvent | AgentRunResultEvent[Any]


async def agent_chunks(events: "AsyncIterator[_Event]") -> AsyncGenerator[Chunk]:
    """Yield the chunks of an agent's work: a step for each request, and what its tools return.

    ``events`` is what ``async with agent.run_stream_events(…)`` enters; leaving that closes the
    request to the model. Its ``result`` has the agent's output.

    Raises:
        ModelFailed: If the events end before the agent's result.
    """
    from pydantic_ai.exceptions import AgentRunError  # noqa: PLC0415 - an extra

    work = _Work()
    with answering(AgentRunError):
        async for event in events:
            for chunk in work.chunks(event):
                yield chunk
    if not work.has_ended:
        raise broke_off()


class _Work:
    def __init__(self) -> None:
        self._calls: dict[int, tuple[str, str]] = {}
        self._is_in_step = self._has_outputs = self.has_ended = False

    def chunks(self, event: "_Event") -> Iterator[Chunk]:
        match event.event_kind:
            case "part_start":
                yield from self._step()
                yield from self._begun(event.index, event.part)
            case "part_delta":
                yield from self._grown(event.index, event.delta)
            case "part_end":
                if event.part.part_kind in {"tool-call", "builtin-tool-call"}:
                    yield _call(event.part)
            case "function_tool_result" | "output_tool_result":
                self._has_outputs = True
                yield _output(event.part)
            case "agent_run_result":
                self.has_ended = True
                yield from _ending(event.result)
            case _:
                pass

    def _step(self) -> Iterator[Chunk]:
        if self._is_in_step and self._has_outputs:
            yield StepEnd()
            self._is_in_step = False
        if not self._is_in_step:
            self._is_in_step, self._has_outputs = True, False
            yield StepStart()

    def _begun(self, index: int, part: "ModelResponsePart") -> Iterator[Chunk]:
        match part.part_kind:
            case "text" | "thinking":
                if part.content:
                    kind = Text if part.part_kind == "text" else Reasoning
                    yield kind(part.content)
            case "tool-call" | "builtin-tool-call":
                self._calls[index] = part.tool_call_id, part.tool_name
                yield ToolInput(part.tool_call_id, part.tool_name, _written(part.args))
            case "builtin-tool-return":
                yield _output(part)
            case "file":
                yield ModelFile.of(part.content.data, part.content.media_type)
            case _:
                pass

    def _grown(self, index: int, delta: "ModelResponsePartDelta") -> Iterator[Chunk]:
        match delta.part_delta_kind:
            case "text":
                if delta.content_delta:
                    yield Text(delta.content_delta)
            case "thinking":
                if delta.content_delta:
                    yield Reasoning(delta.content_delta)
            case "tool_call":
                if delta.args_delta and index in self._calls:
                    yield ToolInput(*self._calls[index], _written(delta.args_delta))
            case _:
                pass


def _written(args: object) -> str:
    return args if isinstance(args, str) else json.dumps(args) if args else ""


def _call(part: Any) -> ToolCall | ToolError:  # noqa: ANN401 - of several classes, with these members
    if isinstance(part.args, dict):
        return ToolCall(part.tool_call_id, part.tool_name, part.args)
    return parsed_call(part.tool_call_id, part.tool_name, part.args or "")


def _output(part: "ToolReturnPart | NativeToolReturnPart") -> ToolOutput | ToolError:
    if part.outcome == "success":
        return ToolOutput(part.tool_call_id, to_jsonable_python(part.content))
    return ToolError(part.tool_call_id, str(part.content))


def _ending(result: "AgentRunResult[Any]") -> Iterator[Chunk]:
    usage = result.usage
    reasoning = usage.details.get("reasoning_tokens", 0)
    yield Usage(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens, reasoning)
    yield StepEnd()
    yield Finish("stop")
