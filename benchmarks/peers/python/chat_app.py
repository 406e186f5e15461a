"""FastAPI with sse-starlette: answers after sign-in, kept in SQLite when they are complete."""

import asyncio
import hmac
import json
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import aiosqlite
from fastapi import Cookie, Depends, FastAPI, HTTPException, Request
from openai import AsyncOpenAI
from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse

SECRET = os.environ["BENCH_SECRET"].encode()


class Count(BaseModel):
    count: int


class Pace(Count):
    interval: Annotated[int, Field(alias="intervalMs")]


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    client = AsyncOpenAI(base_url=os.environ["BENCH_MODEL"], api_key="none")
    async with client, aiosqlite.connect(os.environ["BENCH_DATABASE"]) as database:
        await database.execute("PRAGMA journal_mode = WAL")
        await database.execute("PRAGMA synchronous = NORMAL")
        await database.execute("CREATE TABLE IF NOT EXISTS answer (owner TEXT, text TEXT)")
        app.state.client, app.state.database = client, database
        yield


async def signed_in(session: Annotated[str, Cookie()] = "") -> str:
    name, _, signature = session.partition(".")
    expected = hmac.digest(SECRET, name.encode(), "sha256").hex()
    if not hmac.compare_digest(signature, expected):
        raise HTTPException(401)
    return name


Owner = Annotated[str, Depends(signed_in)]
app = FastAPI(lifespan=lifespan)


async def events(request: Request, owner: str, words: AsyncIterator[str]) -> AsyncIterator[str]:
    said: list[str] = []
    async for word in words:
        said.append(word)
        yield json.dumps({"text": word})
    database: aiosqlite.Connection = request.app.state.database
    await database.execute("INSERT INTO answer VALUES (?, ?)", (owner, "".join(said)))
    await database.commit()


async def paced(pace: Pace) -> AsyncIterator[str]:
    for i in range(pace.count):
        await asyncio.sleep(pace.interval / 1000)
        yield f"token {i} ns={time.monotonic_ns()} "


async def model_words(client: AsyncOpenAI, count: int) -> AsyncIterator[str]:
    stream = await client.chat.completions.create(
        model="local", messages=[{"role": "user", "content": str(count)}], stream=True
    )
    async for chunk in stream:
        if chunk.choices and (word := chunk.choices[0].delta.content):
            yield word


@app.get("/health")
async def health() -> dict[str, str]:
    return {}


@app.post("/answer")
async def answer(body: Pace, request: Request, owner: Owner) -> EventSourceResponse:
    return EventSourceResponse(events(request, owner, paced(body)))


@app.post("/chat")
async def chat(body: Count, request: Request, owner: Owner) -> EventSourceResponse:
    words = model_words(request.app.state.client, body.count)
    return EventSourceResponse(events(request, owner, words))
