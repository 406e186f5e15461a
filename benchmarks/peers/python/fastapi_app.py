"""FastAPI: a path operation that yields models, with its own `EventSourceResponse`."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import BackgroundTasks, FastAPI
from fastapi.sse import EventSourceResponse
from pydantic import BaseModel, Field


class Token(BaseModel):
    text: str


class Stamped(Token):
    ns: int


class Count(BaseModel):
    count: int


class Pace(Count):
    interval: Annotated[int, Field(alias="intervalMs")]


KEPT = [Token(text=f"token {i} ") for i in range(100_000)]

app = FastAPI()
readers: set[asyncio.Queue[Stamped | None]] = set()


@app.get("/health")
async def health() -> dict[str, str]:
    return {}


@app.post("/hot", response_class=EventSourceResponse)
@app.post("/endless", response_class=EventSourceResponse)
async def hot(body: Count) -> AsyncIterator[Token]:
    for i in range(body.count):
        yield Token(text=f"token {i} ")


@app.post("/paced", response_class=EventSourceResponse)
async def paced(body: Pace) -> AsyncIterator[Stamped]:
    for i in range(body.count):
        await asyncio.sleep(body.interval / 1000)
        yield Stamped(text=f"token {i} ", ns=time.monotonic_ns())


@app.get("/feed", response_class=EventSourceResponse)
async def feed() -> AsyncIterator[Stamped]:
    queue: asyncio.Queue[Stamped | None] = asyncio.Queue()
    readers.add(queue)
    try:
        while (event := await queue.get()) is not None:
            yield event
    finally:
        readers.discard(queue)


async def produce(pace: Pace) -> None:
    async for event in paced(pace):
        for queue in readers:
            queue.put_nowait(event)
    for queue in readers:
        queue.put_nowait(None)


@app.post("/feed-start")
async def feed_start(body: Pace, tasks: BackgroundTasks) -> dict[str, str]:
    tasks.add_task(produce, body)
    return {}


@app.get("/replay", response_class=EventSourceResponse)
async def replay() -> AsyncIterator[Token]:
    for token in KEPT:
        yield token


@app.post("/spin", response_class=EventSourceResponse)
async def spin() -> AsyncIterator[Token]:
    for i in itertools.count():
        yield Token(text=f"token {i} ")
