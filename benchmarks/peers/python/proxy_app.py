"""A proxy in front of a model server: after sign-in it passes the bytes on, and keeps nothing."""

import hmac
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

SECRET = os.environ["BENCH_SECRET"].encode()
MODEL = os.environ["BENCH_MODEL"]


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(limits=limits, timeout=60.0) as client:
        app.state.client = client
        yield


def is_signed_in(session: str) -> bool:
    name, _, signature = session.partition(".")
    expected = hmac.digest(SECRET, name.encode(), "sha256").hex()
    return hmac.compare_digest(signature, expected)


async def health(_: Request) -> Response:
    return JSONResponse({})


async def chat(request: Request) -> Response:
    if not is_signed_in(request.cookies.get("session", "")):
        return Response(status_code=401)
    count = (await request.json())["count"]
    asked = {
        "model": "local",
        "messages": [{"role": "user", "content": str(count)}],
        "stream": True,
    }
    client: httpx.AsyncClient = request.app.state.client
    upstream = client.build_request("POST", f"{MODEL}/chat/completions", json=asked)
    answer = await client.send(upstream, stream=True)

    async def body() -> AsyncIterator[bytes]:
        try:
            async for piece in answer.aiter_raw():
                yield piece
        finally:
            await answer.aclose()

    return StreamingResponse(body(), answer.status_code, media_type=answer.headers["content-type"])


app = Starlette(
    routes=[Route("/health", health), Route("/chat", chat, methods=["POST"])], lifespan=lifespan
)
