"""Slow streams of real servers: with and without TLS, in both event loops, with both parsers.

With httptools, events are written to uvicorn's connection directly, and with h11 by its `send`.
"""

import asyncio
import ssl
import threading
from asyncio import Transport
from collections.abc import AsyncIterator, Callable, Container, Generator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPSConnection
from typing import Final, NamedTuple

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from tests.support.ndjson import NDJSONDecoder
from tests.support.runs import SOON
from tests.support.server import Http, Loop, ThreadServer
from tests.support.tls import Authority
from yieldwire import Actions, Timing
from yieldwire.asgi import sending
from yieldwire.asgi.servers import write_chunk
from yieldwire.codecs.sse import SSEDecoder
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.run import RunRecord, Status

PIECE: Final = "x" * 16_000
FREE: Final = range(4, 504)
"""Eight megabytes of numbers: far more than a connection takes whose client does not read."""
READ: Final = 65_536
DECODERS: Final[Mapping[str, type[SSEDecoder | NDJSONDecoder]]] = {
    "text/event-stream": SSEDecoder,
    "application/x-ndjson": NDJSONDecoder,
}


class Setting(NamedTuple):
    """How an application is served."""

    loop: Loop
    http: Http
    is_encrypted: bool = False


SETTINGS: Final = [
    Setting("asyncio", "httptools"),
    Setting("uvloop", "httptools"),
    Setting("asyncio", "httptools", is_encrypted=True),
    Setting("uvloop", "httptools", is_encrypted=True),
    Setting("asyncio", "h11"),
    Setting("uvloop", "h11", is_encrypted=True),
]


@pytest.fixture(params=DECODERS)
def accept(request: pytest.FixtureRequest) -> str:
    made: str = request.param
    return made


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """For each event that was to be written directly, whether that was possible."""
    outcomes = list[bool]()

    def write(transport: Transport, block: Block, encode: Callable[[Block], bytes]) -> bool:
        outcomes.append(write_chunk(transport, block, encode))
        return outcomes[-1]

    monkeypatch.setattr(sending, "write_chunk", write)
    return outcomes


