"""An application that takes files, and a program that starts it and is killed at some point.

python -m tests.support.crashing runs.db POINT
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Final

from yieldwire.actions.context import Context
from yieldwire.actions.run import Run
from yieldwire.actions.upload import Upload
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores import Admission
from yieldwire.stores.sqlite import SQLiteStore

POINTS: Final = ("half", "kept", "created", "running", "ended")


@dataclass
class Box:
    """Files in something that is not a model."""

    files: set[Upload]


async def take(box: Box, ctx: Context) -> AsyncIterator[bool]:
    """Say whether the files are there; the first attempt of some never ends."""
    contents = [await file.read() for file in box.files]
    yield sorted(contents) == [b"a", b"b"]
    if ctx.attempt == 1 and "running" in sys.argv:
        die()


def die(fd: object = None) -> None:
    """Be killed."""
    os.kill(os.getpid(), signal.SIGKILL)


class DyingStore(SQLiteStore):
    """A store whose process is killed at a point."""

    point = ""

    async def create(self, run: RunRecord, admission: Admission, /) -> RunRecord:
        if self.point == "kept":
            die()
        made = await super().create(run, admission)
        if self.point == "created":
            die()
        return made

    async def append(self, run_id: str, block: Block, *, after: int, fence: int) -> int:
        last = await super().append(run_id, block, after=after, fence=fence)
        if block.end is not None and self.point == "ended":
            die()
        return last


async def main(path: Path, point: str) -> None:
    """Start a run, and be killed meanwhile."""
    store = DyingStore(path)
    store.point = point
    if point == "half":
        os.fsync = die  # when the first file has been written
    app = App(store=store, timing=Timing(sweep_every=600))
    action = app.action(retries=1)(take)
    run: Run[object] = await app.start(action, {"box": {"files": [BytesIO(b"a"), BytesIO(b"b")]}})
    await run.result()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
