"""One application, whose actions every published client calls."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from yieldwire import (
    ActionError,
    Actions,
    Context,
    Progress,
    Result,
    StreamableValue,
    Text,
    Timing,
)
from yieldwire.ai import (
    Approval,
    Data,
    Finish,
    Reasoning,
    StepEnd,
    StepStart,
    ToolCall,
    ToolInput,
    ToolOutput,
    Usage,
    approve,
)
from yieldwire.dialects import (
    A2A,
    AGUI,
    MCP,
    ORPC,
    RSC,
    TRPC,
    DurableStreams,
    NuxtActions,
    TanStackStart,
)
from yieldwire.log.chunks import Value

PAGES: Final = 3
CUT_AT: Final = 2


_begun: Final[defaultdict[str, asyncio.Event]] = defaultdict(asyncio.Event)
_stopped: Final[defaultdict[str, asyncio.Event]] = defaultdict(asyncio.Event)


async def count(upto: int = 3) -> AsyncIterator[dict[str, int] | Result[int]]:
    for number in range(1, upto + 1):
        yield {"n": number}
    yield Result(upto)


async def count_feed(upto: int, labels: list[str]) -> AsyncIterator[dict[str, Any]]:
    for number in range(1, upto + 1):
        yield {"n": number, "labels": labels}


async def say(text: str = "hello", times: int = 1) -> AsyncIterator[Text]:
    for _ in range(times):
        yield Text(text)


async def hang(key: str, *, ends: bool = False) -> AsyncIterator[Text]:
    _begun[key].set()
    try:
        yield Text("so far")
        await asyncio.sleep(0 if ends else 3600)
    finally:
        if not ends:
            _stopped[key].set()


async def hang_until_left(key: str) -> AsyncIterator[Text]:
    """Do as `hang` does, for a client that comes back at once or never."""
    async for text in hang(key):
        yield text


async def await_start(key: str) -> bool:
    """Say that `hang` has started, as soon as it has."""
    await _begun[key].wait()
    return True


async def wait_for_start(key: str) -> AsyncIterator[Text]:
    """Say something, and the rest when `hang` has started."""
    yield Text("before ")
    await _begun[key].wait()
    yield Text("after")


async def await_stop(key: str) -> bool:
    """Say that `hang` has stopped, as soon as it has."""
    await _stopped[key].wait()
    return True


async def fail(code: str = "") -> AsyncIterator[Text]:
    if not code:
        raise RuntimeError("SELECT secret")
    if code != "NONE":
        raise ActionError(code, "Your credit is used up.", status=402, data={"left": 0})
    yield Text("never")


async def fail_late(code: str = "OUT_OF_CREDIT") -> AsyncIterator[Text]:
    yield Text("so far")
    raise ActionError(code, "Your credit is used up.", status=402)


async def ask(ctx: Context) -> AsyncIterator[Text]:
    yield Text("so far")
    await ctx.ask(bool, "Continue?")


async def assist(messages: list[dict[str, Any]], tone: str = "") -> AsyncIterator[Any]:
    """Answer with a part of each kind that an agent's front end shows."""
    yield StepStart()
    yield Reasoning("Hm, ")
    yield Reasoning("well.")
    yield ToolInput("c1", "search", '{"q":')
    yield ToolInput("c1", "search", '"rain"}')
    yield ToolCall("c1", "search", {"q": "rain"})
    yield ToolOutput("c1", {"hits": 0}, preliminary=True)
    yield ToolOutput("c1", {"hits": 2})
    yield StepEnd()
    yield Progress(1, total=2, message="half")
    yield Text(f"{tone}{messages[-1]['content']} ")
    yield Text("<✓\u2028>")
    yield Value({"cart": 1})
    yield Data("weather", {"rain": True})
    yield Usage(input_tokens=3, output_tokens=4)
    yield Finish("stop")


async def delete(ctx: Context) -> AsyncIterator[Any]:
    """Delete something, once a person has approved it."""
    call = ToolCall("d1", "delete", {"name": "notes"})
    yield Text("I would delete it.")
    yield call
    decision = await approve(ctx, call)
    yield ToolOutput("d1", "deleted" if decision.approved else "kept")
    yield Text("Done.")


async def decide(ctx: Context) -> AsyncIterator[Text | Result[bool]]:
    yield Text("so far")
    yield Result(await ctx.ask(bool, "Continue?"))


async def work_slowly(total: int = 4) -> AsyncIterator[Progress]:
    for number in range(1, total + 1):
        yield Progress(number, total=total)
        await asyncio.sleep(0.05)


