"""The load client over a WebSocket: frames however they are cut, and what is said in them."""

import asyncio
import itertools
import struct
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from benchmarks.load import Figures, loaded
from benchmarks.machine import BenchmarkError
from benchmarks.peer import read_peers
from benchmarks.request import Request
from benchmarks.websocket import Socket

UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
TEXT, PING, PONG, CLOSE = 0x81, 0x89, 0x8A, 0x88
BARE = Socket()
OURS = read_peers()["ours-socket"].socket
SOCKETIO = read_peers()["socketio"].socket


def frame(payload: str | bytes, kind: int = TEXT) -> bytes:
    data = payload.encode() if isinstance(payload, str) else payload
    if len(data) < 126:
        return struct.pack("!BB", kind, len(data)) + data
    if len(data) < 65_536:
        return struct.pack("!BBH", kind, 126, len(data)) + data
    return struct.pack("!BBQ", kind, 127, len(data)) + data


def tokens(*numbers: int) -> bytes:
    return b"".join(frame(f'{{"text":"token {number} "}}') for number in numbers)


@dataclass
class Answering:
    """A server that sends what it is given, and keeps the frames that the load client sends."""

    port: int = 0
    heard: list[tuple[int, str]] = field(default_factory=list)
    has_left: asyncio.Event = field(default_factory=asyncio.Event)

    async def hear(self, reader: asyncio.StreamReader) -> None:
        try:
            while True:
                kind, length = await reader.readexactly(2)
                size = length & 0x7F
                if size == 126:
                    (size,) = struct.unpack("!H", await reader.readexactly(2))
                mask = await reader.readexactly(4)
                data = await reader.readexactly(size)
                plain = bytes(a ^ b for a, b in zip(data, itertools.cycle(mask), strict=False))
                self.heard.append((kind, plain.decode("latin-1")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return


@asynccontextmanager
async def answering(
    pieces: Sequence[bytes], upgraded: bytes = UPGRADED
) -> AsyncGenerator[Answering]:
    """Open each socket, send the pieces, and keep it open until the client closes it."""
    answer = Answering()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in (upgraded, *pieces):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        await answer.hear(reader)
        answer.has_left.set()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        answer.port = server.sockets[0].getsockname()[1]
        yield answer


async def count(answer: Answering, socket: Socket | None, streams: int = 1) -> Figures:
    request = Request(method="POST", path="/hot", body='{"count":3}', socket=socket)
    figures = await asyncio.to_thread(loaded, answer.port, request, connections=streams, timeout=5)
    await answer.has_left.wait()  # until all that it said has been heard
    return figures


def by(size: int) -> Callable[[bytes], list[bytes]]:
    return lambda wire: [wire[at : at + size] for at in range(0, len(wire), size)]


@pytest.mark.parametrize("cut", [by(1), by(7), by(100_000)], ids=["by one", "by seven", "whole"])
async def test_events_are_counted_however_their_frames_are_cut(
    cut: Callable[[bytes], list[bytes]],
) -> None:
    wire = [
        tokens(0),
        frame('{"text":"to', 0x01) + frame(b"are you there", PING) + frame('ken 1 "}', 0x80),
        frame("", 0x01) + frame(b"", 0x00) + frame('{"text":"token 2 "}', 0x80),
        frame("nothing to count"),
        frame("x" * 70_000 + "token 3 ") + frame("y" * 300 + "token 4 "),
        frame(struct.pack("!H", 1000), CLOSE),
    ]

    async with answering(cut(b"".join(wire))) as answer:
        figures = await count(answer, BARE)

    assert (figures.events, figures.frames, figures.responses) == (5, 6, 1)
    assert (PONG, "are you there") in answer.heard


async def test_each_line_of_a_message_can_be_an_event_of_the_run_that_its_head_names() -> None:
    assert OURS is not None
    wire = [
        frame('{"id":2,"status":200,"headers":{}}'),
        frame('{"id":1,"status":200,"headers":{}}\n{"data":{"text":"token 0 "}}\n'),
        frame('{"id":2}\n{"data":{"text":"token 0 "}}\n{"data":{"text":"token 1 "}}\n'),
        frame('{"id":1,"end":true}\n{"data":{"text":"token 1 "}}\n{"type":"done"}\n'),
        frame('{"id":2,"end":true}\n{"type":"done"}\n'),
    ]
    socket = Socket(runs=2, asks=OURS.asks, lead=OURS.lead, opened=OURS.opened, ended=OURS.ended)

    async with answering(wire) as answer:
        figures = await count(answer, socket, streams=2)

    asked = [said for kind, said in answer.heard if kind == TEXT]
    assert (figures.events, figures.responses, figures.errors) == (4, 2, 0)
    assert [said.partition(",")[0] for said in asked] == ['{"id":1', '{"id":2']
    assert asked[0].endswith('"method":"POST","path":"/hot","credit":262144}\n{"count":3}')


async def test_what_has_been_read_is_granted_again_at_half_of_the_credit() -> None:
    head, line = '{"id":1,"status":200}', '{"data":{"text":"token 0 %s"}}' % ("x" * 140_000)
    wire = [frame(f"{head}\n{line}\n"), frame('{"id":1,"end":true}\n{"type":"done"}\n')]

    async with answering(wire) as answer:
        await count(answer, OURS)

    granted = [said for _, said in answer.heard if said.startswith('{"id":1,"credit"')]
    assert granted == [f'{{"id":1,"credit":{len(line) + 1}}}']


async def test_socketio_is_joined_before_anything_is_asked_and_its_pings_are_answered() -> None:
    wire = [
        frame('0{"sid":"a","pingInterval":25000}'),
        frame('40{"sid":"b"}'),
        frame("2"),
        frame('42["token",{"text":"token 0 "}]'),
        frame('42["end"]'),
    ]

    async with answering(wire) as answer:
        figures = await count(answer, SOCKETIO)

    assert (figures.events, figures.responses) == (1, 1)
    assert [said for kind, said in answer.heard if kind == TEXT] == [
        "40",
        '42["/hot",{"count":3}]',
        "3",
    ]


async def test_a_socket_that_the_server_closes_at_the_end_is_opened_again_for_the_next() -> None:
    wire = [tokens(0, 1), frame(b"", CLOSE)]
    request = Request(method="GET", path="/hot", socket=BARE)

    async with answering(wire) as answer:
        figures = await asyncio.to_thread(
            loaded, answer.port, request, repeat=True, responses=3, timeout=5
        )

    assert (figures.events, figures.responses, figures.reconnects) == (6, 3, 2)


@pytest.mark.parametrize(
    ("wire", "socket", "said"),
    [
        (tokens(0, 2), BARE, "not the next event"),
        (tokens(0, 0), BARE, "not the next event"),
        (b"\x81\x85\0\0\0\0token", BARE, "a masked frame"),
        (b"\xc1\x05token", BARE, "a reserved bit"),
        (b"\x83\x05token", BARE, "no known kind"),
        (b"\x80\x05token", BARE, "continues nothing"),
        (b"\x01\x05token\x81\x05token", BARE, "continues nothing"),
        (b"\x09\x00", BARE, "control frame"),
        (frame(struct.pack("!H", 1011), CLOSE), BARE, "closed the socket with code 1011"),
        (frame(struct.pack("!H", 1000), CLOSE), OURS, "closed the socket with code 1000"),
        (frame('{"id":1,"status":404}'), OURS, "not what opens a stream"),
        (frame('{"id":1,"aborted":true}'), OURS, "the answer was broken off"),
    ],
)
async def test_what_a_server_must_not_send_is_an_error(
    wire: bytes, socket: Socket | None, said: str
) -> None:
    async with answering([wire]) as answer:
        with pytest.raises(BenchmarkError, match=said):
            await count(answer, socket)


@pytest.mark.parametrize(
    ("upgraded", "said"),
    [
        (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "status 403"),
        (UPGRADED.replace(b"s3pP", b"s3pX"), "not read the handshake"),
        (
            UPGRADED.replace(b"Upgrade: w", b"Sec-WebSocket-Extensions: x\r\nUpgrade: w", 1),
            "an extension that was not offered",
        ),
    ],
)
async def test_a_handshake_that_is_not_accepted_is_an_error(upgraded: bytes, said: str) -> None:
    async with answering([], upgraded) as answer:
        with pytest.raises(BenchmarkError, match=said):
            await count(answer, BARE)


def test_streams_share_sockets_only_as_far_as_they_go() -> None:
    request = Request(method="GET", path="/feed", socket=Socket(runs=10))

    shapes = [request.options(streams) for streams in (1, 100)]

    assert [(shape["runs"], shape["connections"]) for shape in shapes] == [(1, 1), (10, 10)]
