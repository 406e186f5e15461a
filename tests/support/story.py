"""One story that a server tells, for tests that ask for it in many ways."""

import asyncio
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from pydantic_core import from_json
from starlette.types import Receive, Scope, Send

from yieldwire import Actions, Context, Progress, Result, Text, Timing
from yieldwire.stores import RunStore
from yieldwire.testing import MovingClock

Log = list[tuple[int, str, Any]]
"""Events as their seq, type and data."""

SECONDS: Final = 10
"""How long anything can take before a test gives up."""
LINGER: Final = 30.0


class Story:
    """An application with one story to tell, and what became of its telling."""

    def __init__(self, store: Callable[[MovingClock], RunStore] | None = None) -> None:
        self.clock = MovingClock()
        kept = "memory" if store is None else store(self.clock)
        self.actions = Actions(store=kept, clock=self.clock, timing=Timing(head_wait=SECONDS))
        self.loop: asyncio.AbstractEventLoop | None = None
        self._gate = asyncio.Event()  # between the story's beginning and its end
        self.cleaned = threading.Event()
        self.left = threading.Event()
        self.started = 0
        self.actions.action(linger=LINGER)(self.tell)
        self.actions.action(linger=LINGER)(self.tell_blocking)

    def go_on(self) -> None:
        """Let the story come to its end; before its beginning, or in the middle."""
        assert self.loop is not None
        self.loop.call_soon_threadsafe(self._gate.set)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and note when that is over: the server knows then who has left."""
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
            await self._gate.wait()
            yield Text("¿who knows? ü€😀\n")
            yield Progress(3, total=3, message="told")
            yield Result([1, 2, 3])
        finally:
            await asyncio.sleep(0.01)
            self.cleaned.set()

    def tell_blocking(self) -> Iterator[Text]:
        """Tell a story that waits for the disk, on and on."""
        self.started += 1
        try:
            while True:
                yield Text("again ")
                time.sleep(0.005)
        finally:
            self.cleaned.set()


def progress(current: int, message: str, percent: float) -> dict[str, Any]:
    told = {"current": current, "total": 3, "message": message, "percent": percent}
    return {"type": "progress", **told}


EVENTS: Log = [
    (1, "chunk", {"type": "text", "text": "Once upon a time, "}),
    (2, "chunk", progress(1, "begun", 33.3)),
    (3, "chunk", {"type": "text", "text": "¿who knows? ü€😀\n"}),
    (4, "chunk", progress(3, "told", 100.0)),
    (5, "done", {"result": [1, 2, 3]}),
]
TEXT = "Once upon a time, ¿who knows? ü€😀\n"


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
