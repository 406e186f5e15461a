"""Starlette: a WebSocket for each stream, a message for each event."""

import asyncio
import time

from encoding import encode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

readers: set[asyncio.Queue[str | None]] = set()
producers: set[asyncio.Task[None]] = set()


def text(chunk: dict[str, str | int]) -> str:
    return encode(chunk).decode()


async def hot(socket: WebSocket) -> None:
    await socket.accept()
    for i in range(int(socket.query_params["count"])):
        await socket.send_text(text({"text": f"token {i} "}))
    await socket.close()


async def paced(socket: WebSocket) -> None:
    await socket.accept()
    interval = int(socket.query_params["intervalMs"]) / 1000
    try:
        for i in range(int(socket.query_params["count"])):
            await asyncio.sleep(interval)
            await socket.send_text(text({"text": f"token {i} ", "ns": time.monotonic_ns()}))
        await socket.close()
    except WebSocketDisconnect:
        return


async def feed(socket: WebSocket) -> None:
    queue: asyncio.Queue[str | None] = asyncio.Queue()
    readers.add(queue)
    try:
        await socket.accept()
        while (item := await queue.get()) is not None:
            await socket.send_text(item)
        await socket.close()
    except WebSocketDisconnect:
        return
    finally:
        readers.discard(queue)


async def produce(count: int, interval: float) -> None:
    for i in range(count):
        await asyncio.sleep(interval)
        item = text({"text": f"token {i} ", "ns": time.monotonic_ns()})
        for queue in readers:
            queue.put_nowait(item)
    for queue in readers:
        queue.put_nowait(None)


async def health(request: Request) -> Response:
    return PlainTextResponse("ok")


async def feed_start(request: Request) -> Response:
    body = await request.json()
    task = asyncio.get_running_loop().create_task(produce(body["count"], body["intervalMs"] / 1000))
    producers.add(task)
    task.add_done_callback(producers.discard)
    return PlainTextResponse("started")


app = Starlette(
    routes=[
        Route("/health", health),
        Route("/feed-start", feed_start, methods=["POST"]),
        WebSocketRoute("/hot", hot),
        WebSocketRoute("/paced", paced),
        WebSocketRoute("/feed", feed),
    ]
)
