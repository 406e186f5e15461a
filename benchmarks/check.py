"""Whether all servers do the same work: ``python3 -m benchmarks.check [peer,…]``.

Every server is started, every route that its scenes need is called, and every event of the
answers is compared with what README.md says it has to be. Of a limit, which sends what it has
ready, the events are only counted.
"""

import http.client
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from benchmarks.answer import signed
from benchmarks.environment import Environment, prepare
from benchmarks.load import loaded, loading
from benchmarks.machine import BenchmarkError
from benchmarks.peer import Peer, choose, read_peers
from benchmarks.request import ACCEPT, Request, prepared
from benchmarks.scene import asked
from benchmarks.server import Server, running

KEPT: Final = 100_000
SOME: Final = 1_000
ENDLESS: Final = 1_000_000
PACED: Final = 20
INTERVAL_MS: Final = 10
READERS: Final = 3
SILENCE_SECONDS: Final = 20.0
STREAM_SECONDS: Final = 120.0
NUMBER: Final = re.compile(r"token (\d+) ")


class Stream:
    """The answer to one request, read event by event."""

    def __init__(self, server: Server, route: str, count: int = 0) -> None:
        values = {"count": count, "intervalMs": INTERVAL_MS}
        request = prepared(server.peer.call(route), server.port, values)
        self.is_limit = server.peer.role == "limit"
        self._connection = _sent(request, server.port)
        self._answer = self._connection.getresponse()
        kind = self._answer.headers.get_content_type()
        if (self._answer.status, kind) != (http.client.OK, ACCEPT):
            raise BenchmarkError(f"It answered {self._answer.status} {kind}.")

    def events(self) -> Iterator[str]:
        """Give the data of every event that has a token."""
        yield from events_in(self._pieces())

    def _pieces(self) -> Iterator[bytes]:
        until = time.monotonic() + STREAM_SECONDS
        while piece := self._answer.read1(65_536):
            yield piece
            if time.monotonic() > until:
                raise BenchmarkError(f"It took more than {STREAM_SECONDS:g} s.")

    def close(self) -> None:
        """Leave."""
        self._answer.close()
        self._connection.close()


def events_in(pieces: Iterable[bytes]) -> Iterator[str]:
    """Give the data of every event that has a token, however the bytes are cut."""
    rest = b""
    for piece in pieces:
        *frames, rest = (rest + piece).replace(b"\r\n", b"\n").split(b"\n\n")
        for frame in frames:
            lines = [line[5:] for line in frame.split(b"\n") if line.startswith(b"data:")]
            if b"token " in (joined := b"\n".join(lines)):
                yield joined.decode()


def _sent(request: Request, port: int) -> http.client.HTTPConnection:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=SILENCE_SECONDS)
    headers = {"Accept": ACCEPT}
    if request.method == "POST":
        headers["Content-Type"] = "application/json"
    connection.request(request.method, request.path, request.body or None, headers)
    return connection


def _tokens(value: Any) -> list[str]:  # noqa: ANN401 - JSON, in whatever envelope
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [token for inner in value for token in _tokens(inner)]
    return [value] if isinstance(value, str) and "token " in value else []


def _expect(stream: Stream, count: int, *, ends: bool = True) -> None:
    """Read that many events, and the end after them."""
    seen = 0
    for data in stream.events():
        if seen == count:
            if ends:
                raise BenchmarkError(f"There are more than {count} events.")
            break
        if not stream.is_limit and _tokens(json.loads(data)) != [f"token {seen} "]:
            raise BenchmarkError(f"Event {seen} is {data}.")
        seen += 1
    stream.close()
    if seen < count:
        raise BenchmarkError(f"There are {seen} events instead of {count}.")


def _hot(server: Server) -> None:
    for count in (SOME, 1, 10):
        if server.peer.socket is not None:
            _count(server, asked(server, "hot", count=count), count)
            continue
        _expect(Stream(server, "hot", count), count)


def _paced(server: Server) -> None:
    begun = time.monotonic()
    if server.peer.socket is None:
        _expect(Stream(server, "paced", PACED), PACED)
    else:
        request = asked(server, "paced", count=PACED, intervalMs=INTERVAL_MS)
        _count(server, request, PACED)
    least = 0.9 * PACED * INTERVAL_MS / 1000  # timers are allowed to round
    if time.monotonic() - begun < least:
        raise BenchmarkError(f"It took less than {least:g} s.")


