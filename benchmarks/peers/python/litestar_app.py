"""Litestar: `ServerSentEvent` over a generator, and its channels for the feed."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass

from litestar import Litestar, get, post
from litestar.background_tasks import BackgroundTask
from litestar.channels import ChannelsPlugin
from litestar.channels.backends.memory import MemoryChannelsBackend
from litestar.response import Response, ServerSentEvent, ServerSentEventMessage
from litestar.serialization import encode_json

KEPT = [{"text": f"token {i} "} for i in range(100_000)]
END = b"end"


@dataclass
class Count:
    count: int


@dataclass
class Pace:
    count: int
    intervalMs: int  # noqa: N815 - the name on the wire


@get("/health")
async def health() -> dict[str, str]:
    return {}


@post(["/hot", "/endless"], status_code=200)
async def hot(data: Count) -> ServerSentEvent:
    async def events() -> AsyncIterator[bytes]:
        for i in range(data.count):
            yield encode_json({"text": f"token {i} "})

    return ServerSentEvent(events())


async def tokens(pace: Pace) -> AsyncIterator[bytes]:
    for i in range(pace.count):
        await asyncio.sleep(pace.intervalMs / 1000)
        yield encode_json({"text": f"token {i} ", "ns": time.monotonic_ns()})


@post("/paced", status_code=200)
async def paced(data: Pace) -> ServerSentEvent:
    return ServerSentEvent(tokens(data))


@get("/feed")
async def feed(channels: ChannelsPlugin) -> ServerSentEvent:
    async def events() -> AsyncIterator[bytes | ServerSentEventMessage]:
        async with channels.start_subscription("feed") as subscriber:
            yield ServerSentEventMessage(data=None, comment="joined")
            async for event in subscriber.iter_events():
                if event == END:
                    break
                yield event

    return ServerSentEvent(events())


async def produce(channels: ChannelsPlugin, pace: Pace) -> None:
    async for event in tokens(pace):
        channels.publish(event, "feed")
    channels.publish(END, "feed")


@post("/feed-start")
async def feed_start(data: Pace, channels: ChannelsPlugin) -> Response[dict[str, str]]:
    return Response({}, background=BackgroundTask(produce, channels, data))


@get("/replay")
async def replay() -> ServerSentEvent:
    async def events() -> AsyncIterator[bytes]:
        for value in KEPT:
            yield encode_json(value)

    return ServerSentEvent(events())


@post("/spin", status_code=200)
async def spin() -> ServerSentEvent:
    async def events() -> AsyncIterator[bytes]:
        for i in itertools.count():
            yield encode_json({"text": f"token {i} "})

    return ServerSentEvent(events())


app = Litestar(
    [health, hot, paced, feed, feed_start, replay, spin],
    plugins=[ChannelsPlugin(MemoryChannelsBackend(), channels=["feed"])],
)
