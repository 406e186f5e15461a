"""Starlette: a `StreamingResponse` over an async generator, one chunk an event."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator

from encoding import encode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

REPLAYED = 100_000

log = [{"text": f"token {i} "} for i in range(REPLAYED)]
readers: set[asyncio.Queue[bytes | None]] = set()
producers: set[asyncio.Task[None]] = set()


def frame(chunk: dict[str, str]) -> bytes:
    """Return the frame of a chunk."""
    return b"data: %b\n\n" % encode(chunk)


def stream(frames: AsyncIterator[bytes]) -> StreamingResponse:
    """Answer with an event stream."""
    return StreamingResponse(
        frames, media_type="text/event-stream", headers={"cache-control": "no-store"}
    )


async def health(request: Request) -> Response:
    """Answer that the server is there."""
    return PlainTextResponse("ok")


async def hot(request: Request) -> Response:
    """Stream as fast as the handler yields."""
    count = (await request.json())["count"]

    async def frames() -> AsyncIterator[bytes]:
        for i in range(count):
            yield frame({"text": f"token {i} "})

    return stream(frames())


async def paced(request: Request) -> Response:
    """Stream with a pause before each event."""
    body = await request.json()

    async def frames() -> AsyncIterator[bytes]:
        for i in range(body["count"]):
            await asyncio.sleep(body["intervalMs"] / 1000)
            yield frame({"text": f"token {i} ", "ns": time.monotonic_ns()})

    return stream(frames())


async def feed(request: Request) -> Response:
    """Join the feed: a queue for each reader."""

    async def frames() -> AsyncIterator[bytes]:
        queue: asyncio.Queue[bytes | None] = asyncio.Queue()
        readers.add(queue)
        try:
            yield b": joined\n\n"
            while (item := await queue.get()) is not None:
                yield item
        finally:
            readers.discard(queue)

    return stream(frames())


async def feed_start(request: Request) -> Response:
    """Start the producer, which encodes once for all readers."""
    body = await request.json()

    async def produce() -> None:
        for i in range(body["count"]):
            await asyncio.sleep(body["intervalMs"] / 1000)
            item = frame({"text": f"token {i} ", "ns": time.monotonic_ns()})
            for queue in readers:
                queue.put_nowait(item)
        for queue in readers:
            queue.put_nowait(None)

    task = asyncio.get_running_loop().create_task(produce())
    producers.add(task)
    task.add_done_callback(producers.discard)
    return PlainTextResponse("started")


async def replay(request: Request) -> Response:
    """Stream what was kept."""

    async def frames() -> AsyncIterator[bytes]:
        for chunk in log:
            yield frame(chunk)

    return stream(frames())


async def spin(request: Request) -> Response:
    """Stream forever from a handler that never awaits."""

    async def frames() -> AsyncIterator[bytes]:
        for i in itertools.count():
            yield frame({"text": f"token {i} "})

    return stream(frames())


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
