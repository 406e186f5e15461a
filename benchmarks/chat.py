"""Yieldwire's server for answers as an application gives them: after sign-in, and kept.

`BENCH_STORE` names the store, `BENCH_SECRET` signs the sessions, and `BENCH_MODEL` is the URL of
the model server.
"""

import asyncio
import hmac
import os
import time
from collections.abc import AsyncIterator
from typing import Annotated

from openai import AsyncOpenAI
from starlette.requests import HTTPConnection

from yieldwire import Actions, Context, RequestLimits, Text, Unauthorized, Use
from yieldwire.ai import Chunk
from yieldwire.ai.openai import chat_chunks

SECRET = os.environ["BENCH_SECRET"].encode()


async def who(request: HTTPConnection) -> str | None:
    """Return whose session it is, if its signature is right."""
    name, _, signature = request.cookies.get("session", "").partition(".")
    expected = hmac.digest(SECRET, name.encode(), "sha256").hex()
    return name if hmac.compare_digest(signature, expected) else None


async def signed_in(ctx: Context) -> None:
    """Refuse a start without a session."""
    if ctx.owner is None:
        raise Unauthorized


# All load comes from one caller, so the limits per caller are raised.
actions = Actions(
    store=os.environ["BENCH_STORE"],
    identify=who,
    guards=[signed_in],
    request_limits=RequestLimits(streams=20_000),
    max_runs=None,
)


@actions.resource
async def open_client() -> AsyncIterator[AsyncOpenAI]:
    """Open the model server's client."""
    async with AsyncOpenAI(base_url=os.environ["BENCH_MODEL"], api_key="none") as client:
        yield client


@actions.action
async def answer(count: int, intervalMs: float) -> AsyncIterator[Text]:  # noqa: N803 - as it is on the wire
    """Give an answer, word by word (scene L)."""
    for i in range(count):
        await asyncio.sleep(intervalMs / 1000)
        yield Text(f"token {i} ns={time.monotonic_ns()} ")


@actions.action
async def chat(
    count: int, client: Annotated[AsyncOpenAI, Use(open_client)]
) -> AsyncIterator[Chunk]:
    """Pass on what a model says (scene M)."""
    stream = await client.chat.completions.create(
        model="local", messages=[{"role": "user", "content": str(count)}], stream=True
    )
    async for chunk in chat_chunks(stream):
        yield chunk
