"""sse-starlette: a generator of events in its `EventSourceResponse`, on Starlette."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Event = dict[str, str]

KEPT = [{"text": f"token {i} "} for i in range(100_000)]

readers: set[asyncio.Queue[Event | None]] = set()


def event_of(value: dict[str, str | int]) -> Event:
    return {"data": json.dumps(value)}


async def health(request: Request) -> Response:
    return JSONResponse({})


async def hot(request: Request) -> Response:
    body = await request.json()

    async def events() -> AsyncIterator[Event]:
        for i in range(body["count"]):
            yield event_of({"text": f"token {i} "})

    return EventSourceResponse(events())


async def tokens(count: int, interval: float) -> AsyncIterator[Event]:
    for i in range(count):
        await asyncio.sleep(interval)
        yield event_of({"text": f"token {i} ", "ns": time.monotonic_ns()})


async def paced(request: Request) -> Response:
    body = await request.json()
    return EventSourceResponse(tokens(body["count"], body["intervalMs"] / 1000))


async def feed(request: Request) -> Response:
    queue: asyncio.Queue[Event | None] = asyncio.Queue()

    async def events() -> AsyncIterator[Event]:
        readers.add(queue)
        try:
            yield {"comment": "joined"}
            while (event := await queue.get()) is not None:
                yield event
        finally:
            readers.discard(queue)

    return EventSourceResponse(events())


async def produce(count: int, interval: float) -> None:
    async for event in tokens(count, interval):
        for queue in readers:
            queue.put_nowait(event)
    for queue in readers:
        queue.put_nowait(None)


async def feed_start(request: Request) -> Response:
    body = await request.json()
    task = BackgroundTask(produce, body["count"], body["intervalMs"] / 1000)
    return JSONResponse({}, background=task)


async def replay(request: Request) -> Response:
    async def events() -> AsyncIterator[Event]:
        for value in KEPT:
            yield event_of(value)

    return EventSourceResponse(events())


async def spin(request: Request) -> Response:
    async def events() -> AsyncIterator[Event]:
        for i in itertools.count():
            yield event_of({"text": f"token {i} "})

    return EventSourceResponse(events())


app = Starlette(
    routes=[
        Route("/health", health),
        Route("/hot", hot, methods=["POST"]),
        Route("/paced", paced, methods=["POST"]),
        Route("/feed", feed),
        Route("/feed-start", feed_start, methods=["POST"]),
        Route("/replay", replay),
        Route("/endless", hot, methods=["POST"]),
        Route("/spin", spin, methods=["POST"]),
    ]
)
