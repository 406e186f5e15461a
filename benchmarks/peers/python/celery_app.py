"""Starlette in front of Celery: a stream asks for its task's state, and sends what is new.

An event that is replaced before it is asked for is never sent.
"""

import asyncio
from collections.abc import AsyncIterator

from celery_tasks import produce
from encoding import encode
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

POLL_SECONDS = 0.1


async def health(request: Request) -> Response:
    return JSONResponse({})


async def follow(task: str) -> AsyncIterator[bytes]:
    yield b": opened\n\n"
    seen = None
    while True:
        state = await asyncio.to_thread(produce.backend.get_task_meta, task, cache=False)
        if state["status"] == "PROGRESS" and state["result"] != seen:
            seen = state["result"]
            yield b"data: %b\n\n" % encode(seen)
        elif state["status"] in {"SUCCESS", "FAILURE"}:
            return
        await asyncio.sleep(POLL_SECONDS)


async def worked(request: Request) -> Response:
    body = await request.json()
    task = await asyncio.to_thread(produce.delay, body["count"], body["intervalMs"] / 1000)
    return StreamingResponse(follow(task.id), media_type="text/event-stream")


app = Starlette(routes=[Route("/health", health), Route("/worked", worked, methods=["POST"])])
