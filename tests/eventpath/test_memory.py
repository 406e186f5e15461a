"""How much memory an open stream keeps, as far as Yieldwire itself allocates it."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import yieldwire
from tests.eventpath.scene import site, start
from yieldwire.clock import SystemClock
from yieldwire.stores.memory import MemoryStore

STREAMS: Final = 100
EVENTS: Final = 3
EVENT_BYTES: Final = 1000
OWN: Final = tracemalloc.Filter(inclusive=True, filename_pattern=f"{Path(yieldwire.__path__[0])}/*")


async def test_an_open_stream_keeps_little_memory_beyond_its_log() -> None:
    opened = list[int]()
    text = "x" * EVENT_BYTES

    async def trickling(n: int) -> AsyncIterator[str]:
        for _ in range(EVENTS):
            yield text
            await asyncio.sleep(0)
        opened.append(n)
        await asyncio.Event().wait()

    actions = site(MemoryStore(), SystemClock(), trickling)

    async def open_streams(group: asyncio.TaskGroup, count: int) -> None:
        until = len(opened) + count
        for _ in range(count):
            group.create_task(start("trickling", 1).listen(actions))
        while len(opened) < until:  # noqa: ASYNC110 - the runs' own list
            await asyncio.sleep(0.001)
        gc.collect()

    async with actions.lifespan(), asyncio.TaskGroup() as group:
        await open_streams(group, 1)  # what is made once
        tracemalloc.start()
        try:
            await open_streams(group, STREAMS)
            found = tracemalloc.take_snapshot().filter_traces([OWN]).statistics("filename")
        finally:
            tracemalloc.stop()
        await actions.app.close()

    taken = sum(each.size for each in found) / STREAMS
    assert taken - EVENTS * EVENT_BYTES < 8_000
