"""python-socketio on uvicorn: one `emit` for everybody. Only the feed, which is what it is for."""

import asyncio

import socketio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

sio = socketio.AsyncServer(async_mode="asgi")


async def health(request: Request) -> Response:
    return JSONResponse({})


async def produce(count: int, interval: float) -> None:
    for i in range(count):
        await asyncio.sleep(interval)
        await sio.emit("token", {"text": f"token {i} "})


async def feed_start(request: Request) -> Response:
    body = await request.json()
    task = BackgroundTask(produce, body["count"], body["intervalMs"] / 1000)
    return JSONResponse({}, background=task)


routes = [Route("/health", health), Route("/feed-start", feed_start, methods=["POST"])]
app = socketio.ASGIApp(sio, Starlette(routes=routes))