async def count_slowly(total: int = 4) -> AsyncIterator[int]:
    for number in range(1, total + 1):
        yield number
        await asyncio.sleep(0.05)


async def add(a: int, b: int) -> int:
    return a + b


async def list_users(page: int = 1, tag: str = "", pageParam: int | None = None) -> Any:  # noqa: ANN401, N803 - a page, by the client's own name
    shown = pageParam or page
    return {"users": [f"{tag}{shown}"], "next": shown + 1 if shown < PAGES else None}


async def grow(value: StreamableValue[str]) -> None:
    value.update("$a")
    for letter in "bc":
        value.append(letter)
        await asyncio.sleep(0)


async def echo(value: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - JSON
    yield value


async def pause() -> AsyncIterator[Text]:
    """Be idle for so long that the stream needs keepalives."""
    yield Text("before ")
    await asyncio.sleep(1.1)
    yield Text("after")


async def work(total: int = 2) -> AsyncIterator[Progress]:
    for number in range(1, total + 1):
        yield Progress(number, total=total)


def new_actions() -> Actions:
    """Return the application: an action of each kind that the clients differ in."""
    actions = Actions(timing=Timing(sweep_every=0.05, keepalive=1.0, grace=0.0))
    for function in (
        count,
        say,
        hang,
        await_start,
        wait_for_start,
        await_stop,
        fail,
        fail_late,
        add,
        list_users,
        grow,
        echo,
        pause,
        work,
        work_slowly,
        count_slowly,
        assist,
    ):
        actions.action(function)
    actions.action(linger=1.0)(hang_until_left)
    actions.action(asks=bool)(ask)
    actions.action(asks=bool)(decide)
    actions.action(asks=Approval)(delete)
    actions.feed(count_feed)
    return actions


class Cutting:
    """Breaks the connection of each answer after the first part of its body."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def cut(message: Message) -> None:
            if message["type"] == "http.response.body":
                body: bytes = message["body"]
                await send({**message, "body": body[: len(body) // 2], "more_body": True})
                raise ConnectionError("cut on purpose")
            await send(message)

        await self._app(scope, receive, cut)


class CuttingCalls:
    """Breaks the connection of each streamed answer to a method in the middle of its third part."""

    def __init__(self, app: ASGIApp, method: str = "POST") -> None:
        self._app, self._method = app, method

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = 0
        streams = False

        async def cut(message: Message) -> None:
            nonlocal parts, streams
            if message["type"] == "http.response.start":
                headers = dict(message["headers"])
                streams = headers.get(b"content-type", b"").startswith(b"text/event-stream")
            elif streams and scope["method"] == self._method:
                parts += 1
                if parts > CUT_AT:
                    body: bytes = message["body"]
                    await send({**message, "body": body[: len(body) // 2], "more_body": True})
                    raise ConnectionError("cut on purpose")
            await send(message)

        await self._app(scope, receive, cut)


def new_site(actions: Actions) -> Starlette:
    """Return every dialect over the same actions, each also with cut connections."""
    actions.mount(NuxtActions())
    routes = [
        Mount("/api/_actions", actions),
        Mount("/cutcalls/actions", CuttingCalls(actions)),
        Mount("/guarded", NuxtActions(actions, csrf=True)),
        Mount("/rsc", RSC(actions)),
        Mount("/_serverFn", TanStackStart(actions)),
        Mount("/orpc", ORPC(actions)),
        Mount("/trpc", TRPC(actions)),
        Mount("/cutcalls/trpc", CuttingCalls(TRPC(actions), "GET")),
        Mount("/resumable/orpc", ORPC(actions, resumable=True)),
        Mount("/cutcalls/orpc", CuttingCalls(ORPC(actions, resumable=True))),
        Mount("/durable", DurableStreams(actions)),
        Mount("/cutcalls/durable", CuttingCalls(DurableStreams(actions), "GET")),
        Mount("/mcp", MCP(actions)),
        Mount("/a2a", A2A(actions)),
        Mount("/agui", AGUI(actions)),
        Mount("/kept/agui", AGUI(actions, resumable=True)),
        Mount("/cutcalls/mcp", CuttingCalls(MCP(actions))),
        Mount("/cutcalls/a2a", CuttingCalls(A2A(actions))),
        Mount("/cutcalls/agui", CuttingCalls(AGUI(actions, resumable=True))),
    ]
    return Starlette(routes=[Mount("/cut", Cutting(Starlette(routes=routes))), *routes])
