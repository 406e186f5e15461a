"""The actions that the exchanges in ``conformance/exchanges.json`` are held with.

``conformance/README.md`` describes them for other languages; what they do must not change
without the transcripts.
"""

import asyncio
from collections.abc import AsyncIterator
from functools import cache
from typing import Annotated, Any

from annotated_types import Len
from starlette.requests import HTTPConnection

from yieldwire import (
    ActionError,
    Actions,
    Progress,
    Result,
    StreamableValue,
    Text,
    Timing,
    Upload,
)
from yieldwire.asgi.requestlimits import RequestLimits


def new_actions() -> Actions:
    """Return an application with every action of the transcripts, and nothing in its store."""
    actions = Actions(
        identify=identify,
        origins=["https://friend.example"],
        hosts=["conformance.example"],
        request_limits=RequestLimits(json_bytes=256),
        timing=Timing(grace=0),
    )
    actions.include(_declared())
    return actions


@cache
def _declared() -> Actions:
    """Return the actions alone: to look at their signatures takes long."""
    actions = Actions()
    for function in (greet, refuse, fail, crash):
        actions.action(function)
    actions.action(add_numbers)
    actions.action(draft)
    actions.action(describe)
    actions.action(linger=None, concurrency=1, labels=("slow",))(hang)
    actions.feed(ticks)
    actions.feed(keep=2)(news)
    return actions


def identify(request: HTTPConnection) -> str | None:
    """Believe the bearer token: it is the owner's name."""
    return request.headers.get("authorization", "").removeprefix("Bearer ") or None


async def greet(name: Annotated[str, Len(1, 20)] = "world") -> AsyncIterator[Text | Result[int]]:
    """Greet somebody, in two pieces."""
    yield Text("Hello, ")
    yield Text(f"{name}!")
    yield Result(len(name))


async def add_numbers(a: int, b: int = 1) -> int:
    """Add two numbers."""
    return a + b


async def refuse(balance: int = 0) -> AsyncIterator[Text]:
    """Fail before the first chunk, with an error of its own."""
    if balance <= 0:
        raise ActionError("OUT_OF_CREDIT", "No credit.", status=402, data={"balance": balance})
    yield Text("You have credit.")


async def fail() -> AsyncIterator[Text]:
    """Fail after the first chunk."""
    yield Text("half")
    raise ActionError("OUT_OF_CREDIT", "No credit.", status=402, retryable=True)


async def crash() -> AsyncIterator[Text]:
    """Fail in a way that nobody declared."""
    yield Text("half")
    raise RuntimeError("the password is hunter2")


async def hang() -> AsyncIterator[Progress]:
    """Say how far it is, and wait to be cancelled."""
    yield Progress(1, total=4, message="one of four")
    await asyncio.Event().wait()


async def draft(value: StreamableValue[str]) -> None:
    """Change one value."""
    value.update("Dear")
    value.append(" reader")


async def describe(
    file: Upload, *, note: str = "", tags: list[str] | None = None, loud: bool, size: int = 0
) -> dict[str, Any]:
    """Say what was sent."""
    content = (await file.read()).decode()
    named = {"name": file.filename, "type": file.content_type, "content": content}
    return {**named, "note": note, "tags": tags, "size": size, "loud": loud}


async def ticks(count: int = 2) -> AsyncIterator[int]:
    """Count: a feed."""
    for n in range(1, count + 1):
        yield n


async def news() -> AsyncIterator[int]:
    """Count to five, of which the log keeps the newest."""
    for n in range(1, 6):
        yield n
        await asyncio.sleep(0)
