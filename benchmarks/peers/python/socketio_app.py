"""python-socketio on uvicorn: a reader emits what it wants, and gets an event for each token."""

import asyncio
import time

import socketio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

sio = socketio.AsyncServer(async_mode="asgi")
connected: set[str] = set()


@sio.event
async def connect(sid: str, environ: dict[str, str]) -> None:
    connected.add(sid)


@sio.event
async def disconnect(sid: str, reason: str) -> None:
    connected.discard(sid)


@sio.on("hot")
async def hot(sid: str, asked: dict[str, int]) -> None:
    for i in range(asked["count"]):
        await sio.emit("token", {"text": f"token {i} "}, to=sid)
    await sio.emit("end", to=sid)


@sio.on("paced")
async def paced(sid: str, asked: dict[str, int]) -> None:
    for i in range(asked["count"]):
        await asyncio.sleep(asked["intervalMs"] / 1000)
        if sid not in connected:
            return
        await sio.emit("token", {"text": f"token {i} ", "ns": time.monotonic_ns()}, to=sid)
    await sio.emit("end", to=sid)


@sio.on("feed")
async def feed(sid: str, asked: dict[str, int]) -> None:
    await sio.enter_room(sid, "feed")


async def produce(count: int, interval: float) -> None:
    for i in range(count):
        await asyncio.sleep(interval)
        await sio.emit("token", {"text": f"token {i} ", "ns": time.monotonic_ns()}, room="feed")
    await sio.emit("end", room="feed")


async def health(request: Request) -> Response:
    return JSONResponse({})


async def feed_start(request: Request) -> Response:
    body = await request.json()
    task = BackgroundTask(produce, body["count"], body["intervalMs"] / 1000)
    return JSONResponse({}, background=task)


routes = [Route("/health", health), Route("/feed-start", feed_start, methods=["POST"])]
app = socketio.ASGIApp(sio, Starlette(routes=routes))
