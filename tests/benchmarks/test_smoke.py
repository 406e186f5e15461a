"""The harness measures what it says: every event is counted once, and what fails is said."""

import asyncio
import socket
import sys
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from benchmarks.database import sharing
from benchmarks.environment import Environment
from benchmarks.load import Figures, loaded, loading
from benchmarks.machine import ROOT, BenchmarkError
from benchmarks.peer import Peer, read_peers
from benchmarks.plan import QUICK
from benchmarks.request import Request
from benchmarks.runner import Runner
from benchmarks.scene import asked
from benchmarks.server import Server, running

OURS = replace(read_peers()["ours"], name="smoke")
FRAMES = (
    ': hello\n\ndata: {"text":"token 0 "}\n\nevent: x\ndata: token 1 \ndata: token\n\ndata: end\n\n'
)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    # The tests' own environment has all that this server needs.
    command = (sys.executable, "-m", *OURS.command)
    with running(OURS, Environment(command=command, directory=ROOT, versions=())) as started:
        yield started


def test_every_event_of_a_long_stream_is_counted_once(server: Server) -> None:
    request = asked(server, "hot", count=10_000)

    figures = loaded(server.port, request)

    assert (figures.events, figures.responses, figures.errors) == (10_000, 1, 0)


def test_fifty_short_requests_are_counted_with_the_time_to_their_first_event(
    server: Server,
) -> None:
    request = asked(server, "hot", count=10)

    figures = loaded(server.port, request, connections=8, repeat=True, responses=50)

    assert (figures.responses, figures.events, figures.reconnects) == (50, 500, 0)
    assert figures.ttfe["count"] == 50
    assert 0 < figures.ttfe["p50_us"] <= figures.ttfe["p99_us"] <= figures.ttfe["max_us"]


def test_a_mark_tells_how_far_streams_are_that_stay_open(server: Server) -> None:
    request = asked(server, "idle")

    with loading(server.port, request, connections=20) as load:
        load.wait_open(10.0)
        figures = load.mark()

    assert (figures.state, figures.open, figures.responses) == ("mark", 20, 0)


def test_a_replay_is_asked_for_by_the_id_of_a_run_that_has_ended(server: Server) -> None:
    request = asked(server, "replay", count=1234)

    figures = loaded(server.port, request)

    assert figures.events == 1234


def test_a_shared_database_counts_what_is_asked_of_it() -> None:
    command = (sys.executable, "-m", "benchmarks.database_server", "valkey")
    environment = Environment(command=(), directory=ROOT, versions=(), database=command)

    with sharing(environment) as database, socket.socket() as client:
        before = database.counts()
        client.connect(("127.0.0.1", urlsplit(database.url).port))
        client.sendall(b"PING\r\n" * 100)
        client.recv(1)
        after = database.counts()

    # Asking for the counts is itself an operation.
    assert 100 <= after.operations - before.operations <= 110
    assert after.bytes - before.bytes >= len("PING\r\n+PONG\r\n") * 100
    assert after.cpu >= before.cpu > 0


def test_an_error_is_not_a_figure(server: Server) -> None:
    request = Request(method="POST", path="/nobody", body="{}")

    with pytest.raises(BenchmarkError, match="status 404"):
        loaded(server.port, request)


def test_a_server_uses_cpu_and_memory(server: Server) -> None:
    before = server.cpu()

    loaded(server.port, asked(server, "hot", count=10_000))

    assert server.cpu() > before > 0
    assert server.memory() > 10 * 1024 * 1024


def chunked(text: str, size: int) -> list[bytes]:
    data = text.encode()
    cut = [data[at : at + size] for at in range(0, len(data), size)]
    return [*(b"%x;e=1\r\n%b\r\n" % (len(piece), piece) for piece in cut), b"0\r\n\r\n"]


@asynccontextmanager
async def answering(pieces: Sequence[bytes]) -> AsyncGenerator[int]:
    """Serve one answer, a piece at a time, and close."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


@pytest.mark.parametrize("lines", [FRAMES, FRAMES.replace("\n", "\r\n")], ids=["lf", "crlf"])
@pytest.mark.parametrize("framing", ["by one", "by seven", "length", "close"])
async def test_events_are_counted_however_their_bytes_are_cut(lines: str, framing: str) -> None:
    length = b"Content-Length: %d\r\n\r\n" % len(lines)
    answer = {
        "by one": [HEAD, b"Transfer-Encoding: chunked\r\n\r\n", *chunked(lines, 1)],
        "by seven": [HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *chunked(lines, 7)],
        "length": [HEAD + length + lines[:30].encode(), lines[30:].encode()],
        "close": [HEAD + b"\r\n", *(character.encode() for character in lines)],
    }[framing]

    async with answering(answer) as port:
        figures: Figures = await asyncio.to_thread(
            loaded, port, Request(method="GET", path="/"), timeout=10
        )

    assert (figures.events, figures.frames, figures.responses) == (2, 3, 1)


async def test_an_answer_that_breaks_off_is_an_error() -> None:
    head = HEAD + b"Content-Length: 1000\r\n\r\n"

    async with answering([head, b"data: token 0 \n\n"]) as port:
        with pytest.raises(BenchmarkError, match="closed early"):
            await asyncio.to_thread(loaded, port, Request(method="GET", path="/"), timeout=10)


def failing(name: str, source: str = "benchmarks/loadclient") -> Peer:
    return Peer(
        name=name,
        title=name,
        role="peer",
        kind="native",
        scenes="A",
        source=source,
        command=("{binary}", "--help"),
    )


def test_a_server_that_does_not_start_has_a_row_that_says_so_and_is_not_tried_again() -> None:
    said: list[str] = []
    runner = Runner([failing("broken"), failing("missing", "no.c")], "A", QUICK, rounds=2)
    runner.path = ROOT / "build" / "bench" / "smoke.json"

    runner.install(said.append)
    results = runner.run(said.append)

    assert "did not start" in results.error("broken", "A")
    assert "not installed" in results.error("missing", "A")
    assert len(results.measurements) == 4
    assert [line.split()[0] for line in said[-4:]] == ["1/4", "2/4", "3/4", "4/4"]
