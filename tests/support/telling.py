"""A program that sends messages to a run and saves its place until it is killed.

python -m tests.support.telling runs.db

It writes the run's id, and then a line for each thing that the store has acknowledged.
"""

import asyncio
import os
import sys
from pathlib import Path

from yieldwire.log.message import Message
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore
from yieldwire.stores.sqlite import SQLiteStore
from yieldwire.testing.contract.harness import chunks, claimed

SENDERS = 3


def told(line: str) -> None:
    """Write a line at once: nothing of it is in this process when it is killed."""
    os.write(1, line.encode() + b"\n")


async def send(store: RunStore, run: RunRecord, who: int) -> None:
    n = 0
    while True:
        n += 1
        name = f"{who}-{n}"
        message = Message(0, name.encode(), name if n % 2 else None, key=name)
        sent = await store.send(run.id, message, most=100_000, most_bytes=10_000_000)
        told(f"sent {sent.number} {name}")


async def save(store: RunStore, run: RunRecord) -> None:
    seq = 0
    while True:
        await store.append(run.id, chunks(run.id, seq + 1, 1), after=seq, fence=run.fence)
        seq += 1
        await store.save(run.id, "saved", b"%d" % seq, seq=seq, fence=run.fence)
        told(f"saved {seq} -")


async def main(path: Path) -> None:
    store = SQLiteStore(path)
    run = await claimed(store)
    told(f"run {run.id} -")
    async with asyncio.TaskGroup() as group:
        group.create_task(save(store, run))
        for who in range(SENDERS):
            group.create_task(send(store, run, who))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
