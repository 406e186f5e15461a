"""Yieldwire's server: every scene is an action or a feed of its own, at the product's addresses.

`BENCH_STORE` names the store; without it runs are kept in memory.
"""

import asyncio
import gc
import itertools
import os
import time
from collections.abc import AsyncIterator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from yieldwire import Actions, RequestLimits, Text

# One load client is one caller here, so the limits per caller are raised to what the scenes need.
actions = Actions(
    store=os.environ.get("BENCH_STORE", "memory"),
    request_limits=RequestLimits(streams=20_000),
    max_runs=None,
)


@actions.resource
async def frozen() -> AsyncIterator[None]:
    """Leave what exists at the start out of garbage collections, as `yieldwire serve` does."""
    gc.collect()
    gc.freeze()
    yield


class Token(BaseModel):
    """A chunk as most applications declare theirs."""

    text: str


@actions.action
async def hot(count: int) -> AsyncIterator[dict[str, str]]:
    """Yield dicts as fast as the loop goes (scenes A, B and E)."""
    for i in range(count):
        yield {"text": f"token {i} "}


@actions.action(retention=2.0)
async def brief(count: int) -> AsyncIterator[dict[str, str]]:
    """Do the same in runs that are soon forgotten (scene N)."""
    for i in range(count):
        yield {"text": f"token {i} "}


@actions.action(retention=2.0)
async def steady(count: int, intervalMs: float) -> AsyncIterator[dict[str, int | str]]:  # noqa: N803 - as it is on the wire
    """Do it slowly (scene N)."""
    for i in range(count):
        await asyncio.sleep(intervalMs / 1000)
        yield {"text": f"token {i} ", "ns": time.monotonic_ns()}


@actions.action
async def hot_model(count: int) -> AsyncIterator[Token]:
    """Yield Pydantic models."""
    for i in range(count):
        yield Token(text=f"token {i} ")


@actions.action
async def hot_text(count: int) -> AsyncIterator[Text]:
    """Yield the framework's own dataclass."""
    for i in range(count):
        yield Text(f"token {i} ")


@actions.action(linger=0.5)
async def paced(count: int, intervalMs: float) -> AsyncIterator[dict[str, int | str]]:  # noqa: N803 - as it is on the wire
    """Sleep before each event (scene C); readers can be gone for half a second."""
    for i in range(count):
        await asyncio.sleep(intervalMs / 1000)
        yield {"text": f"token {i} ", "ns": time.monotonic_ns()}


@actions.action(queue="bench")
async def worked(count: int, intervalMs: float) -> AsyncIterator[dict[str, int | str]]:  # noqa: N803 - as it is on the wire
    """Do the same in a worker (scene J)."""
    for i in range(count):
        await asyncio.sleep(intervalMs / 1000)
        yield {"text": f"token {i} ", "ns": time.monotonic_ns()}


@actions.feed(shared=True)
async def ticker() -> AsyncIterator[dict[str, int | str]]:
    """Produce in one process for the readers of all of them (scene K)."""
    for i in itertools.count():
        await asyncio.sleep(0.05)
        yield {"text": f"token {i} ", "ns": time.monotonic_ns()}


@dataclass(slots=True)
class Production:
    """What `feed_start` told the feed's producer."""

    count: int = 0
    interval: float = 0.0


_production: Final = Production()
_started: Final = asyncio.Event()


@actions.feed(shared=True)
async def feed() -> AsyncIterator[dict[str, int | str]]:
    """Produce for all readers at once, from when `feed_start` says so (scene D)."""
    await _started.wait()
    _started.clear()
    for i in range(_production.count):
        await asyncio.sleep(_production.interval)
        yield {"text": f"token {i} ", "ns": time.monotonic_ns()}


@actions.action
async def feed_start(count: int, intervalMs: float) -> None:  # noqa: N803 - as it is on the wire
    """Let the feed begin."""
    _production.count, _production.interval = count, intervalMs / 1000
    _started.set()


_stopped_ns: dict[str, int] = {}


@contextmanager
def _noting_the_end(name: str) -> Generator[None]:
    _stopped_ns.pop(name, None)
    try:
        yield
    finally:
        _stopped_ns[name] = time.monotonic_ns()


@actions.action
async def endless(count: int) -> AsyncIterator[dict[str, str]]:
    """Yield to a reader who stops reading (scene F)."""
    with _noting_the_end("endless"):
        for i in range(count):
            yield {"text": f"token {i} "}


@actions.action(linger=0.5)
async def spin() -> AsyncIterator[dict[str, str]]:
    """Yield forever without awaiting anything (scene G); readers can be gone for half a second."""
    with _noting_the_end("spin"):
        for i in itertools.count():
            yield {"text": f"token {i} "}


@actions.action
async def stopped(action: str) -> int | None:
    """Return when that action ended the last time, in nanoseconds of the monotonic clock."""
    return _stopped_ns.get(action)


@actions.action
async def stamped() -> AsyncIterator[dict[str, int | str]]:
    """Yield one event that says when it was yielded (scene H)."""
    yield {"text": "token 0 ", "ns": time.monotonic_ns()}


@actions.action
async def stamped_later() -> AsyncIterator[dict[str, int | str]]:
    """Yield one event a little after the head has gone."""
    await asyncio.sleep(0.002)
    yield {"text": "token 0 ", "ns": time.monotonic_ns()}


@actions.action
async def idle() -> AsyncIterator[dict[str, str]]:
    """Yield once, then nothing (scene I)."""
    yield {"text": "token 0 "}
    await asyncio.Event().wait()
