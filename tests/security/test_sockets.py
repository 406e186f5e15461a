"""Threats 7 and 12, on a real socket: hostile handshakes and frames of RFC 6455.

Each is refused, and neither the server nor another socket to it is harmed. Autobahn's test suite
does the same for the server's library; this does what concerns the application: what is refused,
and who else notices.
"""

import asyncio
import base64
import struct
import zlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Final, Literal

import pytest
from websockets.asyncio.client import connect

from tests.support.server import ThreadServer
from tests.support.world import world
from yieldwire.asgi.websocket.socket import MAX_MESSAGE_BYTES

TEXT, BINARY, CLOSE, PING, CONTINUED = 0x1, 0x2, 0x8, 0x9, 0x0
REQUEST: Final = b'{"id":1,"method":"POST","path":"/add"}\n{"a":1,"b":2}'
MASK: Final = bytes(4)
"""A mask that changes nothing is as good as any other."""


def frame(
    payload: bytes, opcode: int = TEXT, *, first: int = 0x80, is_masked: bool = True
) -> bytes:
    """Return a frame; ``first`` has its FIN and RSV bits."""
    size = len(payload)
    masked = 0x80 if is_masked else 0
    if size < 126:
        head = struct.pack("!BB", first | opcode, masked | size)
    elif size < 2**16:
        head = struct.pack("!BBH", first | opcode, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first | opcode, masked | 127, size)
    if not is_masked:
        return head + payload
    return head + MASK + payload


def huge_head() -> bytes:
    """Return the head of a frame that says it has exabytes."""
    return struct.pack("!BBQ", 0x80 | TEXT, 0x80 | 127, 2**62) + MASK


def deflated(payload: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


HOSTILE: Final = {
    "not masked": frame(REQUEST, is_masked=False),
    "masked otherwise than it says": frame(REQUEST)[:2] + b"zzzz" + frame(REQUEST)[6:],
    "compressed without a handshake for it": frame(deflated(b" " * 10**6), first=0xC0),
    "a bit that nobody defined": frame(REQUEST, first=0x90),
    "an opcode that nobody defined": frame(REQUEST, 0x3),
    "a continuation of nothing": frame(REQUEST, CONTINUED),
    "a new message within a fragmented one": frame(b"{", first=0) + frame(REQUEST),
    # Autobahn, 7.1.5. RFC 6455, 5.4, allows a close there, and 5.5.1 only says that its code is
    # typically sent back: wsproto does that, and websockets answers 1002.
    "a close within a fragmented message": frame(REQUEST[:9], first=0)
    + frame(struct.pack("!H", 1000), CLOSE)
    + frame(REQUEST[9:], CONTINUED),
    "a ping in fragments": frame(b"", PING, first=0),
    "a ping that is too long": frame(b"x" * 126, PING),
    "a close of one byte": frame(b"x", CLOSE),
    "a close with a code that nobody sends": frame(struct.pack("!H", 1005), CLOSE),
    "text that is not UTF-8": frame(b"\xff\xfe"),
    "exabytes": huge_head() + b"x" * (MAX_MESSAGE_BYTES + 1),
    "larger than a message can be": frame(b"x" * (MAX_MESSAGE_BYTES + 1)),
    "fragments that are too large together": frame(b"x" * MAX_MESSAGE_BYTES, first=0)
    + frame(b"xx", CONTINUED),
    "many fragments of nothing": frame(b"", first=0)
    + frame(b"", CONTINUED, first=0) * 5_000
    + frame(b"", CONTINUED),
    "not JSON": frame(b"GET / HTTP/1.1\r\n\r\n"),
    "binary without an id": frame(b"x", BINARY),
    "HTTP": b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "noise": bytes(range(256)) * 40,
}


@pytest.fixture(params=["websockets-sansio", "wsproto"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[ThreadServer]:
    library: Literal["websockets-sansio", "wsproto"] = request.param
    with ThreadServer(world(max_runs=None), ws=library) as running:
        yield running


HANDSHAKE: Final = (
    b"Host: 127.0.0.1",
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: " + base64.b64encode(b"0123456789abcdef"),
)


async def sent(server: ThreadServer, data: bytes, *more: bytes) -> tuple[bytes, bytes]:
    """Send a handshake and ``data``; return the answer's head, and all up to a close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    head = rest = b""
    try:
        async with asyncio.timeout(10):
            writer.write(b"\r\n".join([b"GET /ws HTTP/1.1", *HANDSHAKE, *more]) + b"\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            with suppress(ConnectionError):
                writer.write(data)
                while b"\x88" not in rest and (piece := await reader.read(65_536)):
                    rest += piece
    finally:
        writer.transport.abort()
    return head, rest


@asynccontextmanager
async def a_neighbour(server: ThreadServer) -> AsyncGenerator[None]:
    """Follow a run over another socket meanwhile, which must notice nothing."""
    async with connect(f"ws://127.0.0.1:{server.port}/ws", compression=None) as socket:
        await socket.send('{"id":1,"method":"POST","path":"/wait"}\n{}')
        assert '"run-id"' in str(await socket.recv())
        assert "waiting" in str(await socket.recv())
        yield
        await socket.send('{"id":2,"method":"POST","path":"/add"}\n{"a":1,"b":2}')
        async with asyncio.timeout(10):
            while '"result":3' not in str(await socket.recv()):
                pass


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_hostile_frame_ends_its_socket_and_harms_nobody(
    server: ThreadServer, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with a_neighbour(server):
        head, rest = await sent(server, HOSTILE[name])

    assert head.startswith(b"HTTP/1.1 101 ")
    assert b'"result":3' not in rest
    assert [each for each in caplog.records if each.name.startswith("yieldwire")] == []


async def test_fragments_and_pings_in_between_are_one_message(server: ThreadServer) -> None:
    pieces = [frame(REQUEST[:9], first=0), frame(b"hi", PING), frame(REQUEST[9:], CONTINUED)]

    _, rest = await sent(server, b"".join([*pieces, frame(b"", CLOSE)]))

    assert b"\x8a\x02hi" in rest


@pytest.mark.parametrize(
    "more",
    [
        [b"Origin: https://evil.example", b"Cookie: session=alice"],
        [b"Origin: null", b"Cookie: session=alice"],
        [b"Origin: http://127.0.0.1.evil.example", b"Authorization: Bearer alice"],
    ],
)
async def test_a_page_of_another_site_opens_no_socket(
    server: ThreadServer, more: list[bytes]
) -> None:
    head, rest = await sent(server, b"", *more)

    assert head.startswith(b"HTTP/1.1 403 ")
    assert b'"code":"FORBIDDEN"' in rest


async def test_a_compression_bomb_is_refused_where_a_server_compresses() -> None:
    """Also where nobody has turned it off, a message is limited by its size when unpacked."""
    with ThreadServer(world(), compresses=True) as server:
        bomb = frame(deflated(b" " * (20 * MAX_MESSAGE_BYTES)), first=0xC0)
        extension = b"Sec-WebSocket-Extensions: permessage-deflate"
        async with a_neighbour(server):
            head, rest = await sent(server, bomb, extension)

    assert b"permessage-deflate" in head
    assert struct.pack("!H", 1009) in rest
