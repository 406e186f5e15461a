"""The process that produces: for everybody, and for each reader that asks."""

import asyncio
import itertools
import json
import os
import time

import socketio
import uvloop
from redis.asyncio import Redis

URL = os.environ["BENCH_REDIS"]


async def produce(manager: socketio.AsyncRedisManager, room: str, count: int, pause: float) -> None:
    for i in range(count):
        await asyncio.sleep(pause)
        event = {"text": f"token {i} ", "ns": time.monotonic_ns()}
        await manager.emit("token", event, room=room)


async def tick(manager: socketio.AsyncRedisManager) -> None:
    for i in itertools.count():
        await asyncio.sleep(0.05)
        await manager.emit("token", {"text": f"token {i} ", "ns": time.monotonic_ns()})


async def main() -> None:
    redis, manager = Redis.from_url(URL), socketio.AsyncRedisManager(URL, write_only=True)
    async with asyncio.TaskGroup() as group:
        is_ticking = False
        while True:
            _, said = await redis.blpop("work")
            work = json.loads(said)
            if "count" in work:
                pause = work["intervalMs"] / 1000
                group.create_task(produce(manager, work["sid"], work["count"], pause))
            elif not is_ticking:
                is_ticking = True
                group.create_task(tick(manager))


if __name__ == "__main__":
    uvloop.run(main())
