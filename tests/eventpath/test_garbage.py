"""What a run used is freed where it ends, and does not wait for the garbage collector.

Objects that hold each other are found by Python's collector only, which has to look through
everything that is young each time, and is called the more often the more of them there are.
"""

import asyncio
import gc
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Final

import pytest

from tests.eventpath.scene import NDJSON, SSE, TEXT, Listener, run_id, site
from tests.support.calls import JSON, Call
from yieldwire import ActionError, Context, Stream, StreamableValue
from yieldwire.asgi.exchange import BrokenOff
from yieldwire.clock import SystemClock
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore

REQUESTS: Final = 20
EVENTS: Final = 1000
LONG: Final = b'{"n":100000}'


async def generator(n: int) -> AsyncIterator[dict[str, int]]:
    for i in range(n):
        yield {"i": i}
        await asyncio.sleep(0)


async def with_context(n: int, ctx: Context) -> AsyncIterator[str]:
    yield f"{ctx.run_id} {n}"


async def pushing(n: int, stream: Stream[int]) -> None:
    for i in range(n):
        await stream.send(i)


async def changing(n: int, value: StreamableValue[int]) -> None:
    for i in range(n):
        value.update(i)


def blocking(n: int) -> Iterator[int]:
    yield from range(n)


async def answering(n: int) -> int:
    return n


async def failing(n: int) -> AsyncIterator[int]:
    yield n
    raise ActionError("FULL", "No more room.")


async def refused(n: int) -> AsyncIterator[int]:
    if n:
        raise ActionError("FULL", f"No room for {n}.")
    yield n


async def waiting(n: int) -> AsyncIterator[int]:
    yield n
    await asyncio.Event().wait()


ACTIONS: Final = (
    generator,
    with_context,
    pushing,
    changing,
    blocking,
    answering,
    failing,
    refused,
)


async def garbage_of(ask: Callable[[], Any]) -> list[str]:
    """Return what of Yieldwire's own the collector finds after some requests."""
    await ask()  # what is made once
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        for _ in range(REQUESTS):
            await ask()
        gc.collect()
        return sorted(
            type(found).__qualname__
            for found in gc.garbage
            if type(found).__module__.startswith("yieldwire.")
        )
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def request(action: Callable[..., object], accept: tuple[str, str]) -> Listener:
    path, body = f"/{action.__name__}", b'{"n":3}'
    return Listener(Call(method="POST", target=path, headers=[JSON, accept], body=[body]))


@pytest.mark.parametrize("accept", [SSE, NDJSON, TEXT, ("accept", "application/json")])
@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__name__)
async def test_a_run_leaves_nothing_to_the_garbage_collector(
    action: Callable[..., object], accept: tuple[str, str]
) -> None:
    actions = site(MemoryStore(), SystemClock(), *ACTIONS)

    async def ask() -> None:
        with suppress(BrokenOff):  # plain text cannot say that a run failed
            await request(action, accept).listen(actions)
        await asyncio.sleep(0)

    async with actions.lifespan():
        found = await garbage_of(ask)

    assert found == []


async def test_a_run_in_sqlite_leaves_nothing_to_the_garbage_collector(tmp_path: Path) -> None:
    actions = site(SQLiteStore(tmp_path / "runs.db"), SystemClock(), generator)

    async def ask() -> None:
        await request(generator, SSE).listen(actions)
        await asyncio.sleep(0.01)

    async with actions.lifespan():
        found = await garbage_of(ask)

    assert found == []


async def test_a_run_that_is_stopped_leaves_nothing_to_the_garbage_collector() -> None:
    actions = site(MemoryStore(), SystemClock(), waiting)

    async def ask() -> None:
        listener = request(waiting, SSE)
        async with asyncio.TaskGroup() as group:
            group.create_task(listener.listen(actions))
            await actions.app.cancel(await run_id(listener))
        await asyncio.sleep(0)

    async with actions.lifespan():
        found = await garbage_of(ask)

    assert found == []


async def test_the_events_of_a_slow_stream_leave_no_objects_that_the_collector_looks_at() -> None:
    ticked, tick = list[int](), asyncio.Semaphore(0)

    async def slow(n: int) -> AsyncIterator[int]:
        for i in range(n):
            await tick.acquire()
            ticked.append(i)
            yield i

    actions = site(MemoryStore(), SystemClock(), slow)
    async with actions.lifespan():
        listener = Listener(Call(method="POST", target="/slow", headers=[JSON, SSE], body=[LONG]))
        async with asyncio.TaskGroup() as group:
            group.create_task(listener.listen(actions))
            tracked = list[int]()
            while len(ticked) < EVENTS:
                tick.release()
                for _ in range(3):
                    await asyncio.sleep(0)
                if len(ticked) in {EVENTS // 2, EVENTS}:
                    gc.collect()
                    tracked.append(len(gc.get_objects()))
            await actions.app.cancel(await run_id(listener))

    assert listener.sends > EVENTS
    assert tracked[-1] - tracked[0] < EVENTS / 2 / 50


async def test_a_block_on_its_way_to_a_file_keeps_one_object(tmp_path: Path) -> None:
    path, waiting = tmp_path / "runs.db", list[int]()
    may_begin, may_end = asyncio.Event(), asyncio.Event()

    async def trickling(n: int) -> AsyncIterator[int]:
        yield n
        await asyncio.sleep(0)
        waiting.append(n)
        await may_begin.wait()
        yield n
        await may_end.wait()

    actions = site(SQLiteStore(path), SystemClock(), trickling)
    async with actions.lifespan():
        action = actions.app.registry.action_named("trickling")
        runs = [await actions.app.start(action, {"n": n}) for n in range(REQUESTS)]
        while len(waiting) < REQUESTS:  # noqa: ASYNC110 - the runs' own list
            await asyncio.sleep(0.001)
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")  # holds the writing thread back
            gc.collect()
            before = len(gc.get_objects())
            may_begin.set()
            for _ in range(10):
                await asyncio.sleep(0)
            kept = len(gc.get_objects()) - before
        for run in runs:
            await run.cancel()

    assert REQUESTS <= kept <= 1.5 * REQUESTS