def _feed(server: Server) -> None:
    if server.peer.socket is not None:
        _feed_over_sockets(server)
        return
    for _ in range(2):
        readers = [Stream(server, "feed") for _ in range(READERS)]
        _start_feed(server)
        for reader in readers:
            _expect(reader, PACED)


def _start_feed(server: Server) -> None:
    values = {"count": PACED, "intervalMs": INTERVAL_MS}
    start = Request.parse(server.peer.call("feed-start").request, values)
    status, _ = start.send(server.port)
    if status // 100 != 2:  # noqa: PLR2004 - HTTP's own
        raise BenchmarkError(f"Its start was answered with {status}.")


def _count(server: Server, request: Request, count: int) -> None:
    """Count what the load client gets; over a socket it compares the events' numbers itself."""
    streams = 2 * server.peer.socket.runs if server.peer.socket else 2
    figures = loaded(server.port, request, connections=streams, timeout=STREAM_SECONDS)
    if (figures.responses, figures.events) != (streams, streams * count):
        raise BenchmarkError(f"There are {figures.events} events instead of {streams * count}.")


def _feed_over_sockets(server: Server) -> None:
    request = asked(server, "feed")
    with loading(server.port, request, connections=READERS, timeout=SILENCE_SECONDS) as load:
        load.wait_open(SILENCE_SECONDS)
        _start_feed(server)
        events = load.finish().check().events
    if events != READERS * PACED:
        raise BenchmarkError(f"There are {events} events instead of {READERS * PACED}.")


def _replay(server: Server) -> None:
    _expect(Stream(server, "replay", KEPT), KEPT)


def _endless(server: Server) -> None:
    _expect(Stream(server, "endless", SOME), SOME)
    _expect(Stream(server, "endless", ENDLESS), SOME, ends=False)


def _spin(server: Server) -> None:
    _expect(Stream(server, "spin"), SOME, ends=False)


def _worked(server: Server) -> None:
    if server.peer.socket is not None:
        return  # the load client compares the events' numbers
    stream = Stream(server, "worked", PACED)
    numbers = [int(found[1]) for data in stream.events() if (found := NUMBER.search(data))]
    if not numbers or numbers != sorted(set(numbers)):
        raise BenchmarkError(f"The events come as {numbers}.")


def _answer(server: Server, route: str = "answer") -> None:
    values = {"count": PACED, "intervalMs": INTERVAL_MS}
    status, _ = asked(server, route, **values).send(server.port)
    if status != http.client.UNAUTHORIZED:
        raise BenchmarkError(f"Somebody who has not signed in is answered with {status}.")
    _count(server, signed(server, route, **values), PACED)


def _chat(server: Server) -> None:
    _answer(server, "chat")


CHECKS: Final[dict[str, Callable[[Server], None]]] = {
    "A": _hot,
    "C": _paced,
    "D": _feed,
    "E": _replay,
    "F": _endless,
    "G": _spin,
    "J": _worked,
    "L": _answer,
    "M": _chat,
}


def failures(peer: Peer, environment: Environment) -> Iterator[str]:
    """Give a line for everything in which a server is not as README.md says."""
    for scene, check in CHECKS.items():
        if scene in peer.scenes:
            # A fresh server each, as one that is left in the middle of a stream can keep running.
            try:
                with running(peer, environment) as server:
                    check(server)
            except (BenchmarkError, OSError, http.client.HTTPException, ValueError) as exc:
                yield f"scene {scene}: {exc!s}"


def _installed(peer: Peer) -> Iterator[str]:
    try:
        yield from failures(peer, prepare(peer))
    except BenchmarkError as exc:
        yield str(exc)


def main() -> int:
    """Check the peers that are named, or all."""
    names = ",".join(sys.argv[1:]) or "all"
    failed = 0
    for peer in choose(names, read_peers()):
        found = list(_installed(peer))
        failed += bool(found)
        lines = [
            f"{'FAILED' if found else 'ok':6}  {peer.name}",
            *(f"        {line}" for line in found),
        ]
        sys.stdout.write("\n".join(lines) + "\n")
        sys.stdout.flush()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