@pytest.fixture
def is_full(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Set when uvicorn waits until a client reads, because its connection's buffer is full."""
    waits, drain = threading.Event(), FlowControl.drain

    async def drain_buffer(flow: FlowControl) -> None:
        waits.set()
        await drain(flow)

    monkeypatch.setattr(FlowControl, "drain", drain_buffer)
    return waits


class Numbers:
    """An application whose action `number` yields a number when told to; some it yields freely."""

    def __init__(self, free: Container[int] = ()) -> None:
        self.actions: Final = Actions(timing=Timing(sweep_every=0.05, grace=0.0))
        self.has_stopped: Final = threading.Event()
        self._go: Final = asyncio.Semaphore(0)

        @self.actions.action(linger=0.05)
        async def number(upto: int) -> AsyncIterator[str]:
            try:
                for number in range(1, upto + 1):
                    await (asyncio.sleep(0) if number in free else self._go.acquire())
                    yield f"{number} {PIECE}"
            finally:
                self.has_stopped.set()

    async def ended(self, run_id: str) -> RunRecord:
        """Return the record of a run, once it has ended."""
        store = self.actions.app.store
        while (run := await store.get(run_id)).ended_at is None:
            await store.read(run_id, run.seq, wait=SOON)
        return run

    def release(self, server: ThreadServer) -> None:
        """Let one more number come."""
        server.loop.call_soon_threadsafe(self._go.release)


class Client:
    """Starts a run, and reads its stream when it is told to."""

    def __init__(self, connection: HTTPConnection, accept: str, upto: int) -> None:
        headers = {"Accept": accept, "Content-Type": "application/json"}
        connection.request("POST", "/number", b'{"upto":%d}' % upto, headers)
        self._answer: Final = connection.getresponse()
        self._decoder: Final = DECODERS[accept]()
        self.run_id: Final = self._answer.headers["Run-Id"]
        self.events: Final = list[Event]()

    def read_to(self, number: int) -> None:
        """Read until this number has come."""
        while not self.events or self.events[-1].seq < number:
            assert self._read(), "the stream ended too early"

    def read_rest(self) -> None:
        """Read to the end."""
        while self._read():
            pass

    def _read(self) -> bool:
        data = self._answer.read1(READ)
        self.events.extend(self._decoder.feed(data))
        return bool(data)

    def numbers(self) -> Sequence[int]:
        """Return the numbers that have come."""
        values = [event.value for event in self.events if event.type is EventType.CHUNK]
        return [int(str(value).split()[0]) for value in values]


@dataclass(frozen=True, slots=True)
class Place:
    """Serves applications in a setting."""

    setting: Setting
    authority: Authority

    @property
    def is_direct(self) -> bool:
        """Whether events are written to the connection directly."""
        return self.setting.http == "httptools"

    @contextmanager
    def serve(self, app: Actions) -> Generator[ThreadServer]:
        """Serve an application."""
        loop, http, is_encrypted = self.setting
        certificate = self.authority.signed("127.0.0.1") if is_encrypted else None
        with ThreadServer(app, loop=loop, http=http, certificate=certificate) as server:
            yield server

    def connect(self, server: ThreadServer) -> HTTPConnection:
        """Return a new connection to it."""
        if not self.setting.is_encrypted:
            return HTTPConnection("127.0.0.1", server.port, timeout=SOON)
        context = ssl.create_default_context(cafile=self.authority.file)
        return HTTPSConnection("127.0.0.1", server.port, timeout=SOON, context=context)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(params=SETTINGS, ids=lambda each: "-".join(map(str, each)))
def place(request: pytest.FixtureRequest, authority: Authority) -> Place:
    return Place(request.param, authority)


def test_a_slow_stream_arrives_complete_and_in_order(
    place: Place, accept: str, written: list[bool]
) -> None:
    app = Numbers()

    with place.serve(app.actions) as server, closing(place.connect(server)) as connection:
        app.release(server)
        client = Client(connection, accept, upto=20)
        for number in range(1, 20):
            client.read_to(number)
            app.release(server)
        client.read_rest()

    assert client.numbers() == [*range(1, 21)]
    assert client.events[-1].type is EventType.DONE
    # The first event goes with the head, and the last one can go with the end.
    assert written[:18] == ([True] * 18 if place.is_direct else [])


def test_a_stream_is_complete_although_its_reader_did_not_read_for_a_while(
    place: Place, accept: str, written: list[bool], is_full: threading.Event
) -> None:
    app = Numbers(FREE)

    with place.serve(app.actions) as server, closing(place.connect(server)) as connection:
        app.release(server)
        client = Client(connection, accept, upto=FREE.stop + 2)
        for number in (1, 2):
            client.read_to(number)
            app.release(server)
        assert is_full.wait(SOON)
        for number in range(FREE.stop - 1, FREE.stop + 2):
            client.read_to(number)
            app.release(server)
        client.read_rest()

    assert client.numbers() == [*range(1, FREE.stop + 3)]
    assert client.events[-1].type is EventType.DONE
    if place.is_direct:
        assert {*written} == {True, False}
        assert written[-1]  # again, once the reader has read
    else:
        assert written == []


def test_a_run_whose_reader_leaves_in_the_middle_stops_after_its_linger(
    place: Place, accept: str, written: list[bool]
) -> None:
    app = Numbers()

    with place.serve(app.actions) as server:
        app.release(server)
        with closing(place.connect(server)) as connection:
            client = Client(connection, accept, upto=100)
            for number in range(1, 5):
                client.read_to(number)
                app.release(server)
            client.read_to(5)
        for _ in range(3):
            app.release(server)
        assert app.has_stopped.wait(SOON)
        run = server.call(app.ended(client.run_id))

    assert (run.status, run.cancel_reason) == (Status.CANCELLED, "unattended")
    assert written[:4] == ([True] * 4 if place.is_direct else [])
