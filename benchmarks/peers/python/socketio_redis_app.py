"""python-socketio with its Redis manager: the processes that readers are connected to."""

import json
import os

import socketio
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

URL = os.environ["BENCH_REDIS"]
redis = Redis.from_url(URL)
sio = socketio.AsyncServer(
    async_mode="asgi", client_manager=socketio.AsyncRedisManager(URL), transports=["websocket"]
)


@sio.on("work")
async def work(sid: str, body: dict[str, float]) -> None:
    """Leave the work to the worker, which answers this reader."""
    await redis.rpush("work", json.dumps({"sid": sid, **body}))


async def health(request: Request) -> Response:
    return JSONResponse({})


app = socketio.ASGIApp(sio, Starlette(routes=[Route("/health", health)]))
