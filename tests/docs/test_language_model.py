"""The guide to language models, with the real SDKs against a server that sends what theirs do."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import ModuleType
from typing import cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.conftest import Serve
from tests.docs.conftest import Load
from yieldwire import ActionError, Actions
from yieldwire.errors import Json, RunCancelled

pytestmark = pytest.mark.timeout(300)  # importing the SDKs takes long on a loaded machine

ASKED = {"messages": [{"role": "user", "content": "Who wrote Emma?"}]}
USAGE = {"input_tokens": 12, "output_tokens": 3}

OPENAI_RESPONSE: dict[str, Json] = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "gpt",
    "output": [],
    "parallel_tool_calls": False,
    "tool_choice": "auto",
    "tools": [],
    "status": "in_progress",
}
ANTHROPIC_MESSAGE: dict[str, Json] = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 1},
}


def openai_events(words: list[str]) -> list[dict[str, Json]]:
    place: dict[str, Json] = {"item_id": "m", "output_index": 0, "content_index": 0, "logprobs": []}
    usage: dict[str, Json] = {
        **USAGE,
        "total_tokens": 15,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens_details": {"reasoning_tokens": 0},
    }
    ended: dict[str, Json] = {**OPENAI_RESPONSE, "status": "completed", "usage": usage}
    events: list[dict[str, Json]] = [
        {"type": "response.created", "response": OPENAI_RESPONSE},
        *({"type": "response.output_text.delta", **place, "delta": word} for word in words),
        {"type": "response.completed", "response": ended},
    ]
    return [{**event, "sequence_number": n} for n, event in enumerate(events)]


def anthropic_events(words: list[str]) -> list[dict[str, Json]]:
    return [
        {"type": "message_start", "message": ANTHROPIC_MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "text_delta", "text": word},
            }
            for word in words
        ),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 3},
        },
        {"type": "message_stop"},
    ]


@dataclass(kw_only=True)
class Provider:
    """A server that speaks as both of them; it says all its words, and then waits or ends."""

    words: list[str] = field(default_factory=lambda: ["Jane ", "Austen", "."])
    is_busy: bool = False
    hangs: bool = False
    asked: list[dict[str, Json]] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def app(self) -> Starlette:
        """The server."""
        routes = [
            Route(path, self._answer, methods=["POST"])
            for path in ("/v1/responses", "/v1/messages")
        ]
        return Starlette(routes=routes)

    async def _answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        if self.is_busy:
            error = {"type": "error", "error": {"type": "overloaded", "message": "secret"}}
            return JSONResponse(error, 529, headers={"x-should-retry": "false"})
        make = openai_events if request.url.path.endswith("responses") else anthropic_events
        return StreamingResponse(self._events(make(self.words)), media_type="text/event-stream")

    async def _events(self, events: list[dict[str, Json]]) -> AsyncIterator[str]:
        try:
            for event in events[: len(self.words)] if self.hangs else events:
                yield f"event: {event['type']}\ndata: {json.dumps(event)}\n\n"
            if self.hangs:
                await asyncio.Event().wait()
        finally:
            self.closed.set()


@pytest.fixture
def files(load: Load) -> dict[str, ModuleType]:
    return load("stream-from-a-language-model.md")


@pytest.fixture
def provider(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> Provider:
    provider = Provider()
    url = serve(provider.app).url
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    monkeypatch.setenv("OPENAI_BASE_URL", f"{url}/v1")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "k")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", url)
    return provider


@pytest.fixture
async def guide(provider: Provider, files: dict[str, ModuleType]) -> AsyncIterator[Actions]:
    """The application of the guide, open."""
    actions = cast("Actions", files["chat"].actions)
    async with actions.lifespan():
        yield actions


both = pytest.mark.parametrize("name", ["ask_gpt", "ask_claude"])


@both
async def test_the_text_streams_and_the_result_is_what_it_took(
    guide: Actions, provider: Provider, name: str
) -> None:
    run = await guide.start(guide.app.registry.action_named(name), ASKED)

    texts = [cast("dict[str, str]", chunk)["text"] async for chunk in run]
    answer = await run.result()

    assert texts == provider.words
    assert vars(answer) | USAGE == vars(answer)
    assert provider.asked[0].get("instructions", provider.asked[0].get("system")) == (
        "You help customers of a book shop. Answer briefly."
    )


@both
async def test_stopping_the_run_closes_the_request_to_the_model(
    guide: Actions, provider: Provider, name: str
) -> None:
    provider.hangs = True
    run = await guide.start(guide.app.registry.action_named(name), ASKED)

    async for _ in run:
        await run.cancel()
        break
    with pytest.raises(RunCancelled, match="cancelled"):
        await run.result()

    await asyncio.to_thread(provider.closed.wait)
    assert (await run.snapshot())["text"]


@both
async def test_a_busy_model_is_told_without_what_its_api_said(
    guide: Actions, provider: Provider, name: str
) -> None:
    provider.is_busy = True
    run = await guide.start(guide.app.registry.action_named(name), ASKED)

    with pytest.raises(ActionError, match="Try again in a minute") as caught:
        await run.result()

    assert (caught.value.code, caught.value.status) == ("MODEL_UNAVAILABLE", 503)
    assert "secret" not in str(caught.value)
