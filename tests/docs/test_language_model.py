"""The guide to language models, with the real SDKs against a server that sends what theirs do."""

import asyncio
import threading
from collections.abc import AsyncIterator
from types import ModuleType
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from examples.local_model import Answer, LocalModel
from tests.conftest import Serve
from tests.docs.conftest import Load
from yieldwire import ActionError, Actions
from yieldwire.errors import Json, RunCancelled

pytestmark = pytest.mark.timeout(300)  # importing the SDKs takes long on a loaded machine

ASKED = {"messages": [{"role": "user", "content": "Who wrote Emma?"}]}
WORDS = ["Jane ", "Austen", "."]


class Provider:
    """A server that speaks as both of them; it says all its words, waits, or has no capacity."""

    def __init__(self) -> None:
        self.model = LocalModel(answer=lambda _: Answer(words=WORDS))
        self.closed = threading.Event()
        self.model.closed = self.closed.set
        self.is_busy = False
        self.app: Starlette = self.model.app
        self.app.add_exception_handler(ConnectionError, self._refuse)
        self.model.answer = self._answer

    def _answer(self, _: dict[str, Any]) -> Answer:
        if self.is_busy:
            raise ConnectionError
        return Answer(words=WORDS)

    async def _refuse(self, request: Request, _: Exception) -> JSONResponse:
        error = {"type": "error", "error": {"type": "overloaded", "message": "secret"}}
        return JSONResponse(error, 529, headers={"x-should-retry": "false"})

    def hang(self) -> None:
        """Say a little, and nothing more."""

        async def pause(n: int) -> None:
            if n == 3:
                await asyncio.Event().wait()

        self.model.pause = pause


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
async def test_the_text_streams_and_the_last_chunks_say_what_it_took(
    guide: Actions, provider: Provider, name: str
) -> None:
    run = await guide.start(guide.app.registry.action_named(name), ASKED)

    chunks = [chunk async for chunk in run]

    texts = [chunk["text"] for chunk in chunks if chunk["type"] == "text"]
    (usage,) = [chunk for chunk in chunks if chunk["type"] == "usage"]
    assert texts == WORDS
    assert (usage["input_tokens"], usage["output_tokens"]) == (12, 3)
    assert chunks[-1] == {"type": "finish", "reason": "stop"}
    (asked,) = provider.model.asked
    assert asked.get("instructions", asked.get("system")) == (
        "You help customers of a book shop. Answer briefly."
    )


@both
async def test_stopping_the_run_closes_the_request_to_the_model(
    guide: Actions, provider: Provider, name: str
) -> None:
    provider.hang()
    run = await guide.start(guide.app.registry.action_named(name), ASKED)

    async for _ in run:
        await run.cancel()
        break
    with pytest.raises(RunCancelled, match="cancelled"):
        await run.result()

    assert await asyncio.to_thread(provider.closed.wait, 1)


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


@pytest.mark.parametrize("is_approved", [True, False])
async def test_a_tool_is_called_only_after_a_person_agrees(
    files: dict[str, ModuleType], *, is_approved: bool
) -> None:
    actions = cast("Actions", files["tools"].actions)
    async with actions.lifespan():
        run = await actions.start(actions.app.registry.action_named("delete_file"), {"path": "a"})

        async for event in run.events():
            if event.type == "question":
                await run.answer("call_1", {"approved": is_approved})
        chunks: list[Json] = [chunk async for chunk in run]

    assert chunks[-1]["type"] == ("tool-output" if is_approved else "tool-error")
