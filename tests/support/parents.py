"""A program with a parent whose child is executed by another process.

python -m tests.support.parents runs.db
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

from yieldwire.actions.context import Context
from yieldwire.app import App
from yieldwire.clock import Timing
from yieldwire.executors import Prepared
from yieldwire.executors.local import LocalExecutor
from yieldwire.stores.sqlite import SQLiteStore

BRIEF: Final = b'{"state":{},"request":{}}'
"""The facts of a run that no request has started."""


async def hang() -> AsyncIterator[int]:
    """Yield once, and never end."""
    yield 1
    await asyncio.Event().wait()


class Elsewhere(LocalExecutor):
    """Leaves children to another process."""

    async def enqueue(self, run_id: str, prepared: Prepared | None = None, /) -> None:
        if prepared is None or prepared.take()[0].parent is not None:
            return
        self._worker.begin(run_id)


def raise_family(file: Path, *, executor: LocalExecutor | None = None) -> App:
    """Return an application with a parent and its child."""
    timing = Timing(lease=0.6, sweep_every=0.1, grace=0.1)
    app = App(store=SQLiteStore(file), executor=executor, timing=timing)
    child = app.action(hang)

    @app.action
    async def parent(ctx: Context) -> AsyncIterator[str]:
        yield (await ctx.start(child)).id
        await asyncio.Event().wait()

    return app


async def main() -> None:
    """Start the parent, and print its id and its child's."""
    app = raise_family(Path(sys.argv[1]), executor=Elsewhere())
    run = await app.start(app.registry.action_named("parent"))
    async for child_id in run:
        print(run.id, child_id, flush=True)  # noqa: T201 - read by the test


if __name__ == "__main__":
    asyncio.run(main())
