"""aiohttp on its own server: frames written to a `StreamResponse`."""

import asyncio
import itertools
import sys
import time

import uvloop
from aiohttp import web
from encoding import encode

KEPT = [{"text": f"token {i} "} for i in range(100_000)]

readers: set[asyncio.Queue[bytes | None]] = set()
producers: set[asyncio.Task[None]] = set()


def frame(value: dict[str, str]) -> bytes:
    return b"data: %b\n\n" % encode(value)


async def open_stream(request: web.Request) -> web.StreamResponse:
    headers = {"content-type": "text/event-stream", "cache-control": "no-cache"}
    response = web.StreamResponse(headers=headers)
    await response.prepare(request)
    return response


async def health(request: web.Request) -> web.StreamResponse:
    return web.json_response({})


async def hot(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    response = await open_stream(request)
    for i in range(body["count"]):
        await response.write(frame({"text": f"token {i} "}))
    return response


async def paced(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    response = await open_stream(request)
    for i in range(body["count"]):
        await asyncio.sleep(body["intervalMs"] / 1000)
        await response.write(frame({"text": f"token {i} ", "ns": time.monotonic_ns()}))
    return response


async def feed(request: web.Request) -> web.StreamResponse:
    response = await open_stream(request)
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    readers.add(queue)
    try:
        await response.write(b": joined\n\n")
        while (event := await queue.get()) is not None:
            await response.write(event)
    finally:
        readers.discard(queue)
    return response


async def produce(count: int, interval: float) -> None:
    for i in range(count):
        await asyncio.sleep(interval)
        event = frame({"text": f"token {i} ", "ns": time.monotonic_ns()})
        for queue in readers:
            queue.put_nowait(event)
    for queue in readers:
        queue.put_nowait(None)


async def feed_start(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    loop = asyncio.get_running_loop()
    producer = loop.create_task(produce(body["count"], body["intervalMs"] / 1000))
    producers.add(producer)
    producer.add_done_callback(producers.discard)
    return web.json_response({})


async def replay(request: web.Request) -> web.StreamResponse:
    response = await open_stream(request)
    for value in KEPT:
        await response.write(frame(value))
    return response


async def spin(request: web.Request) -> web.StreamResponse:
    response = await open_stream(request)
    for i in itertools.count():
        await response.write(frame({"text": f"token {i} "}))
    return response


app = web.Application()
app.add_routes(
    [
        web.get("/health", health),
        web.post("/hot", hot),
        web.post("/paced", paced),
        web.get("/feed", feed),
        web.post("/feed-start", feed_start),
        web.get("/replay", replay),
        web.post("/endless", hot),
        web.post("/spin", spin),
    ]
)

if __name__ == "__main__":
    web.run_app(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        access_log=None,
        print=None,
        loop=uvloop.new_event_loop(),
    )
