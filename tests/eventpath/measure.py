"""The program that runs under Callgrind: each section twice, once short and once long.

What a section costs by the event is the difference of its two sizes, which cancels whatever
it costs to begin one. The reference is pure Python of the kind that the event path is made of.
It runs in the same process, so that what makes instructions cheap or dear (the build of the
interpreter, the C library, the processor) does so to both.

Nothing here depends on time: the loop's clock does not move, so that a block is full when all
of its events are there, however slow Valgrind makes them.
"""

import asyncio
import ctypes
import gc
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import repeat
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias

from pydantic import BaseModel

from tests.eventpath.scene import site, socket, start
from tests.eventpath.section import REFERENCE, SECTIONS, Section
from yieldwire import Actions
from yieldwire.stores import RunStore
from yieldwire.stores.memory import MemoryStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.clock import MovingClock

MOMENT = 1000.0
Way: TypeAlias = Callable[[str, int], Awaitable[None]]
"""Runs an action over that number of events, and returns at the end of its answer."""


def main() -> None:
    """Measure every section."""
    # A thread keeps the processor until it waits: when it must let go is a matter of time.
    sys.setswitchinterval(3600.0)
    loop = asyncio.SelectorEventLoop()
    vars(loop)["time"] = repeat(MOMENT).__next__
    with asyncio.Runner(loop_factory=lambda: loop, debug=False) as runner:
        runner.run(measure(ctypes.CDLL(sys.argv[1])))


async def measure(marks: ctypes.CDLL) -> None:
    """Run every section, the reference first; each is warm before it is measured."""
    with TemporaryDirectory() as folder:
        clock, file = MovingClock(), Path(folder) / "runs.db"
        stores: dict[str, RunStore] = {
            "memory": MemoryStore(clock=clock),
            "sqlite": SQLiteStore(file, clock=clock),
        }
        sites = {
            name: site(store, clock, hot, hot_models, yielding) for name, store in stores.items()
        }
        async with socket(sites["memory"]) as listen:
            marks.watch()
            await measure_section(marks, REFERENCE, refer)
            for section in SECTIONS:
                way = listen if section.is_socket else over_http(sites[section.store])
                await measure_section(marks, section, path(way, section))
        for actions in sites.values():
            await actions.app.close()


async def measure_section(
    marks: ctypes.CDLL, section: Section, run: Callable[[int], Awaitable[None]]
) -> None:
    await run(section.sizes[0])
    for size in section.sizes:
        gc.collect()
        gc.freeze()  # what was made before costs the next collection nothing
        marks.begin()
        await run(size)
        marks.end(section.mark(size).encode())


def over_http(actions: Actions) -> Way:
    async def listen(action: str, n: int) -> None:
        await start(action, n).listen(actions)

    return listen


def path(way: Way, section: Section) -> Callable[[int], Awaitable[None]]:
    async def run_events(size: int) -> None:
        await way(section.action, size)

    async def run_requests(size: int) -> None:
        for _ in range(size):
            await way(section.action, 10)

    return run_requests if section.is_short else run_events


class Token(BaseModel):
    """A chunk as a model."""

    text: str


async def hot(n: int) -> AsyncIterator[dict[str, str]]:
    """Yield as fast as it can, and never wait."""
    for i in range(n):
        yield {"text": f"token {i} "}


async def hot_models(n: int) -> AsyncIterator[Token]:
    """The same in models."""
    for i in range(n):
        yield Token(text=f"token {i} ")


async def yielding(n: int) -> AsyncIterator[dict[str, str]]:
    """Suspend after each chunk, for no time at all."""
    for i in range(n):
        yield {"text": f"token {i} "}
        await asyncio.sleep(0)


async def refer(size: int) -> None:
    """Format frames and gather them, step an async generator, look things up."""
    frames: list[bytes] = []
    counts: dict[int, int] = {}
    sent = 0
    async for seq in numbers(size):
        data = b'{"text":"token %d "}' % seq
        frames.append(b"id: %b.%d\ndata: %b\n\n" % (b"reference", seq, data))
        counts[seq & 63] = counts.get(seq & 63, 0) + len(data)
        if len(frames) >= 256:
            sent += len(b"".join(frames))
            frames = []
            await asyncio.sleep(0)


async def numbers(size: int) -> AsyncIterator[int]:
    for number in range(size):
        yield number


if __name__ == "__main__":
    main()
