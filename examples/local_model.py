"""A model server on this machine, so that the examples need no key.

It speaks as OpenAI and Anthropic do: chat completions, the Responses API (also in background mode),
and the Messages API, each as a stream. It understands nothing: ``answer`` decides what it says.

    model = LocalModel(lambda asked: Answer(words=["Hello, ", "world."]))
    uvicorn.run(model.app)
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

Json: TypeAlias = dict[str, Any]
CREATED: Final = 1_790_000_000


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the model says: reasoning, text and at most one call of a tool, in pieces."""

    words: Sequence[str] = ()
    reasoning: Sequence[str] = ()
    tool: str = ""
    tool_input: Sequence[str] = ()
    source: str = ""
    stop: str = "stop"
    given: int = 12
    taken: int = 3


async def _at_once(n: int) -> None:
    """Do not wait."""


@dataclass(kw_only=True)
class LocalModel:
    """The server.

    ``answer`` returns the answer to a request's body. ``pause`` is awaited before each event of a
    stream, with its number: it decides how fast the model is, and a test lets it wait or raise.
    """

    answer: Callable[[Json], Answer]
    pause: Callable[[int], Awaitable[None]] = _at_once
    asked: list[Json] = field(default_factory=list)
    """The bodies of the requests so far."""
    closed: Callable[[], None] = lambda: None
    """Called when a stream is over, or its reader has left."""
    kept: dict[str, list[Json]] = field(default_factory=dict)
    """The events of each response in background mode."""
    cancelled: list[str] = field(default_factory=list)
    """The ids of the responses that were cancelled."""
    _ids: "count[int]" = field(default_factory=lambda: count(1))

    @property
    def app(self) -> Starlette:
        """The application."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
                Route("/v1/responses", self._respond, methods=["POST"]),
                Route("/v1/responses/{id}", self._continue, methods=["GET"]),
                Route("/v1/responses/{id}/cancel", self._cancel, methods=["POST"]),
                Route("/v1/messages", self._message, methods=["POST"]),
            ]
        )

    async def _chat(self, request: Request) -> Response:
        events = chat_events(await self._asked(request), f"chatcmpl_{next(self._ids)}")
        frames = [f"data: {json.dumps(event)}\n\n" for event in events]
        return self._stream([*frames, "data: [DONE]\n\n"])

    async def _respond(self, request: Request) -> Response:
        answer, id_ = await self._asked(request), f"resp_{next(self._ids)}"
        events = response_events(answer, id_)
        if self.asked[-1].get("background"):
            self.kept[id_] = events
        return self._stream(named(events))

    async def _continue(self, request: Request) -> Response:
        id_, after = request.path_params["id"], int(request.query_params["starting_after"])
        self.asked.append({"response": id_, "starting_after": after})
        return self._stream(named(self.kept[id_][after + 1 :]), after + 1)

    async def _cancel(self, request: Request) -> Response:
        id_ = request.path_params["id"]
        self.cancelled.append(id_)
        return JSONResponse(response_of(id_, "cancelled"))

    async def _message(self, request: Request) -> Response:
        events = message_events(await self._asked(request), f"msg_{next(self._ids)}")
        return self._stream(named(events))

    async def _asked(self, request: Request) -> Answer:
        body: Json = await request.json()
        self.asked.append(body)
        return self.answer(body)

    def _stream(self, frames: Sequence[str], first: int = 0) -> Response:
        return StreamingResponse(self._paced(frames, first), media_type="text/event-stream")

    async def _paced(self, frames: Sequence[str], first: int) -> AsyncIterator[str]:
        try:
            for n, frame in enumerate(frames, first):
                await self.pause(n)
                yield frame
        finally:
            self.closed()


def pace(seconds: float) -> Callable[[int], Awaitable[None]]:
    """Return a ``pause`` of this many seconds before each event."""

    async def pause(_: int) -> None:
        await asyncio.sleep(seconds)

    return pause


def named(events: Sequence[Json]) -> list[str]:
    """Return the frames of events with their types as names."""
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]


def chat_events(answer: Answer, id: str) -> list[Json]:
    """Return what ``POST /v1/chat/completions`` streams."""
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in answer.reasoning]
    deltas += [{"content": word} for word in answer.words]
    if answer.tool:
        function = {"name": answer.tool, "arguments": ""}
        call: Json = {"index": 0, "id": f"call_{id}", "type": "function", "function": function}
        deltas.append({"tool_calls": [call]})
        deltas += [
            {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
            for piece in answer.tool_input
        ]
    reason = "tool_calls" if answer.tool else answer.stop
    choices: list[Json] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": reason})
    head: Json = {"id": id, "object": "chat.completion.chunk", "created": CREATED, "model": "local"}
    usage = {
        "prompt_tokens": answer.given,
        "completion_tokens": answer.taken,
        "total_tokens": answer.given + answer.taken,
    }
    events: list[Json] = [{**head, "choices": [choice], "usage": None} for choice in choices]
    return [*events, {**head, "choices": [], "usage": usage}]


def response_of(id: str, status: str, **other: object) -> Json:
    """Return a response object of the Responses API."""
    return {
        "id": id,
        "object": "response",
        "created_at": CREATED,
        "model": "local",
        "output": [],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "status": status,
        **other,
    }


def response_events(answer: Answer, id: str) -> list[Json]:
    """Return what ``POST /v1/responses`` streams."""
    events: list[Json] = [
        {"type": "response.created", "response": response_of(id, "in_progress")},
        *_reasoning_events(answer),
        *_text_events(answer),
    ]
    output: list[Json] = []
    if answer.tool:
        call = {
            "type": "function_call",
            "id": f"fc_{id}",
            "call_id": f"call_{id}",
            "name": answer.tool,
            "arguments": "".join(answer.tool_input),
            "status": "completed",
        }
        output.append(call)
        place = {"item_id": call["id"], "output_index": 2}
        begun = {**call, "arguments": "", "status": "in_progress"}
        events.append({"type": "response.output_item.added", "output_index": 2, "item": begun})
        kind = "response.function_call_arguments.delta"
        events += [{"type": kind, **place, "delta": piece} for piece in answer.tool_input]
        events.append({"type": "response.output_item.done", "output_index": 2, "item": call})
    events.append(_response_end(answer, id, output))
    return [{**event, "sequence_number": n} for n, event in enumerate(events)]


def _reasoning_events(answer: Answer) -> list[Json]:
    place = {"item_id": "rs_1", "output_index": 0, "summary_index": 0}
    kind = "response.reasoning_summary_text.delta"
    return [{"type": kind, **place, "delta": piece} for piece in answer.reasoning]


def _text_events(answer: Answer) -> list[Json]:
    place = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
    events: list[Json] = [
        {"type": "response.output_text.delta", **place, "logprobs": [], "delta": word}
        for word in answer.words
    ]
    if answer.source:
        cited: Json = {"type": "url_citation", "url": answer.source, "title": "A page"}
        cited |= {"start_index": 0, "end_index": 1}
        kind = "response.output_text.annotation.added"
        events.append({"type": kind, **place, "annotation_index": 0, "annotation": cited})
    return events


def _response_end(answer: Answer, id: str, output: list[Json]) -> Json:
    usage = {
        "input_tokens": answer.given,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": answer.taken,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.given + answer.taken,
    }
    if answer.stop == "stop":
        ended = response_of(id, "completed", usage=usage, output=output)
        return {"type": "response.completed", "response": ended}
    why = {"reason": "max_output_tokens"}
    ended = response_of(id, "incomplete", usage=usage, incomplete_details=why)
    return {"type": "response.incomplete", "response": ended}


def message_events(answer: Answer, id: str) -> list[Json]:
    """Return what ``POST /v1/messages`` streams."""
    blocks: list[tuple[Json, list[Json]]] = []
    if answer.reasoning:
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in answer.reasoning]
        deltas.append({"type": "signature_delta", "signature": "c2lnbmVk"})
        blocks.append(({"type": "thinking", "thinking": "", "signature": ""}, deltas))
    if answer.words:
        deltas = [{"type": "text_delta", "text": word} for word in answer.words]
        blocks.append(({"type": "text", "text": ""}, deltas))
    if answer.tool:
        call = {"type": "tool_use", "id": f"toolu_{id}", "name": answer.tool, "input": {}}
        pieces = answer.tool_input
        blocks.append((call, [{"type": "input_json_delta", "partial_json": x} for x in pieces]))
    stop = {"stop": "end_turn", "length": "max_tokens"}[answer.stop]
    usage = {"input_tokens": answer.given, "output_tokens": 1}
    message: Json = {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": "local",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    ended = {"stop_reason": "tool_use" if answer.tool else stop, "stop_sequence": None}
    used = {"output_tokens": answer.taken}
    return [
        {"type": "message_start", "message": message},
        *(event for index, block in enumerate(blocks) for event in _block_events(index, *block)),
        {"type": "message_delta", "delta": ended, "usage": used},
        {"type": "message_stop"},
    ]


def _block_events(index: int, block: Json, deltas: list[Json]) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": block},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]
