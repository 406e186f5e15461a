"""A bare ASGI application: one `send` an event, and nothing between it and the server."""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from encoding import encode

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

KEPT = [{"text": f"token {i} "} for i in range(100_000)]

readers: set[asyncio.Queue[bytes | None]] = set()


def frame(value: dict[str, str]) -> bytes:
    return b"data: %b\n\n" % encode(value)


async def hot(count: int) -> AsyncIterator[bytes]:
    for i in range(count):
        yield frame({"text": f"token {i} "})


async def paced(count: int, interval: float) -> AsyncIterator[bytes]:
    for i in range(count):
        await asyncio.sleep(interval)
        yield frame({"text": f"token {i} ", "ns": time.monotonic_ns()})


async def feed() -> AsyncIterator[bytes]:
    queue: asyncio.Queue[bytes | None] = asyncio.Queue()
    readers.add(queue)
    try:
        yield b": joined\n\n"
        while (event := await queue.get()) is not None:
            yield event
    finally:
        readers.discard(queue)


async def produce(count: int, interval: float) -> None:
    async for event in paced(count, interval):
        for queue in readers:
            queue.put_nowait(event)
    for queue in readers:
        queue.put_nowait(None)


async def replay() -> AsyncIterator[bytes]:
    for value in KEPT:
        yield frame(value)


async def spin() -> AsyncIterator[bytes]:
    for i in itertools.count():
        yield frame({"text": f"token {i} "})


async def read_body(receive: Receive) -> dict[str, int]:
    body = b""
    more = True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    values: dict[str, int] = json.loads(body or b"{}")
    return values


async def answer(send: Send, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def stream(send: Send, events: AsyncIterator[bytes]) -> None:
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for event in events:
        await send({"type": "http.response.body", "body": event, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def app(scope: Message, receive: Receive, send: Send) -> None:
    if scope["type"] != "http":
        return
    values = await read_body(receive)
    count, interval = values.get("count", 0), values.get("intervalMs", 0) / 1000
    match scope["path"]:
        case "/hot" | "/endless":
            await stream(send, hot(count))
        case "/paced":
            await stream(send, paced(count, interval))
        case "/feed":
            await stream(send, feed())
        case "/feed-start":
            await answer(send, b"{}")
            await produce(count, interval)
        case "/replay":
            await stream(send, replay())
        case "/spin":
            await stream(send, spin())
        case _:
            await answer(send, b"{}")
