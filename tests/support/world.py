"""One application with an action of each kind, and people who use it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from functools import cache
from typing import Annotated, Any, Final

from pydantic import BaseModel
from starlette.requests import HTTPConnection

from tests.support.calls import Fields, post, send
from yieldwire import (
    ActionError,
    Actions,
    Body,
    Progress,
    Result,
    Text,
    Timing,
    Unauthorized,
    Upload,
)

BRISK: Final = Timing(head_wait=0.2, grace=0.0, sweep_every=3600.0)
"""No test waits for a running action when its application closes."""

ALICE: Final[Fields] = (("authorization", "Bearer alice"),)
BOB: Final[Fields] = (("authorization", "Bearer bob"),)
NOBODY: Final[Fields] = ()
UNKNOWN: Final[Fields] = (("authorization", "Bearer unknown"),)
"""Credentials that `identify` refuses."""

WHOLE: Final = ("accept", "application/json")
SSE: Final = ("accept", "text/event-stream")
NDJSON: Final = ("accept", "application/x-ndjson")
TEXT: Final = ("accept", "text/plain")
PAGE: Final = ("accept", "text/html")


async def identify(request: HTTPConnection) -> str | None:
    """Identify the caller: by a bearer token or by a cookie, either of which is the name."""
    token = request.headers.get("authorization", "").removeprefix("Bearer ")
    name = token or request.cookies.get("session", "")
    if name == "unknown":
        raise Unauthorized
    return name or None


class Node(BaseModel):
    """Something that nests."""

    name: str
    children: list["Node"] = []


def world(**settings: Any) -> Actions:  # noqa: ANN401 - the application's own settings
    """Return a new application."""
    chosen: dict[str, Any] = {"identify": identify, "timing": BRISK, **settings}
    actions = Actions(**chosen)
    actions.include(of_each_kind())
    return actions


@cache
def of_each_kind() -> Actions:
    """Return the actions of every such application: to look at their signatures takes long."""
    actions = Actions()
    for function in (say, wait, echo, send_tree, take, take_boxed, fail, fail_late):
        actions.action(function)
    actions.action(linger=None, labels=("sums",))(add)
    actions.feed(tick)
    return actions


@asynccontextmanager
async def opened(actions: Actions) -> AsyncGenerator[Actions, None]:
    """Open an application, and close it behind the test."""
    async with actions.lifespan():
        yield actions


async def say(text: str = "hello", times: int = 1) -> AsyncIterator[Text]:
    """Say something, several times."""
    for _ in range(times):
        yield Text(text)


async def wait(text: str = "waiting") -> AsyncIterator[Text]:
    """Say something, and continue forever."""
    yield Text(text)
    await asyncio.Event().wait()


async def echo(value: Any) -> AsyncIterator[Any]:  # noqa: ANN401 - JSON
    """Yield what came."""
    yield value


async def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


async def tick(times: int = 2) -> AsyncIterator[int]:
    """Count."""
    for number in range(times):
        yield number


async def send_tree(tree: Annotated[Node, Body()]) -> AsyncIterator[str | Result[str]]:
    """Say the tree's name."""
    yield tree.name
    yield Result(tree.name)


def take(file: Upload, note: str = "") -> Iterator[Progress]:
    """Take a file."""
    yield Progress(file.size, total=file.size, message=note or file.filename)


class Box(BaseModel):
    """A model with a file in it."""

    file: Upload


async def take_boxed(box: Annotated[Box, Body()]) -> int:
    """Take a file that came in a model."""
    return box.file.size


async def fail(code: str = "", canary: str = "") -> AsyncIterator[Text]:
    """Fail at once, by the action's own error where a code is given."""
    if not code:
        raise RuntimeError(f"/srv/app.py: SELECT {canary}")
    if code != "NONE":
        raise ActionError(code, "As it was asked to.", status=402)
    yield Text("not asked to")


async def fail_late(canary: str = "") -> AsyncIterator[Text]:
    """Fail after the first chunk."""
    yield Text("so far")
    raise RuntimeError(f"/srv/app.py: SELECT {canary}")


async def begun(actions: Actions, action: str = "wait", headers: Fields = ALICE) -> str:
    """Start a detached run that continues, and return its id when it has an event."""
    call = post(f"/{action}", {}, [*headers, ("prefer", "respond-async")])
    run_id: str = (await send(actions, call)).json()["id"]
    await actions.app.reader(run_id).first(5.0)
    return run_id


async def ended(
    actions: Actions, action: str = "say", value: object = None, headers: Fields = ALICE
) -> str:
    """Start a run, wait for its end, and return its id."""
    answer = await send(actions, post(f"/{action}", value, [*headers, WHOLE]))
    return answer.headers["run-id"]


async def wait_for_end(actions: Actions, run_id: str) -> None:
    """Return when a run has ended."""
    async with aclosing(actions.app.reader(run_id).pages(0, tick=5.0)) as pages:
        async for _ in pages:
            pass


async def log_of(actions: Actions, run_id: str) -> list[tuple[int, str, bytes]]:
    """Return every event that a run's log has."""
    await actions.app.ready()
    events: list[tuple[int, str, bytes]] = []
    while page := await actions.app.store.read(run_id, len(events)):
        every = (each for block in page for each in block.events())
        events += [(each.seq, each.type.value, each.data) for each in every]
    return events
