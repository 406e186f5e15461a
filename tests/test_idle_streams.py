"""What a thousand open streams cost a server, and what is left of them."""

import asyncio
import resource
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from tests.conftest import ServeProcess
from tests.support.server import ProcessServer
from tests.support.wire import Response, exchange, fetch, post, request

STREAMS = 1000
SPARE = 200  # descriptors that this process needs for other things
WAIT = post("/wait")
SILENCE = request("GET", "/silence")


@pytest.fixture
def server(serve_process: ServeProcess) -> Iterator[ProcessServer]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, STREAMS + SPARE)), hard))
    yield serve_process("tests.support.idle:actions")
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def holdings(server: ProcessServer) -> dict[str, int]:
    answer = await fetch(server.port, post("/holdings", headers={"Connection": "close"}))
    counts: dict[str, int] = answer.json()["result"]
    return counts


async def first_event(stream: Response) -> bytes:
    seen = b""
    async for piece in stream.pieces():
        seen += piece
        if b'"text"' in seen:
            return seen
    raise AssertionError("the stream ended")


@pytest.mark.parametrize("opening", [WAIT, SILENCE], ids=["a run for each", "one run for all"])
async def test_a_thousand_idle_streams_are_held_and_leave_nothing_behind(
    server: ProcessServer, opening: bytes
) -> None:
    await holdings(server)  # whatever is opened once is open now
    base = await holdings(server)

    async with AsyncExitStack() as stack:
        for _ in range(STREAMS):
            stream = await stack.enter_async_context(exchange(server.port, opening))
            assert b'"text"' in await first_event(stream)
        during = await holdings(server)

    assert during["descriptors"] >= base["descriptors"] + STREAMS
    async with asyncio.timeout(30):
        while await holdings(server) != base:
            pass
