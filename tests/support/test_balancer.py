import asyncio
from asyncio import StreamReader, StreamWriter

from tests.support.balancer import Balancer
from tests.support.server import listen

SECONDS = 10


async def ask(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"who?\n")
        return await reader.read()
    finally:
        writer.transport.abort()


async def serve(name: bytes) -> asyncio.Server:
    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(name + b" " + await reader.readline())
        writer.close()

    return await asyncio.start_server(answer, sock=listen())


def port_of(server: asyncio.Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


async def test_connections_go_to_the_servers_in_turn() -> None:
    async with (
        asyncio.timeout(SECONDS),
        await serve(b"a") as a,
        await serve(b"b") as b,
        Balancer([port_of(a), port_of(b)]) as balancer,
    ):
        answers = [await ask(balancer.port) for _ in range(4)]

    assert sorted(answers) == [b"a who?\n"] * 2 + [b"b who?\n"] * 2


async def test_a_server_that_does_not_listen_is_passed_over() -> None:
    async with asyncio.timeout(SECONDS), await serve(b"a") as a, await serve(b"b") as b:
        ports = [port_of(a), port_of(b)]
        a.close()
        async with Balancer(ports) as balancer:
            answers = [await ask(balancer.port) for _ in range(3)]

    assert answers == [b"b who?\n"] * 3
