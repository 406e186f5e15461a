"""Plan a feature with a language model: an analysis as it is written, then suggestions.

Two requests to the model, in one run. The page shows the text as it comes, and each suggestion as
soon as it is complete; the result has them all, with the tokens and the seconds that they took.
With OPENAI_API_KEY set it is OpenAI's model; without, one on this machine with a few sentences.

    yieldwire call examples/feature_planner.py plan_feature page=/pricing

A page can also start the run in one request and read it in another, or in another tab:

    curl -i -H 'Prefer: respond-async' -H 'Content-Type: application/json' \
        -d '{"page": "/pricing"}' http://127.0.0.1:8000/api/_actions/plan_feature
    curl -N http://127.0.0.1:8000/api/_actions/runs/RUN/events
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import httpx2
from pydantic import BaseModel, Field, ValidationError

from examples.local_model import Answer, LocalModel, pace
from yieldwire import Actions, Result, Text, Use
from yieldwire.ai import Chunk, Data, ModelFailed, Usage
from yieldwire.ai.openai import response_chunks
from yieldwire.testing import StreamingTransport

if TYPE_CHECKING:
    from openai import AsyncOpenAI

MODEL: Final = os.environ.get("OPENAI_MODEL", "gpt-5.6-luna")
ANALYZE: Final = "You plan software. Say in three sentences what visitors of the page need."
SUGGEST: Final = (
    "You plan software. Suggest features for the page, each as a JSON object in one line:"
    ' {"title": "...", "reason": "...", "effort": "small|medium|large"}'
)
PACE: Final = 0.04
"""Seconds for each piece of text of the model on this machine."""

Kind = Literal["enhancement", "new-capability", "integration"]

actions = Actions()


class Suggestion(BaseModel):
    """One suggestion of the model."""

    title: str
    reason: str
    effort: Literal["small", "medium", "large"]


@dataclass
class Plan:
    """Everything that the model suggests, and what it took."""

    suggestions: list[Suggestion]
    usage: Usage
    seconds: float


@actions.resource
async def open_client() -> AsyncIterator["AsyncOpenAI"]:
    """Open the SDK's client: of OpenAI with a key, or of the model on this machine."""
    openai = await asyncio.to_thread(import_module, "openai")  # it takes a second
    if "OPENAI_API_KEY" in os.environ:
        async with openai.AsyncOpenAI() as client:
            yield client
        return
    model = LocalModel(answer=say, pause=pace(PACE))
    async with httpx2.AsyncClient(transport=StreamingTransport(model.app)) as http:
        yield openai.AsyncOpenAI(api_key="none", base_url="http://local/v1", http_client=http)


@actions.action(errors=[ModelFailed], timeout=120, concurrency=2)
async def plan_feature(
    client: Annotated[Any, Use(open_client)],  # noqa: ANN401 - imported when it is used
    page: Annotated[str, Field(min_length=1, max_length=200)] = "/pricing",
    kind: Kind = "enhancement",
) -> AsyncIterator[Chunk | Result[Plan]]:
    """Suggest features for a page of a web site."""
    started, plan = time.monotonic(), Plan([], Usage(0, 0), 0.0)
    analysis, rest = "", ""
    async for chunk in _asked(client, ANALYZE, f"The page is {page}. Wanted: {kind}."):
        if isinstance(chunk, Usage):
            plan.usage += chunk
        if isinstance(chunk, Text):
            analysis += chunk.text
        yield chunk
    async for chunk in _asked(client, SUGGEST, f"The page is {page}. {analysis}"):
        if isinstance(chunk, Usage):
            plan.usage += chunk
        if not isinstance(chunk, Text):
            yield chunk
            continue
        *lines, rest = (rest + chunk.text).split("\n")
        for line in filter(str.strip, lines):
            plan.suggestions.append(_suggestion(line))
            yield Data("suggestion", plan.suggestions[-1].model_dump())
    if rest.strip():
        plan.suggestions.append(_suggestion(rest))
        yield Data("suggestion", plan.suggestions[-1].model_dump())
    plan.seconds = round(time.monotonic() - started, 2)
    yield Result(plan)


async def _asked(client: "AsyncOpenAI", instructions: str, text: str) -> AsyncIterator[Chunk]:
    stream = await client.responses.create(
        model=MODEL, instructions=instructions, input=text, stream=True
    )
    async for chunk in response_chunks(stream):
        yield chunk


def _suggestion(line: str) -> Suggestion:
    try:
        return Suggestion.model_validate_json(line)
    except ValidationError as exc:
        raise ModelFailed(f"Not a suggestion: {line:.100}") from exc


def say(asked: dict[str, Any]) -> Answer:
    """Answer as the model on this machine."""
    if asked["instructions"] == ANALYZE:
        return Answer(
            reasoning=["Who ", "comes ", "here?"],
            words=[f"{word} " for word in ANALYSIS.split(" ")],
            given=58,
            taken=31,
        )
    return Answer(
        words=[piece for line in SUGGESTIONS for piece in (line, "\n")], given=93, taken=74
    )


ANALYSIS: Final = (
    "Visitors compare before they buy. They need to see what they would pay, with their own"
    " numbers, and they need it without talking to anybody."
)
SUGGESTIONS: Final = (
    '{"title": "A price calculator", "reason": "People see their own price.", "effort": "medium"}',
    '{"title": "Yearly billing", "reason": "It is cheaper for both sides.", "effort": "small"}',
    '{"title": "A comparison with others", "reason": "They compare anyway.", "effort": "large"}',
)
