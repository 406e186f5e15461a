"""The parts of the contract's tests: a store on a moving clock, its runs and blocks."""

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from pydantic_core import to_json

from yieldwire.errors import NotFound, YieldwireError
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.run import RunRecord, new_run_id
from yieldwire.stores import Admission, RunStore

SOON: Final = 30.0
"""Seconds within which something must happen, on the slowest machine."""


class StoreHarness(Protocol):
    """What a subclass of `StoreContract` provides as the fixture ``harness``.

    The harness, not the test, knows how to move time and how to reopen the store.
    """

    @property
    def store(self) -> RunStore:
        """The open store, empty at the test's start."""
        ...

    async def advance(self, seconds: float) -> None:
        """Move every clock that the store uses."""
        ...

    async def jump(self, seconds: float) -> None:
        """Set only the wall clock; does nothing if the store's clock cannot be set."""
        ...

    async def another(self) -> RunStore:
        """Open another instance over the same data, as another process does.

        A store with the reach ``"process"`` is returned itself. The harness closes what it opened.
        """
        ...

    async def reopen(self) -> None:
        """Close the store and open it again, as a restart of the process does.

        A store that is lost with its process does not change.
        """
        ...


@contextmanager
def raises(error: type[YieldwireError]) -> Generator[None, None, None]:
    """Fail unless the block raises ``error``."""
    try:
        yield
    except error:
        return
    raise AssertionError(f"{error.__name__} was not raised")


def record(**fields: Any) -> RunRecord:  # noqa: ANN401 - a record's own fields
    """Return a new run of the action *count*, started by *ada*, with ``fields`` changed."""
    run = RunRecord(id=new_run_id(), action="count", quota_key="owner:ada", owner="ada")
    return run._replace(**fields)


async def created(store: RunStore, **fields: Any) -> RunRecord:  # noqa: ANN401 - as above
    """Create a run without conditions."""
    return await store.create(record(**fields), Admission())


async def claimed(
    store: RunStore,
    *,
    lease: float | None = None,
    **fields: Any,  # noqa: ANN401 - as above
) -> RunRecord:
    """Create a run and start its first attempt."""
    run = await created(store, **fields)
    return await store.claim(run.id, lease=lease)


async def finished(store: RunStore, **fields: Any) -> RunRecord:  # noqa: ANN401 - as above
    """Create a run that has completed with one event."""
    run = await claimed(store, **fields)
    await finish(store, run)
    return await store.get(run.id)


async def finish(
    store: RunStore, run: RunRecord, kind: EventType = EventType.DONE, *, after: int = 0
) -> int:
    """End a running run with one terminal event after ``after``."""
    return await store.append(
        run.id,
        ending(run.id, after + 1, kind),
        after=after,
        fence=run.fence,
    )


def chunks(run_id: str, first: int, count: int, text: str = "chunk") -> Block:
    """Return a block of ``count`` chunks, each with its own seq in it."""
    data = [to_json({"type": "text", "text": f"{text} {first + n}"}) for n in range(count)]
    return Block.of_chunks(run_id, first, data)


def ending(run_id: str, seq: int, kind: EventType = EventType.DONE) -> Block:
    """Return a block of one terminal event."""
    return Block.of_event(run_id, seq, kind, b"{}")


async def pages_of(
    store: RunStore, run_id: str, after: int = 0, *, max_bytes: int = 262_144
) -> list[Sequence[Block]]:
    """Return what a reader gets after ``after``, page by page, up to the log's end."""
    pages: list[Sequence[Block]] = []
    while page := await store.read(run_id, after, max_bytes=max_bytes):
        pages.append(page)
        assert page[-1].last > after, f"the page after {after} leads back to {page[-1].last}"
        after = page[-1].last
    return pages


async def log_of(store: RunStore, run_id: str, after: int = 0) -> list[Event]:
    """Return the events after ``after``."""
    pages = await pages_of(store, run_id, after)
    return [event for page in pages for block in page for event in block.events()]


async def terminal_events(store: RunStore, run_id: str) -> list[EventType]:
    """Return the types of the terminal events in the log; at most one is allowed, as its last."""
    return [event.type for event in await log_of(store, run_id) if event.is_terminal]


async def wakes_all(
    wait: Callable[[], Awaitable[bool]], act: Callable[[], Awaitable[object]], waiters: int
) -> None:
    """Check that ``act`` ends all waits. ``wait`` returns whether it has ended for good."""

    async def follow() -> None:
        try:
            # A wait can return early, so one who woke without news waits again.
            while not await wait():  # noqa: ASYNC110 - the store says when, in whichever process
                await asyncio.sleep(0.01)
        except NotFound:
            return

    async with asyncio.timeout(SOON), asyncio.TaskGroup() as group:
        for _ in range(waiters):
            group.create_task(follow())
        await asyncio.sleep(0)
        await act()
