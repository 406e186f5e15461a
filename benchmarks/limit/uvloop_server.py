"""What Python can reach at most: an asyncio protocol on uvloop that sends frames made beforehand.

Hot streams gather 64 frames a write; paced streams and the feed send one, because there is one.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import uvloop

GATHERED: Final = 64
REPLAYED: Final = 100_000
FRAME: Final = b'data: {"text":"token 123 "}\n\n'
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
PLAIN: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
LAST: Final = b"0\r\n\r\n"
CHUNKS: Final = [b"", *(b"%x\r\n%b\r\n" % (n * len(FRAME), n * FRAME) for n in range(1, 65))]


def frames(count: int) -> Iterator[bytes]:
    """Yield the writes of a hot stream."""
    whole, rest = divmod(count, GATHERED)
    for _ in range(whole):
        yield CHUNKS[GATHERED]
    yield CHUNKS[rest] + LAST


class Protocol(asyncio.Protocol):
    """One connection."""

    readers: Final[set["Protocol"]] = set()

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: Any = None
        self._received = b""
        self._writes: Iterator[bytes] = iter(())
        self._is_paused = False
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget everything."""
        self._writes = iter(())
        self.readers.discard(self)
        if self._timer is not None:
            self._timer.cancel()

    def pause_writing(self) -> None:
        """Stop a hot stream: the socket is full."""
        self._is_paused = True

    def resume_writing(self) -> None:
        """Continue."""
        self._is_paused = False
        self._pump(self._writes)

    def data_received(self, data: bytes) -> None:
        """Answer a request once its body is there; each one is small."""
        self._received += data
        head, blank, body = self._received.partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"content-length: ")
        if not blank or len(body) < int(length.partition(b"\r\n")[0] or 0):
            return
        self._received = b""
        asked = json.loads(body) if body else {}
        self._answer(head.split(b" ", 2)[1].decode(), asked)

    def feed(self, data: bytes) -> None:
        """Send an event of the feed."""
        self._transport.write(data)

    def _answer(self, path: str, asked: dict[str, Any]) -> None:
        count, interval = asked.get("count", REPLAYED), asked.get("intervalMs", 0) / 1000
        match path:
            case "/hot" | "/endless" | "/replay":
                writes = frames(count)
                self._transport.write(HEAD + next(writes))
                self._pump(writes)
            case "/paced":
                self._transport.write(HEAD)
                self._pace(count, interval, self._loop.time())
            case "/feed":
                self.readers.add(self)
                self._transport.write(HEAD)
            case "/feed-start":
                produce(count, interval, self._loop.time())
                self._transport.write(PLAIN)
            case _:
                self._transport.write(PLAIN)

    def _pump(self, writes: Iterator[bytes]) -> None:
        self._writes = writes
        # Other connections get their turn after a while, as in every server.
        for _ in range(16):
            if self._is_paused:
                return
            data = next(writes, None)
            if data is None:
                return
            self._transport.write(data)
        self._loop.call_soon(self._pump, writes)

    def _pace(self, left: int, interval: float, due: float) -> None:
        self._timer = self._loop.call_at(due + interval, self._tick, left, interval, due + interval)

    def _tick(self, left: int, interval: float, due: float) -> None:
        if left > 1:
            self._transport.write(CHUNKS[1])
            self._pace(left - 1, interval, due)
        else:
            self._transport.write(CHUNKS[1] + LAST)


def produce(left: int, interval: float, due: float) -> None:
    """Send each event of the feed to everybody."""

    def tick() -> None:
        data = CHUNKS[1] if left > 1 else CHUNKS[1] + LAST
        for reader in tuple(Protocol.readers):
            reader.feed(data)
        if left > 1:
            produce(left - 1, interval, due + interval)
        else:
            Protocol.readers.clear()

    asyncio.get_running_loop().call_at(due + interval, tick)


async def main() -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Protocol, "127.0.0.1", int(sys.argv[1]), backlog=4096)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main())
