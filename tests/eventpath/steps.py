"""What each step of a hot event takes: ``python -m tests.eventpath.steps``.

Each step is the difference between two loops, of which one does that step in addition. A loop's
time is the shortest of its rounds. ``--write`` puts the table into *What an event costs*.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from tests.eventpath.measure import hot
from tests.eventpath.scene import STILL, site, start
from yieldwire import Actions
from yieldwire.actions.encoding import encoding_of
from yieldwire.clock import SystemClock
from yieldwire.codecs.sse import SSEEncoder
from yieldwire.executors.pending import BLOCK_EVENTS
from yieldwire.hooks import Hooks
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord, new_run_id
from yieldwire.stores.memory import MemoryStore

PAGE: Final = Path(__file__).parents[2] / "docs/explanation/what-an-event-costs.md"
HEAD: Final = "| | ns |\n|---|---:|\n"
EVENTS: Final = 100_000
ROUNDS: Final = 15
_TYPE: Final = TypeAdapter(dict[str, str])
_ENCODE: Final = encoding_of(dict[str, str], _TYPE).quick or _TYPE.dump_json

Measured = Mapping[str, float]
"""Nanoseconds an event, by step, in the order of the event's way."""


async def measured(events: int = EVENTS, rounds: int = ROUNDS) -> Measured:
    """Measure every step with streams of ``events`` events."""
    loops = (handle, iterate, serialize, execute, answer, partial(frame, await execute(events)))
    handled, iterated, serialized, executed, answered, framed = [
        each / events for each in await _shortest(loops, events, rounds)
    ]
    return {
        "the handler: a formatted string, a dictionary": handled,
        "`async for` over the generator": iterated - handled,
        "its JSON, by msgspec": serialized - iterated,
        "checking its size, adding it to the block, reading the clock": executed - serialized,
        "its frame, encoded from the block in one step for all of its events": framed,
        f"1/{BLOCK_EVENTS} of a block's cost: deliver, one `send`": answered - executed - framed,
    }


async def handle(n: int) -> None:
    """Make the chunks of `hot`."""
    for i in range(n):
        _ = {"text": f"token {i} "}


async def iterate(n: int) -> None:
    """Make and iterate over them."""
    async for _ in hot(n):
        pass


async def serialize(n: int) -> None:
    """Make, iterate over and serialize them."""
    async for chunk in hot(n):
        _ENCODE(chunk)


async def execute(n: int) -> Sequence[Block]:
    """Execute a run that nobody reads, and return its log."""
    store, ends = MemoryStore(), _Ends()
    actions = Actions(store=store, timing=STILL, hooks=[ends])
    run = await actions.start(actions.action(hot), n=n)
    await ends.come.wait()
    blocks = await store.read(run.id, 0, max_bytes=sys.maxsize)
    await actions.app.close()
    return blocks


async def answer(n: int) -> None:
    """Answer a request: execute its run, and send the events."""
    actions = site(MemoryStore(), SystemClock(), hot)
    await start("hot", n).listen(actions)
    await actions.app.close()


async def frame(blocks: Sequence[Block], _: int) -> None:
    """Encode the frames of a log, as those of a new run: they are kept for each block."""
    run_id = new_run_id()
    for block in blocks:
        SSEEncoder.encode(replace(block, run_id=run_id))


class _Ends(Hooks):
    def __init__(self) -> None:
        self.come = asyncio.Event()

    def run_ended(self, _: RunRecord, /) -> None:
        self.come.set()


async def _shortest(
    loops: Sequence[Callable[[int], Awaitable[object]]], events: int, rounds: int
) -> list[float]:
    """Return the shortest time of each loop, in nanoseconds; each round has all of them."""
    times: list[list[int]] = [[] for _ in loops]
    for _ in range(rounds):
        for loop, known in zip(loops, times, strict=True):
            began = time.perf_counter_ns()
            await loop(events)
            known.append(time.perf_counter_ns() - began)
    return [min(known) for known in times]


def table(steps: Measured) -> str:
    """Return the table of the page."""
    rows = [f"| {step} | {max(10, round(cost, -1)):.0f} |\n" for step, cost in steps.items()]
    return HEAD + "".join(rows)


def main() -> None:
    """Measure, and print the table or write it into the page."""
    parser = argparse.ArgumentParser(prog="python -m tests.eventpath.steps", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    asked = parser.parse_args()
    made = table(asyncio.run(measured()))
    sys.stdout.write(made)
    if asked.write:
        before, _, rest = PAGE.read_text().partition(HEAD)
        _, _, after = rest.partition("\n\n")
        PAGE.write_text(f"{before}{made}\n{after}")


if __name__ == "__main__":
    main()
