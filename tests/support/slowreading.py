"""Runs behind stacks of middlewares, each before a reader who does not read for a while."""

import asyncio
import secrets
import socket
from contextlib import suppress
from itertools import cycle
from random import Random
from typing import Any, Final

from tests.support.runs import SOON
from tests.support.stacked import EVENTS, MIDDLEWARES, SECONDS
from tests.support.wire import fetch, post, request

AT_A_TIME: Final = 12
HELD: Final = 65_536
"""Bytes of a head and the first events."""

UNHARMED: Final = {
    "status": "completed",
    "seq": EVENTS + 1,
    "was cancelled": False,
    "contexts": 1,
    "is in a send": False,
}


def random_stacks(seed: int, count: int = AT_A_TIME) -> list[list[str]]:
    """Return stacks of two to five middlewares, by their names; a seed gives the same ones."""
    random = Random(seed)  # noqa: S311 - repeatable, and no secret
    return [random.choices(sorted(MIDDLEWARES), k=random.randint(2, 5)) for _ in range(count)]


async def read_slowly(port: int, name: str, stack: list[str], accept: str) -> None:
    """Start a run, do not read for longer than the middlewares wait, and then read."""
    headers = {
        "Accept": accept,
        "Accept-Encoding": "gzip",
        "Connection": "close",
        "X-Stack": ",".join(stack),
    }
    with socket.socket() as narrow:
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        narrow.setblocking(False)
        await asyncio.get_running_loop().sock_connect(narrow, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=narrow, limit=HELD)
        try:
            writer.write(post("/pour", {"name": name}, headers))
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                await asyncio.sleep(10 * SECONDS)
                while await reader.read(HELD):  # until the end, or until it is broken off
                    pass
        finally:
            writer.transport.abort()


async def play(port: int, stack: list[str], accept: str) -> dict[str, Any]:
    """Read a run slowly through middlewares, and return what came of it."""
    async with asyncio.timeout(SOON):
        name = secrets.token_hex(8)
        await read_slowly(port, name, stack, accept)
        answer = await fetch(port, request("GET", f"/seen/{name}"))
        seen: dict[str, Any] = answer.json()
        return seen


async def play_all(port: int, stacks: list[list[str]]) -> dict[str, dict[str, Any]]:
    """Do that with every stack at once, in one format and the other, and return what came of it."""
    formats = cycle(["text/event-stream", "application/x-ndjson"])
    async with asyncio.TaskGroup() as group:
        plays = [
            group.create_task(play(port, stack, accept))
            for stack, accept in zip(stacks, formats, strict=False)
        ]
    return {", ".join(stack): each.result() for stack, each in zip(stacks, plays, strict=True)}
