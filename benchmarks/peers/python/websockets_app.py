"""websockets: a bare server; the URL asks for the stream, and its end closes the socket."""

import asyncio
import json
import sys
import time
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

import uvloop
from websockets import ConnectionClosed
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.http11 import Request, Response

readers: set[ServerConnection] = set()
producers: set[asyncio.Task[None]] = set()


async def hot(socket: ServerConnection, count: int) -> None:
    for i in range(count):
        await socket.send(json.dumps({"text": f"token {i} "}))


async def paced(socket: ServerConnection, count: int, interval: float) -> None:
    for i in range(count):
        await asyncio.sleep(interval)
        await socket.send(json.dumps({"text": f"token {i} ", "ns": time.monotonic_ns()}))


async def feed(socket: ServerConnection) -> None:
    readers.add(socket)
    try:
        await socket.wait_closed()
    finally:
        readers.discard(socket)


async def produce(count: int, interval: float) -> None:
    for i in range(count):
        await asyncio.sleep(interval)
        broadcast(readers, json.dumps({"text": f"token {i} ", "ns": time.monotonic_ns()}))
    for reader in list(readers):
        await reader.close()


async def follow(socket: ServerConnection) -> None:
    path, values = asked(socket.request.path if socket.request else "")
    with suppress(ConnectionClosed):
        match path:
            case "/hot":
                await hot(socket, values["count"])
            case "/paced":
                await paced(socket, values["count"], values["intervalMs"] / 1000)
            case "/feed":
                await feed(socket)


def answer(connection: ServerConnection, request: Request) -> Response | None:
    path, values = asked(request.path)
    if path == "/feed-start":
        producer = asyncio.get_running_loop().create_task(
            produce(values["count"], values["intervalMs"] / 1000)
        )
        producers.add(producer)
        producer.add_done_callback(producers.discard)
    elif path != "/health":
        return None
    return connection.respond(HTTPStatus.OK, "{}")


def asked(target: str) -> tuple[str, dict[str, int]]:
    url = urlsplit(target)
    return url.path, {name: int(value) for name, (value,) in parse_qs(url.query).items()}


async def main() -> None:
    async with serve(follow, "127.0.0.1", int(sys.argv[1]), process_request=answer) as server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
