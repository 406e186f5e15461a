"""The application that the tests of the TypeScript client call.

``python app.py STORE [PORT]`` prints the port that it listens on and serves until its standard
input ends, so that it never outlives its test.
"""

import asyncio
import socket
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator
from typing import Literal

import uvicorn
from pydantic import BaseModel
from starlette.requests import HTTPConnection
from typing_extensions import TypeAliasType

from yieldwire import (
    ActionError,
    Actions,
    Context,
    Progress,
    RateLimited,
    Result,
    StreamableValue,
    Text,
    Timing,
    Unauthorized,
    Upload,
)

calls: Counter[str] = Counter()


def identify(request: HTTPConnection) -> str | None:
    """Believe the bearer token, unless it says that it has expired."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token == "expired":
        raise Unauthorized
    return token or None


async def at_second_try(ctx: Context) -> None:
    """Refuse each caller's first request."""
    calls[f"by {ctx.owner}"] += 1
    if calls[f"by {ctx.owner}"] == 1:
        raise RateLimited("Not yet.", retry_after=1)


actions = Actions(
    identify=identify,
    store=sys.argv[1],
    timing=Timing(grace=0, keepalive=0.5, sweep_every=0.1, lease=1.5),
)


@actions.action(linger=None)
async def count(to: int, pause: float = 0.0, name: str = "") -> AsyncIterator[Text | Result[int]]:
    """Count, and note under the name that it was started."""
    calls[name] += 1
    for number in range(1, to + 1):
        yield Text(f"{number} ")
        await asyncio.sleep(pause)
    yield Result(to)


@actions.action(linger=None, retries=3)
async def again(to: int, pause: float = 0.05) -> AsyncIterator[Progress | Text | Result[int]]:
    """Count, from the start if the server is lost."""
    for number in range(1, to + 1):
        yield Progress(number, total=to)
        yield Text(f"{number} ")
        await asyncio.sleep(pause)
    yield Result(to)


@actions.action(linger=None, retries=3)
async def onward(to: int, ctx: Context, pause: float = 0.05) -> AsyncIterator[Text | Result[int]]:
    """Count, after the last even number if the server is lost."""
    for number in range((ctx.saved or 0) + 1, to + 1):
        yield Text(f"{number} ")
        if number % 2 == 0:
            ctx.save(number)
        await asyncio.sleep(pause)
    yield Result(to)


@actions.action
async def started(name: str) -> int:
    """Return how often something of that name was started."""
    return calls[name]


@actions.action
async def fail(after: int = 1) -> AsyncIterator[Text]:
    """Fail in a declared way, behind some chunks."""
    for _ in range(after):
        yield Text("half")
        await asyncio.sleep(0.01)
    raise ActionError("OUT_OF_CREDIT", "No credit.", status=402, data={"left": 0})


@actions.action(linger=None)
async def hang() -> AsyncIterator[Progress]:
    """Say how far it is, and wait for ever."""
    yield Progress(1, total=4)
    await asyncio.Event().wait()


class Wish(BaseModel):
    """How a text shall be."""

    tone: Literal["warm", "sober"]


@actions.action(linger=None, inbox=Wish)
async def listen() -> AsyncIterator[Text]:
    """Take wishes for ever."""
    yield Text("Well?")
    await asyncio.Event().wait()


class Decision(BaseModel):
    """Whether a text is published."""

    publish: bool


@actions.action(linger=None, retries=3, asks=Decision, inbox=Wish)
async def publish(plan: str, ctx: Context) -> AsyncIterator[Text | Result[bool]]:
    """Take a wish, and ask whether to publish."""
    if wish := await ctx.receive(Wish):
        yield Text(f"{wish.tone} ")
    decision = await ctx.ask(Decision, f"Publish {plan}?", detail=[plan])
    yield Text("decided")
    yield Result(decision.publish)


@actions.action(linger=None)
async def slow(wait: float) -> AsyncIterator[Text | Result[str]]:
    """Say nothing for a while."""
    await asyncio.sleep(wait)
    yield Text("late")
    yield Result("late")


@actions.action(guards=[at_second_try])
async def crowded() -> int:
    """Start at the second try only."""
    return 2


@actions.action
async def draft(value: StreamableValue[str]) -> None:
    """Write a letter."""
    value.update("Dear")
    value.append(" reader")
    value.done("Dear reader,")


@actions.action(linger=None)
async def load(
    file: Upload, more: list[Upload] | None = None
) -> AsyncIterator[Progress | Result[dict[str, int]]]:
    """Read files, and say how far that is."""
    sizes = {}
    files = [file, *(more or [])]
    for number, each in enumerate(files, 1):
        data = await asyncio.to_thread(each.file.read)
        sizes[each.filename] = len(data)
        yield Progress(number, total=len(files))
    yield Result(sizes)


Tree = TypeAliasType(
    "Tree", "Upload | dict[str, Tree] | list[Tree] | str | bool | int | float | None"
)


def shown(value: Tree) -> str:
    """Return text that tells any two values apart, files by their names and contents."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key!r}: {shown(item)}' for key, item in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    return f"<{value.filename} {value.sha256()}>" if isinstance(value, Upload) else repr(value)


@actions.action
def tell(value: Tree = "nothing", file: Tree = "nothing") -> list[str]:
    """Return what arrived, as Python shows it."""
    return [shown(value), shown(file)]


@actions.feed
async def ticks(to: int = 2) -> AsyncIterator[int]:
    """Count, for whoever opens it."""
    for number in range(1, to + 1):
        yield number


def serve(port: int) -> None:
    """Serve until standard input ends."""
    listener = socket.create_server(("127.0.0.1", port), backlog=512)
    config = uvicorn.Config(actions, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)

    def until_end() -> None:
        sys.stdin.read()
        server.should_exit = True

    threading.Thread(target=until_end, daemon=True).start()
    print(listener.getsockname()[1], flush=True)
    server.run(sockets=[listener])


if __name__ == "__main__":
    serve(int([*sys.argv, "0"][2]))
