"""An application whose runs wait, and which says what its process holds."""

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

from yieldwire import Actions, Text, Timing

actions = Actions(max_runs=None, timing=Timing(sweep_every=0.05))


@actions.action(linger=0.1)
async def wait() -> AsyncIterator[Text]:
    """Say one word, then nothing more."""
    yield Text("waiting")
    await asyncio.Event().wait()


@actions.feed(shared=True, linger=0.1)
async def silence() -> AsyncIterator[Text]:
    """Say one word to everybody, then nothing more."""
    yield Text("silence")
    await asyncio.Event().wait()


@actions.action
async def holdings() -> dict[str, int]:
    """Count what the process holds."""
    return {
        "tasks": len(asyncio.all_tasks()),
        "threads": threading.active_count(),
        "descriptors": open_files(),
    }


def open_files() -> int:
    """Count the descriptors that the process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
