"""Applications without HTTP, and what their runs come to."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, cast

from pydantic import TypeAdapter

from yieldwire.actions.action import Action
from yieldwire.actions.run import Run
from yieldwire.app import App
from yieldwire.errors import Json
from yieldwire.log.events import Block, Event
from yieldwire.log.run import RunRecord
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore

TypeAdapter(int)  # Pydantic looks for its plugins once, in files, before any loop runs

SOON = 30.0
"""Seconds within which what must happen has happened, on the slowest machine."""


@asynccontextmanager
async def opened(app: App) -> AsyncGenerator[App, None]:
    """Open an application, and close it at the end."""
    await app.open()
    try:
        yield app
    finally:
        async with asyncio.timeout(SOON):
            await app.close()


class CountedStore(MemoryStore):
    """A store that counts what is said to it of readers."""

    holds = 0

    async def hold(self, run_id: str, reader: str, *, seconds: float) -> None:
        self.holds += 1
        await super().hold(run_id, reader, seconds=seconds)


class BlockStore(MemoryStore):
    """A store that remembers the sizes of the blocks, which it packs afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: dict[str, list[int]] = {}

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        last = await super().append(run_id, block, after=after, fence=fence)
        self.sizes.setdefault(run_id, []).append(block.size)
        return last


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A whole log: its chunks, and how it ended."""

    events: list[Event]

    @property
    def chunks(self) -> list[Json]:
        return [event.value for event in self.events[:-1]]

    @property
    def end(self) -> tuple[str, Json]:
        return self.events[-1].type.value, self.events[-1].value

    @property
    def code(self) -> str | None:
        """The error's code, if the run ended with one."""
        code = self.events[-1].value.get("code")
        return code if isinstance(code, str) else None


async def outcome(run: Run[Any]) -> Outcome:
    """Follow a run to its end."""
    async with asyncio.timeout(SOON):
        return Outcome(events=[event async for event in run.events()])


async def call(
    app: App, action: Action[..., Any, Any] | Callable[..., Any], **data: object
) -> Outcome:
    """Run an action, or a function as one, to its end."""
    made = action if isinstance(action, Action) else app.action(action)
    return await outcome(await app.start(made, data))


async def first_chunk(run: Run[Any]) -> Json:
    """Return the first chunk, as soon as it is there."""
    async with asyncio.timeout(SOON):
        async for chunk in run:
            return chunk
    raise AssertionError("the run ended without a chunk")


def block_sizes(app: App, run: Run[Any]) -> list[int]:
    """Return how many events each block had that was appended to a run's log."""
    return cast("BlockStore", app.store).sizes[run.id]


def tasks_of_runs() -> list["asyncio.Task[Any]"]:
    """Return the tasks in which runs are executed, as a library that cancels them finds them.

    They are in the order in which they were made.
    """
    found = [
        task
        for task in asyncio.all_tasks()
        if "Worker._execute" in getattr(task.get_coro(), "__name__", "")
    ]
    return sorted(found, key=lambda task: int(task.get_name().rpartition("-")[2]))


async def children_of(app: App, run_id: str) -> list[RunRecord]:
    """Return the records of a run's children, oldest first."""
    return list(reversed(await app.find(Query(everyone=True, parent=run_id))))


async def ended(app: App, run_id: str) -> RunRecord:
    """Return the record of a run when it has ended."""
    async with asyncio.timeout(SOON):
        while not (run := await app.store.get(run_id)).status.is_terminal:
            await app.store.read(run_id, run.seq, wait=SOON)
    return run
