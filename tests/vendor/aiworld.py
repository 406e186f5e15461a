"""An application for the clients of the AI SDK, with gates that a client opens."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, Final

from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from yieldwire import ActionError, Actions, Context, Progress, Result, Text
from yieldwire.ai import (
    Approval,
    Chunk,
    Custom,
    Data,
    Finish,
    MessageMetadata,
    ModelFile,
    Reasoning,
    SourceDocument,
    SourceURL,
    StepEnd,
    StepStart,
    ToolCall,
    ToolError,
    ToolInput,
    ToolOutput,
    UIMessage,
    Usage,
    approve,
)
from yieldwire.dialects import AISDK, AILegacy, AIText

PARTS: Final[list[Chunk]] = [
    StepStart(),
    Reasoning("Hm, "),
    Reasoning("well."),
    ToolInput("c1", "weather", ""),
    ToolInput("c1", "weather", '{"city":"Ely"}'),
    ToolCall("c1", "weather", {"city": "Ely"}),
    ToolOutput("c1", "soon", preliminary=True),
    ToolOutput("c1", {"sky": "rain"}),
    ToolCall("c2", "weather", {}),
    ToolError("c2", "No city."),
    ToolInput("c3", "weather", '{"'),
    ToolError("c3", "Not JSON."),
    StepEnd(),
    StepStart(),
    Text("It "),
    Text("rains."),
    SourceURL("s1", "https://a.example/", "A page"),
    SourceDocument("s2", "application/pdf", "A paper"),
    ModelFile("data:text/plain;base64,aGk=", "text/plain"),
    Data("plot", [1]),
    Data("plan", {"n": 1}, id="p"),
    Data("plan", {"n": 2}, id="p"),
    Data("hint", "hm", transient=True),
    Custom("acme.trace", {"id": "t"}),
    MessageMetadata({"model": "local"}),
    Usage(12, 3),
    StepEnd(),
    Finish("length"),
]
"""Every chunk of `yieldwire.ai`."""


class Plan(BaseModel):
    steps: list[str]


class World:
    """The actions, their dialects, and the gates."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401 - the application's own settings
        self.actions = Actions(**settings)
        self.gates: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._declare()
        self.app = Starlette(
            routes=[
                Route("/open/{gate}", self._open, methods=["POST"]),
                *(
                    Mount(f"/v{version}", AISDK(self.actions, version=version))
                    for version in (5, 6, 7)
                ),
                *(
                    Mount(f"/kept{version}", AISDK(self.actions, version=version, resumable=True))
                    for version in (5, 6, 7)
                ),
                Mount("/text", AIText(self.actions)),
                Mount("/v4", AILegacy(self.actions)),
                Mount("/kept4", AILegacy(self.actions, resumable=True)),
                Mount("/native", self.actions),
            ]
        )

    async def _open(self, request: Request) -> Response:
        self.gates[request.path_params["gate"]].set()
        return Response()

    def _declare(self) -> None:
        @self.actions.action(asks=Approval)
        async def chat(
            messages: list[UIMessage], ctx: Context, id: str = ""
        ) -> AsyncIterator[Chunk | Progress | dict[str, int] | str]:
            asked = [message for message in messages if message.role == "user"][-1].text
            async for chunk in getattr(self, f"_{asked}")(id, ctx):
                yield chunk

        @self.actions.action
        async def legacy(messages: list[dict[str, Any]], ctx: Context) -> AsyncIterator[Chunk]:
            async for chunk in getattr(self, f"_{messages[-1]['content']}")(
                messages[-1]["content"], ctx
            ):
                yield chunk

        @self.actions.action
        async def complete(prompt: str, ctx: Context) -> AsyncIterator[Chunk]:
            async for chunk in getattr(self, f"_{prompt}")(prompt, ctx):
                yield chunk

        self.actions.action(self.plan)
        self.actions.action(self.whole_plan)

    async def plan(self, topic: str) -> AsyncIterator[Text]:
        yield Text('{"steps":["Buy')
        if topic == "broken":
            raise ActionError("BROKEN", "It broke.")
        if topic == "gated":
            await self.gates[topic].wait()
        yield Text(' flour","Bake"]}')

    async def whole_plan(self, topic: str) -> AsyncIterator[Text | Result[Plan]]:
        yield Result(Plan(steps=[topic]))

    async def _hello(self, _: str, ctx: Context) -> AsyncIterator[Chunk]:
        for word in ("Jane ", "Austen", "."):
            yield Text(word)

    async def _parts(self, _: str, ctx: Context) -> AsyncIterator[Chunk]:
        for chunk in PARTS:
            yield chunk

    async def _own(self, _: str, ctx: Context) -> AsyncIterator[object]:
        yield Progress(1, total=2)
        yield {"price": 3}
        yield "bare"

    async def _fail(self, _: str, ctx: Context) -> AsyncIterator[Chunk]:
        if ctx.attempt:
            raise ActionError("NO_CREDIT", "Your credit is used up.", status=402)
        yield Text("never")

    async def _fails(self, _: str, ctx: Context) -> AsyncIterator[Chunk]:
        yield Text("Half")
        raise ActionError("NO_CREDIT", "Your credit is used up.", status=402)

    async def _gated(self, gate: str, ctx: Context) -> AsyncIterator[Chunk]:
        yield Text("One ")
        await self.gates[gate].wait()
        yield Text("two.")

    async def _twice(self, gate: str, ctx: Context) -> AsyncIterator[Chunk]:
        yield Text("One ")
        await self.gates[gate].wait()
        yield Text("two ")
        await self.gates[f"{gate}-2"].wait()
        yield Text("three.")

    async def _delete(self, _: str, ctx: Context) -> AsyncIterator[Chunk]:
        call = ToolCall("c1", "delete", {"path": "a"})
        yield StepStart()
        yield call
        answer = await approve(ctx, call)
        if answer.approved:
            yield ToolOutput("c1", "deleted")
        yield StepEnd()
        yield Text("Done." if answer.approved else "Kept.")
