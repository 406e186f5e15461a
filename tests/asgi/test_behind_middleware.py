"""Real servers with middlewares around them, and readers who are slow: every run completes."""

import asyncio
import secrets
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from functools import wraps
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import pytest
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from tests.support.command import CommandServer
from tests.support.runs import SOON
from tests.support.server import ThreadServer
from tests.support.stacked import EVENTS, MIDDLEWARES, SECONDS, Stacked
from tests.support.wire import fetch, post, request

STACKS = 12
HELD = 65_536
"""Bytes of a head and the first events."""

UNHARMED = {
    "status": "completed",
    "seq": EVENTS + 1,
    "was cancelled": False,
    "contexts": 1,
    "is in a send": False,
}


@pytest.fixture(scope="module", params=["asyncio and h11", "uvloop and httptools", "granian"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server of the application."""
    with ExitStack() as stack:
        if request.param == "granian":
            log: Path = tmp_path_factory.mktemp("granian") / "server.log"
            server = CommandServer("tests.support.stacked:app", log, {}, command="granian")
            stack.enter_context(server)
            asyncio.run(server.wait_until_listening())
            yield server.port
        else:
            app = Stacked()
            loop, http = request.param.split(" and ")
            yield stack.enter_context(
                ThreadServer(app, actions=app.actions, loop=loop, http=http)
            ).port


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


async def test_only_a_servers_own_send_is_known_as_such(port: int) -> None:
    async def is_known(stack: str) -> bool:
        answer = await fetch(port, request("GET", "/own", {"X-Stack": stack}))
        return bool(answer.json())

    assert await is_known("")
    assert [name for name in MIDDLEWARES if await is_known(name)] == []


async def test_a_run_completes_where_the_servers_own_class_is_patched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = RequestResponseCycle.send

    @wraps(own)
    async def limited(cycle: RequestResponseCycle, message: Any) -> None:  # noqa: ANN401 - uvicorn's
        async with asyncio.timeout(SECONDS):
            await own(cycle, message)

    monkeypatch.setattr(RequestResponseCycle, "send", limited)
    app = Stacked()

    with ThreadServer(app, actions=app.actions, http="h11") as server:
        assert await play(server.port, [], "text/event-stream") == UNHARMED


async def test_runs_complete_behind_each_middleware_and_before_slow_readers(port: int) -> None:
    outcomes = await play_all(port, [[name] for name in MIDDLEWARES])

    assert outcomes == dict.fromkeys(MIDDLEWARES, UNHARMED)


@pytest.mark.parametrize("seed", range(3))
async def test_runs_complete_behind_any_stacks_of_middlewares(port: int, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - the same stacks every time
    stacks = [random.choices(sorted(MIDDLEWARES), k=random.randint(2, 5)) for _ in range(STACKS)]

    outcomes = await play_all(port, stacks)

    assert outcomes == dict.fromkeys(map(", ".join, stacks), UNHARMED)
