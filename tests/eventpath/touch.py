"""The program that says, under Callgrind, how much of its stream's memory an event touches.

There are more streams than fit into the simulated cache of half a megabyte, and each sends an event
in its turn: what is missed in that cache is what belongs to the stream alone. The same is done with
a bare ASGI application, on the same server: uvicorn's own protocol, without a socket.
"""

import asyncio
import ctypes
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, Final

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tests.eventpath.scene import site
from yieldwire.stores.memory import MemoryStore
from yieldwire.testing.clock import MovingClock

STREAMS: Final = 150
FROM, TO = 8, 24
"""Between which events it is measured: the streams run, and none of them ends."""
EVENTS: Final = (TO - FROM) * STREAMS
BARE, OURS = "bare", "ours"
CACHE: Final = ("--cache-sim=yes", "--I1=32768,8,64", "--D1=32768,8,64", "--LL=524288,16,64")


class StillLoop(asyncio.SelectorEventLoop):
    """A loop for which no time passes, or Callgrind would make all that is measured late."""

    def time(self) -> float:
        return time.monotonic() * 0.0  # an object of its own each time, as usual


class Connection(asyncio.Transport):
    """A connection whose client reads everything at once."""

    def __init__(self) -> None:
        super().__init__({"sockname": ("127.0.0.1", 8000), "peername": ("127.0.0.1", 50_000)})
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if bytes(data[-5:]) == b"0\r\n\r\n":
            self.over.set_result(None)

    def is_closing(self) -> bool:
        return False

    def get_write_buffer_size(self) -> int:
        return 0

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """It has one."""

    def pause_reading(self) -> None:
        """Nothing comes."""

    def resume_reading(self) -> None:
        """Nothing comes."""

    def close(self) -> None:
        """It has no end of its own."""


class Window:
    """Calls when all streams have come to an event."""

    def __init__(self, begin: Callable[[], object], end: Callable[[], object]) -> None:
        self.calls = {FROM: begin, TO: end}
        self.counts = {FROM: 0, TO: 0}

    def pass_by(self, event: int) -> None:
        """Take note that a stream sends this event."""
        if event in self.counts:
            self.counts[event] += 1
            if self.counts[event] == STREAMS:
                self.calls[event]()


def bare(window: Window) -> ASGIApp:
    """Return an application that sends each event as a piece of its body."""

    async def paced(n: int) -> AsyncIterator[bytes]:
        for i in range(n):
            await asyncio.sleep(0)
            window.pass_by(i)
            yield b"data: %b\n\n" % json.dumps({"text": f"token {i} ", "n": i}).encode()

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        n = json.loads((await receive())["body"])["n"]
        headers = [(b"content-type", b"text/event-stream")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        async for event in paced(n):
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    return app


def ours(window: Window) -> ASGIApp:
    """Return an application whose action does the same."""

    async def paced(n: int) -> AsyncIterator[dict[str, int | str]]:
        for i in range(n):
            await asyncio.sleep(0)
            window.pass_by(i)
            yield {"text": f"token {i} ", "n": i}

    clock = MovingClock()
    return site(MemoryStore(clock=clock), clock, paced)


async def measure(marks: Any) -> None:  # noqa: ANN401 - a library in C
    """Measure both."""
    marks.watch()
    for name, make in {BARE: bare, OURS: ours}.items():
        window = Window(marks.begin, partial(marks.end, name.encode()))
        config = Config(make(window), access_log=False, log_level="warning", lifespan="off")
        config.load()
        await stream(config, streams=2)  # what is made once
        gc.collect()
        gc.freeze()
        gc.disable()  # whose turn it is depends on what was there before
        await stream(config, streams=STREAMS)
        gc.enable()


async def stream(config: Config, streams: int) -> None:
    """Let that many streams run side by side to their end."""
    body = b'{"n":%d}' % (TO + 5)
    head = b"POST /paced HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n"
    head += b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
    connections = list[Connection]()
    for _ in range(streams):
        protocol = HttpToolsProtocol(config, ServerState(), {}, asyncio.get_running_loop())
        connections.append(connection := Connection())
        protocol.connection_made(connection)
        protocol.data_received(head + body)
    for connection in connections:
        await connection.over


def main() -> None:
    """Measure."""
    sys.setswitchinterval(3600.0)
    with asyncio.Runner(loop_factory=StillLoop, debug=False) as runner:
        runner.run(measure(ctypes.CDLL(sys.argv[1])))


if __name__ == "__main__":
    main()
