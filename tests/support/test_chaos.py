"""The proxy itself: each fault does what it says, or the tests that use it hold nothing."""

import asyncio
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator

import pytest

from tests.support.chaos import ChaosProxy, Cut, Fault, random_script, script_of

FRAMES = b"head\r\n\r\n" + b"".join(b"data: %d\n\n" % n for n in range(1, 6))


class Origin:
    """A server that answers each request, one line, with `FRAMES`, and closes."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []

    async def answer(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.requests.append(await reader.readline())
        writer.write(FRAMES)
        writer.close()


@pytest.fixture
async def origin() -> AsyncIterator[tuple[Origin, int]]:
    origin = Origin()
    server = await asyncio.start_server(origin.answer, "127.0.0.1", 0)
    async with server:
        yield origin, server.sockets[0].getsockname()[1]


async def ask(port: int) -> tuple[bytes, bool]:
    """Send a request; return what came, and whether the connection was reset."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    came = b""
    try:
        writer.write(b"hello\n")
        while piece := await reader.read(100):
            came += piece
    except ConnectionError:
        return came, True
    finally:
        writer.transport.abort()
    return came, False


async def suffer(port: int, fault: Fault) -> tuple[bytes, bool]:
    async with ChaosProxy(port, script_of(fault)) as proxy:
        return await ask(proxy.port)


async def test_a_healthy_connection_is_passed_on_whole(origin: tuple[Origin, int]) -> None:
    assert await suffer(origin[1], Fault()) == (FRAMES, False)


async def test_a_connection_is_cut_after_a_number_of_bytes(origin: tuple[Origin, int]) -> None:
    assert await suffer(origin[1], Fault(cut_after=10, cut=Cut.CLOSE)) == (FRAMES[:10], False)


async def test_a_connection_is_reset_rather_than_closed(origin: tuple[Origin, int]) -> None:
    _, was_reset = await suffer(origin[1], Fault(cut_after=10, cut=Cut.RESET))

    assert was_reset


async def test_a_connection_is_cut_inside_a_frame(origin: tuple[Origin, int]) -> None:
    came, _ = await suffer(origin[1], Fault(cut_in_frame=3, cut=Cut.CLOSE))

    assert came.endswith(b"data: 2\n\ndata: ")


async def test_a_refused_connection_never_reaches_the_server(origin: tuple[Origin, int]) -> None:
    assert await suffer(origin[1], Fault(refuses=True)) == (b"", True)
    assert origin[0].requests == []


async def test_a_lost_response_leaves_its_work_done(origin: tuple[Origin, int]) -> None:
    came, _ = await suffer(origin[1], Fault(cut_after=0))

    assert came == b""
    assert origin[0].requests == [b"hello\n"]


async def test_a_repeated_request_is_answered_once(origin: tuple[Origin, int]) -> None:
    assert await suffer(origin[1], Fault(repeats_request=True)) == (FRAMES, False)
    assert origin[0].requests == [b"hello\n"] * 2


async def test_tiny_pieces_add_up(origin: tuple[Origin, int]) -> None:
    assert await suffer(origin[1], Fault(piece=1, delay=0.01)) == (FRAMES, False)


async def test_a_frozen_connection_says_nothing_and_stays_open(
    origin: tuple[Origin, int],
) -> None:
    async with ChaosProxy(origin[1], script_of(Fault(freezes_after=10))) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello\n")
        came = await reader.readexactly(10)

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.1)
        writer.transport.abort()

    assert came == FRAMES[:10]


async def test_what_comes_after_the_script_is_healthy(origin: tuple[Origin, int]) -> None:
    async with ChaosProxy(origin[1], script_of(Fault(refuses=True))) as proxy:
        await ask(proxy.port)

        assert await ask(proxy.port) == (FRAMES, False)


def test_a_seed_gives_one_script() -> None:
    one, same, other = (
        [random_script(seed, connections=9, size=900)(n) for n in range(10)] for seed in "aab"
    )

    assert one == same
    assert one != other
    assert one[-1] == Fault()
