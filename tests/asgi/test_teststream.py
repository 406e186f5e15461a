"""The stream by which a client measures the way to a server."""

import asyncio
import re
from contextlib import AsyncExitStack

import pytest
from pydantic_core import from_json

from tests.support.calls import Call, get, send, stream
from tests.support.virtual import run_virtually
from tests.support.world import ALICE, NDJSON, SSE, opened, world
from yieldwire import Actions, Timing
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.asgi.site import TEST_STREAMS
from yieldwire.asgi.teststream import MAX_SILENCE
from yieldwire.testing import MovingClock


def measured(target: str, **settings: object) -> list[tuple[float, str]]:
    """Return what a test stream sends, each piece with the seconds since the first."""

    async def program() -> list[tuple[float, str]]:
        loop = asyncio.get_running_loop()
        async with opened(world(**settings)) as site, stream(site, get(target)) as answer:
            begun = loop.time()
            return [
                (round(loop.time() - begun, 3), piece.decode()) async for piece in answer.pieces()
            ]

    return run_virtually(program())


def test_it_sends_frames_a_keepalive_and_after_the_silence_one_more_frame() -> None:
    pieces = measured("/test-stream?silence=7", timing=Timing(keepalive=3.5, grace=0))

    assert [at for at, _ in pieces] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 8.0]
    *frames, keepalive, last = [piece for _, piece in pieces]
    assert keepalive == ": keepalive\n\n"
    for number, piece in enumerate([*frames, last], 1):
        found = re.fullmatch("event: test\ndata: (.*)\n\n", piece)
        assert found is not None
        facts = from_json(found[1])
        assert facts.keys() == {"frame", "atMs", "keepaliveMs"}
        assert (facts["frame"], facts["keepaliveMs"]) == (number, 3500)


@pytest.mark.parametrize(("query", "silence"), [("", 0.0), ("?silence=1e9", MAX_SILENCE)])
def test_the_silence_is_bounded_and_not_long_unless_it_is_asked_for(
    query: str, silence: float
) -> None:
    pieces = measured(f"/test-stream{query}")

    assert pieces[-1][0] - pieces[-2][0] == pytest.approx(silence)


async def test_a_frame_has_the_time_of_the_servers_clock() -> None:
    clock = MovingClock()
    async with opened(world(clock=clock)) as site, stream(site, get("/test-stream")) as answer:
        piece = await answer.read()

    assert from_json(piece.decode().partition("data: ")[2])["atMs"] == clock.now() * 1000


async def test_it_has_the_headers_of_a_stream_of_events(site: Actions) -> None:
    async with stream(site, get("/runs?watch=1", [*ALICE, SSE])) as other:
        expected = other.headers

    head = await send(site, Call(method="HEAD", target="/test-stream", headers=ALICE))

    assert (head.status, head.headers, head.body) == (200, expected, b"")


async def test_it_is_a_stream_of_events_only(site: Actions) -> None:
    answer = await send(site, get("/test-stream", [NDJSON]))

    assert (answer.status, answer.json()["error"]["code"]) == (406, "NOT_ACCEPTABLE")


async def test_a_process_has_few_of_them_at_a_time(site: Actions) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(TEST_STREAMS):
            await stack.enter_async_context(stream(site, get("/test-stream?silence=60")))
        refused = await send(site, get("/test-stream"))
    async with stream(site, get("/test-stream")) as answer:
        status = answer.status

    assert (refused.status, refused.json()["error"]["code"]) == (429, "RATE_LIMITED")
    assert status == 200


async def test_it_counts_as_a_stream_of_its_caller() -> None:
    limits = RequestLimits(streams=1)
    async with (
        opened(world(request_limits=limits)) as site,
        stream(site, get("/runs?watch=1", [*ALICE, SSE])),
    ):
        refused = await send(site, get("/test-stream", ALICE))

    assert refused.status == 429


def test_a_server_that_stops_ends_the_silence_with_a_farewell() -> None:
    async def program() -> tuple[float, bytes]:
        loop = asyncio.get_running_loop()
        async with (
            opened(world()) as site,
            stream(site, get("/test-stream?silence=100")) as answer,
        ):
            while await answer.read() != b": keepalive\n\n":
                pass
            site.drain()
            at = loop.time()
            rest = await answer.rest()
            return loop.time() - at, rest

    waited, rest = run_virtually(program())

    assert waited < 1
    assert rest.startswith(b"retry: ")


async def test_no_run_is_created(site: Actions) -> None:
    async with stream(site, get("/test-stream", ALICE)) as answer:
        await answer.read()

    assert (await send(site, get("/runs", ALICE))).json()["runs"] == []
