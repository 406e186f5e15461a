"""Append to a run until the disk is full, then make room and continue; print the result as JSON.

Its own process, because it is the process whose files are not allowed to grow.
"""

import asyncio
import resource
import sys
from pathlib import Path
from typing import Any

from pydantic_core import to_json

from yieldwire.errors import StoreError
from yieldwire.log.events import Block
from yieldwire.log.run import RunRecord
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.contract.harness import chunks, claimed, log_of

ROOM = 400_000


async def append_until_full(store: SQLiteStore, run: RunRecord) -> tuple[Block, str]:
    """Return the first block that is refused, and the reason."""
    seq = 0
    while True:
        block = chunks(run.id, seq + 1, 200)
        try:
            seq = await store.append(run.id, block, after=seq, fence=run.fence)
        except StoreError as exc:
            return block, str(exc)


async def main(path: Path) -> dict[str, Any]:
    """Return what was seen."""
    store = SQLiteStore(path)
    run = await claimed(store)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (ROOM, most)
    )  # the signal for it is ignored by Python
    refused, reason = await append_until_full(store, run)
    seen: dict[str, Any] = {"run": run.id, "refused": refused.first, "reason": reason}
    seen["read"] = [event.seq for event in await log_of(store, run.id)]
    seen["status"] = (await store.get(run.id)).status
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    seen["last"] = await store.append(run.id, refused, after=refused.first - 1, fence=run.fence)
    await store.close()
    return seen


if __name__ == "__main__":
    sys.stdout.buffer.write(to_json(asyncio.run(main(Path(sys.argv[1])))))
