"""Readers that stop reading, of a run that says a great deal.

    python -m tests.durability.slow [stalled readers] [megabytes]

The run is read twice over: once by lively readers only, once next to readers that take the head
of the response and then nothing more.
"""

import asyncio
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Final

from tests.durability.storm import SPARE, allow_descriptors
from tests.support.command import CommandServer
from tests.support.stopping import PIECE
from tests.support.wire import exchange, post, request

LIVELY: Final = 4
_RECEIVE_BYTES: Final = 4096
"""What the kernel keeps for a reader that does not read, as little as it lets itself be told."""
_SAMPLE_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was seen.

    Attributes:
        stalled: Readers that stopped reading.
        megabytes: How much the run said.
        seconds_alone: How long the lively readers took without the others.
        seconds_next_to_others: How long they took next to the others.
        resident_before: Bytes of memory that the server had when only lively ones had read.
        resident_most: Bytes that it had at most while there were others.
        whole: Readings by lively readers that came to the run's end.
    """

    stalled: int
    megabytes: int
    seconds_alone: float
    seconds_next_to_others: float
    resident_before: int
    resident_most: int
    whole: int


def run(stalled: int = 50, megabytes: int = 50) -> Report:
    """Do it in an event loop and a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(pour(Path(folder), stalled, megabytes))


async def pour(folder: Path, stalled: int, megabytes: int) -> Report:
    """Read the run twice, and say what was seen."""
    allow_descriptors(stalled + SPARE)
    target, log = "tests.support.stopping:actions", folder / "server.log"
    with CommandServer(target, log, {"RUNS": str(folder)}) as server:
        await server.wait_until_listening()
        alone, whole = await read_by_many(server.port, 0, megabytes)
        before = server.resident_bytes()
        async with watched(server) as samples:
            shared, whole_shared = await read_by_many(server.port, stalled, megabytes)
    return Report(
        stalled=stalled,
        megabytes=megabytes,
        seconds_alone=alone,
        seconds_next_to_others=shared,
        resident_before=before,
        resident_most=max(samples),
        whole=whole + whole_shared,
    )


async def read_by_many(port: int, stalled: int, megabytes: int) -> tuple[float, int]:
    """Return how long lively readers took for a run, and how many of them saw its end."""
    start = post("/pour", {"pieces": megabytes * 1_000_000 // len(PIECE)})
    async with AsyncExitStack() as stack:
        first = await stack.enter_async_context(exchange(port, start))
        follow = request("GET", f"/runs/{first.headers['run-id']}/events?after=0")
        for _ in range(stalled):
            await stack.enter_async_context(stalled_reader(port, follow))
        started = monotonic()
        others = [await stack.enter_async_context(exchange(port, follow)) for _ in range(LIVELY)]
        async with asyncio.TaskGroup() as group:
            reads = [group.create_task(is_whole(each.pieces())) for each in (first, *others)]
        return monotonic() - started, sum(read.result() for read in reads)


async def is_whole(pieces: AsyncIterator[bytes]) -> bool:
    """Read to the end, keep nothing, and say whether that was the run's end too."""
    newest = b""
    async for piece in pieces:
        newest = (newest + piece)[-100:]
    return b"\nevent: done\n" in newest


@asynccontextmanager
async def stalled_reader(port: int, data: bytes) -> AsyncGenerator[None]:
    """Send a request, wait until its answer begins, and read nothing of it."""
    loop = asyncio.get_running_loop()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BYTES)
        sock.setblocking(False)
        await loop.sock_connect(sock, ("127.0.0.1", port))
        await loop.sock_sendall(sock, data)
        await loop.sock_recv(sock, 1)
        yield


@asynccontextmanager
async def watched(server: CommandServer) -> AsyncGenerator[list[int]]:
    """Look at the server's memory every so often."""
    samples = [server.resident_bytes()]

    async def watch() -> None:
        while True:
            await asyncio.sleep(_SAMPLE_SECONDS)
            samples.append(server.resident_bytes())

    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch())
        yield samples
        task.cancel()


if __name__ == "__main__":
    print(run(*map(int, sys.argv[1:])))  # noqa: T201 - a program
