"""A reader that resumes by its cursor over any number of connections, and believes nothing.

Everything that comes is kept, and what breaks a promise is noted: a gap, a repeat, a second
end, a frame that is cut where nothing cut the connection. It is light enough that one process
has thousands.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final

from tests.support.wire import request

TERMINAL: Final = frozenset({b"done", b"error", b"cancelled"})
AGAIN: Final = (0.2, 0.8)
"""Between these many seconds a reader comes back that was not told when to."""


@dataclass(slots=True)
class Tally:
    """What happened to all readers together."""

    connections: int = 0
    farewells: int = 0
    broken: int = 0
    refused: int = 0
    bytes: int = 0


class Connection(asyncio.Protocol):
    """One response, its transfer coding removed as it comes.

    ``over`` is done when no more comes: true if the response was whole.
    """

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self._rest = b""
        self._left: int | None = None  # of the chunk that is being read, with its line end
        self.status: int | None = None
        self.over: Final[asyncio.Future[bool]] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._rest += data
        if self.status is None:
            head, found, rest = self._rest.partition(b"\r\n\r\n")
            if not found:
                return
            self.status, self._rest = int(head[9:12]), rest
            if b"transfer-encoding: chunked" not in head.lower():
                self._end(whole=True)  # an answer without a stream; its status says enough
        while not self.over.done() and self._step():
            pass

    def _step(self) -> bool:
        if self._left is None:
            line, found, rest = self._rest.partition(b"\r\n")
            if not found:
                return False
            self._left, self._rest = int(line, 16) + 2, rest
            if self._left == 2:
                self._end(whole=True)
                return False
        piece = self._rest[: self._left]
        if not piece:
            return False
        self._rest = self._rest[len(piece) :]
        if self._left > 2:
            self._take(piece[: self._left - 2])
        self._left = self._left - len(piece) or None
        return True

    def abort(self) -> None:
        """Take what comes no more."""
        self._end(whole=False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(whole=False)

    def _end(self, *, whole: bool) -> None:
        if not self.over.done():
            self.over.set_result(whole)


class Follower:
    """One reader of one run: of ``run_id``, or of the one that the request ``start`` begins."""

    def __init__(
        self, tally: Tally, random: Random, *, base: str = "", start: bytes = b"", run_id: str = ""
    ) -> None:
        self._tally, self._random, self._base, self._start = tally, random, base, start
        self.run_id = run_id
        self.events: list[tuple[int, bytes, bytes]] = []
        """Whatever came: seq, type, data."""
        self.violations: list[str] = []
        self.retry_ms: int | None = None
        self.has_begun: Final = asyncio.Event()
        """A response has begun."""
        self.has_news: Final = asyncio.Event()
        """An event has come."""
        self.was_whole = False
        """Whether the last response came to its own end."""
        self._rest = b""
        self._connection: Connection | None = None
        self.newest_at: float | None = None
        """When the newest event came, by the loop's clock."""
        self.longest_silence = 0.0
        """Seconds between two events, at most."""

    @property
    def seq(self) -> int:
        return self.events[-1][0] if self.events else 0

    @property
    def has_ended(self) -> bool:
        return bool(self.events) and self.events[-1][1] in TERMINAL

    def count(self, kind: bytes) -> int:
        """Return how many events of a type came."""
        return sum(event[1] == kind for event in self.events)

    def give_up(self, why: str) -> None:
        """Note a violation, and read no more."""
        self.violations.append(why)
        if self._connection is not None:
            self._connection.abort()

    @property
    def has_cut_frame(self) -> bool:
        """Whether the last response ended within a frame."""
        return bool(self._rest)

    def request(self) -> bytes:
        if not self.run_id:
            return self._start
        cursor = {"Last-Event-ID": f"{self.run_id}.{self.seq}"}
        return request("GET", f"{self._base}/runs/{self.run_id}/events", cursor)

    async def follow(self, port: int) -> None:
        """Read until the run's end; the port can lead to another server each time."""
        while not self.has_ended and not self.violations:
            status = await self.connect(port)
            if self.was_whole and self.has_cut_frame:
                self.violations.append(f"a frame is cut: {self._rest[-80:]!r}")
            if status not in {None, 200, 503}:
                self.violations.append(f"the answer is {status}")
            if not self.has_ended:
                await asyncio.sleep(self._pause())

    async def connect(self, port: int) -> int | None:
        """Read one response, and return its status, if it had one."""
        self.retry_ms, self._rest, self.was_whole = None, b"", False
        loop, tally = asyncio.get_running_loop(), self._tally
        tally.connections += 1
        connection = self._connection = Connection(self._take)
        try:
            transport, _ = await loop.create_connection(lambda: connection, "127.0.0.1", port)
        except OSError:
            tally.refused += 1
            return None
        try:
            transport.write(self.request())
            self.was_whole = await connection.over
        finally:
            transport.abort()
        self._count(connection.status)
        return connection.status

    def _count(self, status: int | None) -> None:
        if self.retry_ms is not None:
            self._tally.farewells += 1
        elif status != 200:
            self._tally.refused += 1
        elif not self.has_ended:
            self._tally.broken += 1

    def _pause(self) -> float:
        if self.retry_ms is not None:
            return self.retry_ms / 1000
        return self._random.uniform(*AGAIN)

    def _take(self, data: bytes) -> None:
        self._tally.bytes += len(data)
        *frames, self._rest = (self._rest + data).split(b"\n\n")
        for frame in frames:
            self._take_frame(frame)

    def _take_frame(self, frame: bytes) -> None:
        fields = dict(line.split(b": ", 1) for line in frame.split(b"\n"))
        if b"retry" in fields:
            self.retry_ms = int(fields[b"retry"])
        if b"id" not in fields:
            return
        run_id, seq, *_ = fields[b"id"].decode().split(".")
        kind = fields.get(b"event", b"chunk")
        if self.run_id and run_id != self.run_id:
            self.violations.append(f"run {run_id} instead of {self.run_id}")
        self.run_id = run_id
        if kind == b"run":
            self.has_begun.set()
            if int(seq) != self.seq:
                self.violations.append(f"opened at {seq} instead of {self.seq}")
            return
        if int(seq) != self.seq + 1:
            self.violations.append(f"{seq} follows {self.seq}")
        if self.has_ended:
            self.violations.append(f"{seq} follows the end")
        self.events.append((int(seq), kind, fields[b"data"]))
        self.has_news.set()
        now = asyncio.get_running_loop().time()
        if self.newest_at is not None:
            self.longest_silence = max(self.longest_silence, now - self.newest_at)
        self.newest_at = now
