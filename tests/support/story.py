"""One story that a server tells, for tests that ask for it in many ways.

Callers are who their bearer token says. `tell` waits in its middle for `Story.go_on`, so that a
test decides what has happened until then.
"""

import asyncio
import re
import threading
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from pydantic import BaseModel, Field
from pydantic_core import from_json
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from yieldwire import (
    ActionError,
    Actions,
    Context,
    Forbidden,
    Progress,
    Result,
    RunLimits,
    Text,
    Timing,
    Unauthorized,
)
from yieldwire.stores import RunStore
from yieldwire.testing import MovingClock

Log = list[tuple[int, str, Any]]
"""Events as their seq, type and data."""

SECONDS: Final = 10
"""How long anything can take before a test gives up."""
LINGER: Final = 30.0
POURED: Final = 300
"""Chunks of a run that is more than any buffer on its way to a reader."""
PIECE: Final = "¿who knows? " * 160
MESSAGES: Final = 3
"""How many messages a run takes."""


class Decision(BaseModel):
    """An answer to the story's question."""

    approved: bool
    copies: int = Field(gt=0, default=1)


def caller_of(request: HTTPConnection) -> str | None:
    """Identify the caller by a bearer token, which is the name."""
    name = request.headers.get("authorization", "").removeprefix("Bearer ")
    if name == "unknown":
        raise Unauthorized
    return name or None


async def nobody(_ctx: Context) -> None:
    """Refuse every call."""
    raise Forbidden("Not today.")


class Story:
    """An application with one story to tell, and what became of its telling."""

    def __init__(self, store: Callable[[MovingClock], RunStore] | None = None) -> None:
        self.clock = MovingClock()
        self.actions = Actions(
            store="memory" if store is None else store(self.clock),
            clock=self.clock,
            timing=Timing(head_wait=SECONDS, grace=0.0),
            identify=caller_of,
            run_limits=RunLimits(max_messages=MESSAGES),
            max_runs=None,
        )
        self.loop: asyncio.AbstractEventLoop | None = None
        self._gates: defaultdict[str | None, asyncio.Event] = defaultdict(asyncio.Event)
        self._gate = asyncio.Event()
        self.cleaned = threading.Event()
        self.left = threading.Event()
        self.started = 0
        self.asked: list[str] = []
        """The path of each request over HTTP."""
        self.poured = 0
        for action in (self.tell, self.tell_blocking, self.refuse, self.pour):
            self.actions.action(linger=LINGER)(action)
        self.actions.action(guards=[nobody])(self.tell_nobody)
        self.actions.action(asks=(Decision, bool), linger=LINGER)(self.publish)
        self.actions.action(inbox=str, linger=LINGER)(self.draw)

    def go_on(self, run_id: str | None = None) -> None:
        """Let the story of a run come to its end, or of all; before its beginning or later."""
        assert self.loop is not None
        gate = self._gate if run_id is None else self._gates[run_id]
        self.loop.call_soon_threadsafe(gate.set)

    async def wait_for_rest(self) -> None:
        """Return when nothing is poured for a moment: all of it is, or readers are waited for."""
        poured = -1
        while poured != self.poured:
            poured = self.poured
            await asyncio.sleep(0.02)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and note when that is over: the server knows then who has left."""
        if scope["type"] == "http":
            self.asked.append(scope["path"])
        try:
            await self.actions(scope, receive, send)
        finally:
            self.left.set()

    async def tell(self, ctx: Context) -> AsyncIterator[Text | Progress | Result[list[int]]]:
        """Tell a story."""
        self.started += 1
        try:
            yield Text("Once upon a time, ")
            yield Progress(1, total=3, message="begun")
            await self._wait_for_gate(ctx.run_id)
            yield Text("¿who knows? ü€😀\n")
            yield Progress(3, total=3, message="told")
            yield Result([1, 2, 3])
        finally:
            await asyncio.sleep(0.01)
            self.cleaned.set()

    async def _wait_for_gate(self, run_id: str) -> None:
        gates = [self._gate, self._gates[run_id]]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(gate.wait()) for gate in gates]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()

    def tell_blocking(self) -> Iterator[Text]:
        """Tell a story that waits for the disk, on and on."""
        self.started += 1
        try:
            while True:
                yield Text("again ")
                time.sleep(0.005)
        finally:
            self.cleaned.set()

    async def tell_nobody(self) -> None:
        """Tell a story that nobody is allowed to hear."""
        self.started += 1

    async def refuse(self, how: str = "early") -> AsyncIterator[Text]:
        """Fail before or after the first chunk, or by what nobody expected."""
        if how != "early":
            yield Text("a beginning")
        if how == "secretly":
            raise RuntimeError("a secret of the server")
        raise ActionError("OUT_OF_CREDIT", "No credit.", status=402, data={"credit": 0})

    async def pour(self) -> AsyncIterator[str]:
        """Say more than any buffer holds."""
        for number in range(POURED):
            self.poured += 1
            yield f"{number} {PIECE}"

    async def publish(self, ctx: Context) -> AsyncIterator[Text]:
        """Ask, and publish; ask again before several copies are printed."""
        decision = await ctx.ask(Decision, "Publish this?", detail={"words": 3})
        sure = decision.copies == 1 or await ctx.ask(bool, "Really?")
        yield Text(f"{decision.copies} copies: {decision.approved and sure}")

    async def draw(self, ctx: Context) -> AsyncIterator[Text]:
        """Draw what is wished for, until it is enough."""
        yield Text("What? ")
        async for wish in ctx.inbox(str):
            yield Text(f"{wish}.")
            if wish == "enough":
                return


def progress(current: int, message: str, percent: float) -> dict[str, Any]:
    told = {"current": current, "total": 3, "message": message, "percent": percent}
    return {"type": "progress", **told}


def text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


EVENTS: Log = [
    (1, "chunk", text("Once upon a time, ")),
    (2, "chunk", progress(1, "begun", 33.3)),
    (3, "chunk", text("¿who knows? ü€😀\n")),
    (4, "chunk", progress(3, "told", 100.0)),
    (5, "done", {"result": [1, 2, 3]}),
]
BEGINNING, END = EVENTS[:2], EVENTS[2:]
TEXT = "Once upon a time, ¿who knows? ü€😀\n"

POURING: Log = [
    *((n + 1, "chunk", f"{n} {PIECE}") for n in range(POURED)),
    (POURED + 1, "done", {}),
]
OUT_OF_CREDIT = {
    "code": "OUT_OF_CREDIT",
    "message": "No credit.",
    "statusCode": 402,
    "retryable": False,
    "fieldErrors": None,
    "data": {"credit": 0},
    "errorId": None,
}


def listed(events: list[dict[str, Any]]) -> Log:
    return [(event["seq"], event["type"], event["data"]) for event in events]


def events_in(stream: str) -> Log:
    frames = [
        re.fullmatch(r"id: [^.\s]+\.(\d+)\S*\n(?:event: (\w+)\n)?data: (.*)", frame)
        for frame in stream.split("\n\n")
        if frame
    ]
    read = [(int(found[1]), found[2] or "chunk", from_json(found[3])) for found in frames if found]
    assert len(read) == len(frames)
    return [event for event in read if event[1] != "run"]
