"""Readers that trust nothing: each keeps what came, over all its connections, and comes back."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

from pydantic_core import from_json

from tests.support.wire import Answer, Broken, exchange, fetch, post, request

Log: TypeAlias = list[tuple[int, str, Any]]

TERMINAL: Final = {"done", "error", "cancelled"}
SILENCE: Final = 2.0
"""Seconds without a byte, several keepalives long, after which a connection is taken for dead."""
PAUSE: Final = 0.05
"""Seconds before a reader comes back to a server that can be away."""


class Reader:
    """One reader of one run, at one port."""

    def __init__(self, port: int, run_id: str) -> None:
        self.port, self.run_id = port, run_id
        self.log: Log = []
        self.has_news = asyncio.Event()

    @property
    def seq(self) -> int:
        return self.log[-1][0] if self.log else 0

    @property
    def has_ended(self) -> bool:
        return bool(self.log) and self.log[-1][1] in TERMINAL

    def take(self, seq: int, kind: str, data: Any) -> None:  # noqa: ANN401 - JSON
        assert seq == self.seq + 1, f"event {seq} follows {self.seq}"
        assert not self.has_ended, "something follows the terminal event"
        self.log.append((seq, kind, data))
        self.has_news.set()

    def connect(self, path: str, headers: Mapping[str, str]) -> bytes:
        return request("GET", f"/runs/{self.run_id}{path}", headers)


Connect: TypeAlias = Callable[[Reader], Awaitable[None]]


async def read_through(reader: Reader, connect: Connect) -> Log:
    """Read until the terminal event has come, whatever breaks meanwhile."""
    while not reader.has_ended:
        try:
            await connect(reader)
        except (Broken, TimeoutError):
            await asyncio.sleep(PAUSE)
    return reader.log


async def read_events(reader: Reader) -> None:
    """Server-sent events, resumed by the last whole frame's id."""
    headers = {"Accept": "text/event-stream"}
    if reader.seq:
        headers["Last-Event-ID"] = f"{reader.run_id}.{reader.seq}"
    async for frame in pieces_of(reader, reader.connect("/events", headers), b"\n\n"):
        lines = [line for line in frame.decode().split("\n") if not line.startswith(":")]
        fields = dict(line.split(": ", 1) for line in lines)
        if "id" in fields and fields.get("event") != "run":
            run_id, seq, *_ = fields["id"].split(".")
            assert run_id == reader.run_id
            reader.take(int(seq), fields.get("event", "chunk"), from_json(fields["data"]))


async def read_lines(reader: Reader) -> None:
    """NDJSON, gone on with by the last seq."""
    data = reader.connect(f"/events?after={reader.seq}", {"Accept": "application/x-ndjson"})
    async for line in pieces_of(reader, data, b"\n"):
        event = from_json(line) if line else {}
        if "seq" in event:
            reader.take(event["seq"], event["type"], event["data"])


async def pieces_of(reader: Reader, data: bytes, end: bytes) -> AsyncIterator[bytes]:
    """Yield what a response has, each piece of it with its whole end."""
    async with asyncio.timeout(SILENCE) as limit, exchange(reader.port, data) as response:
        check_status(response.status)
        rest = b""
        async for piece in response.pieces():
            limit.reschedule(asyncio.get_running_loop().time() + SILENCE)
            *whole, rest = (rest + piece).split(end)
            for each in whole:
                yield each


async def poll(reader: Reader) -> None:
    """Polling: one answer at a time, each with what came after the last."""
    path = f"?after={reader.seq}&wait=0.3"
    async with asyncio.timeout(SILENCE):
        answer = await fetch(reader.port, reader.connect(path, {}))
    check_status(answer.status)
    for event in answer.json()["events"]:
        reader.take(event["seq"], event["type"], event["data"])


WAYS: Final[tuple[Connect, ...]] = (read_events, read_lines, poll)


def check_status(status: int) -> None:
    """Return if there is something to read; raise `Broken` where it is worth coming back.

    Raises:
        AssertionError: If the run, or what the reader knows of it, is said not to be there.
    """
    if status in {502, 503}:
        raise Broken("the server is not ready")
    assert status == 200, f"a reader was answered {status}"


async def start(port: int, name: str, value: object, key: str) -> str:
    """Start a detached run, with the same key until that is answered, and return its id."""
    data = post(f"/{name}", value, {"Prefer": "respond-async", "Idempotency-Key": key})
    while True:
        try:
            answer = await patiently(fetch(port, data))
        except (Broken, TimeoutError):
            await asyncio.sleep(PAUSE)
            continue
        if answer.status == 503:
            continue
        assert answer.status == 202, answer
        run_id: str = answer.json()["id"]
        return run_id


async def patiently(work: Awaitable[Answer]) -> Answer:
    """Return what ``work`` returns, unless it takes too long."""
    return await asyncio.wait_for(work, SILENCE)
