"""Threats 15 and 16, on a real socket: two readings of one request, and requests without an end.

What comes is what both of uvicorn's parsers let through; whatever they do, the bytes behind a
doubtful request must not be answered as a request of their own.
"""

import asyncio
from collections.abc import Iterator

import pytest

from tests.support.server import Http, ThreadServer
from tests.support.wire import post, request, send_raw
from tests.support.world import world
from yieldwire import Timing

SMUGGLED = b"GET /manifest.json HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Smuggled: 1\r\n\r\n"
ANSWERED = b'{"actions":'
CHUNKED = b"2\r\n{}\r\n0\r\n\r\n"


@pytest.fixture(scope="module", params=["h11", "httptools"])
def server(request: pytest.FixtureRequest) -> Iterator[ThreadServer]:
    parser: Http = request.param
    timing = Timing(body=0.2, head_wait=0.1, grace=0.0)
    with ThreadServer(world(timing=timing), http=parser) as running:
        yield running


async def answers_of(server: ThreadServer, data: bytes) -> bytes:
    """Return all that comes until the server closes, which it must do by itself.

    A server that closes with bytes unread resets the connection, which can swallow its answer.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    told = b""
    try:
        async with asyncio.timeout(5):
            writer.write(data)
            while piece := await reader.read(65_536):
                told += piece
    except ConnectionError:
        pass
    finally:
        writer.transport.abort()
    return told


def start(*headers: bytes, line: bytes = b"POST /say HTTP/1.1") -> bytes:
    fields = [b"Host: 127.0.0.1", b"Content-Type: application/json", *headers]
    return b"\r\n".join([line, *fields]) + b"\r\n\r\n"


BOTH = {
    "length, then coding": [b"Content-Length: 2", b"Transfer-Encoding: chunked"],
    "coding, then length": [b"Transfer-Encoding: chunked", b"Content-Length: 2"],
    "a length of the whole": [b"Content-Length: 200", b"Transfer-Encoding: chunked"],
    "a length of nothing": [b"Content-Length: 0", b"Transfer-Encoding: chunked"],
    "in capitals": [b"CONTENT-LENGTH: 2", b"TRANSFER-ENCODING: CHUNKED"],
}
DOUBTFUL = {
    "two lengths": [b"Content-Length: 2", b"Content-Length: 20"],
    "a list of lengths": [b"Content-Length: 2, 20"],
    "a length with a sign": [b"Content-Length: +2"],
    "a negative length": [b"Content-Length: -2"],
    "a hexadecimal length": [b"Content-Length: 0x2"],
    "a length that is none": [b"Content-Length: two"],
    "an unknown coding": [b"Transfer-Encoding: xchunked"],
    "a coding behind": [b"Transfer-Encoding: chunked, identity"],
    "a space before the colon": [b"Transfer-Encoding : chunked"],
    "a bare return": [b"X: y\rTransfer-Encoding: chunked"],
    "a nul": [b"Transfer-Encoding: chunked\x00"],
}


@pytest.mark.parametrize("framing", BOTH)
async def test_a_request_with_both_framings_is_refused_and_the_connection_closed(
    server: ThreadServer, framing: str
) -> None:
    told = await answers_of(server, start(*BOTH[framing]) + CHUNKED + SMUGGLED)

    assert told.startswith(b"HTTP/1.1 400 ")
    assert told.count(b"HTTP/1.1 ") == 1
    assert ANSWERED not in told


@pytest.mark.parametrize("framing", DOUBTFUL)
async def test_what_follows_a_doubtful_request_is_not_answered(
    server: ThreadServer, framing: str
) -> None:
    told = await answers_of(server, start(*DOUBTFUL[framing]) + CHUNKED + SMUGGLED)

    assert told.count(b"HTTP/1.1 ") <= 1
    assert b"HTTP/1.1 2" not in told
    assert ANSWERED not in told


async def test_a_get_with_a_body_does_not_hide_a_second_request(server: ThreadServer) -> None:
    framed = [b"Content-Length: %d" % len(SMUGGLED)]
    data = start(*framed, line=b"GET /runs HTTP/1.1") + SMUGGLED

    told = await answers_of(server, data + start(b"Connection: close", line=b"GET /x HTTP/1.1"))

    assert ANSWERED not in told


@pytest.mark.parametrize("body", [b"{", b'{"text":NaN}', b"[" * 100])
async def test_a_body_that_cannot_be_read_ends_the_connection(
    server: ThreadServer, body: bytes
) -> None:
    data = request("POST", "/say", {"Content-Type": "application/json"}, body)

    told = await answers_of(server, data + SMUGGLED)

    assert told.startswith(b"HTTP/1.1 400 ")
    assert ANSWERED not in told


@pytest.mark.parametrize(
    "body",
    [b"", b'{"text":', b"x" * 10],
    ids=["nothing", "half", "garbage"],
)
async def test_a_body_that_drips_is_given_up_and_the_connection_closed(
    server: ThreadServer, body: bytes
) -> None:
    told = await answers_of(server, start(b"Content-Length: 1000") + body)

    assert told.startswith(b"HTTP/1.1 408 ")
    assert b"REQUEST_TIMEOUT" in told


async def test_a_chunked_body_without_an_end_is_given_up(server: ThreadServer) -> None:
    told = await answers_of(server, start(b"Transfer-Encoding: chunked") + b'5\r\n{"a":\r\n')

    assert told.startswith(b"HTTP/1.1 408 ")


async def test_a_body_over_the_limit_is_refused_before_it_is_sent(server: ThreadServer) -> None:
    told = await answers_of(server, start(b"Content-Length: 9999999999"))

    assert told.startswith(b"HTTP/1.1 413 ")


async def test_a_chunked_body_over_the_limit_is_refused_while_it_comes(
    server: ThreadServer,
) -> None:
    piece = b"10000\r\n" + b"x" * 65536 + b"\r\n"

    data = start(b"Transfer-Encoding: chunked") + piece * 20 + b"0\r\n\r\n" + SMUGGLED

    told = await answers_of(server, data)

    assert told[:13] in {b"HTTP/1.1 413 ", b""}
    assert ANSWERED not in told


@pytest.mark.parametrize(
    "headers",
    [
        [b"X: " + b"y" * 400_000],
        [b"X-%d: y" % number for number in range(5_000)],
    ],
    ids=["large", "many"],
)
async def test_headers_without_measure_are_refused(
    server: ThreadServer, headers: list[bytes]
) -> None:
    data = start(*headers, line=b"GET /manifest.json HTTP/1.1") + SMUGGLED

    told = await answers_of(server, data)

    assert told[:13] in {b"HTTP/1.1 400 ", b"HTTP/1.1 413 ", b""}
    assert ANSWERED not in told


async def test_other_callers_are_served_while_bodies_drip(server: ThreadServer) -> None:
    async with asyncio.timeout(10), asyncio.TaskGroup() as group:
        dripping = [
            group.create_task(send_raw(server.port, start(b"Content-Length: 1000") + b"{"))
            for _ in range(100)
        ]
        close = {"Connection": "close", "Accept": "application/json"}
        told = await send_raw(server.port, post("/say", {}, close))

    assert told.startswith(b"HTTP/1.1 200 ")
    assert all(task.result().startswith(b"HTTP/1.1 408 ") for task in dripping)
