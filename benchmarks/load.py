"""The load client, driven from here: `loadclient/`, on a core of its own."""

import json
import os
import select
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from benchmarks.environment import compiled
from benchmarks.machine import ROOT, BenchmarkError, pinned
from benchmarks.request import Request

STAMP: Final = '"ns":'
"""What the time of its making stands behind in an event."""
SOURCE: Final = ROOT / "benchmarks" / "loadclient"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What the client counted up to a moment; durations in seconds."""

    state: str
    why: str = ""
    at: float = 0.0
    elapsed: float = 0.0
    events: int = 0
    frames: int = 0
    bytes: int = 0
    responses: int = 0
    open: int = 0
    stalled: int = 0
    errors: int = 0
    reconnects: int = 0
    status: int = 0
    header: str = ""
    error: str = ""
    ttfe: Mapping[str, float] = field(default_factory=dict)
    stamp: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def parse(cls, line: str) -> "Figures":
        """Read a line of the client's."""
        said: dict[str, Any] = json.loads(line)
        return cls(at=said.pop("ns") / 1e9, **said)

    def check(self) -> "Figures":
        """Return the figures, if nothing went wrong.

        Raises:
            BenchmarkError: If something did.
        """
        if self.errors:
            what = self.error or f"status {self.status}"
            raise BenchmarkError(f"{self.errors} of the client's requests failed: {what}")
        if self.why == "timeout":
            raise BenchmarkError(f"The client was not done after {self.elapsed:.0f} s.")
        return self


class Load:
    """One running load client."""

    def __init__(self, process: "subprocess.Popen[bytes]", timeout: float) -> None:
        self._process, self._timeout = process, timeout
        self._unread = b""
        self._last: Figures | None = None

    def wait_open(self, timeout: float) -> Figures:
        """Return when every connection has had the head of its first response.

        Raises:
            BenchmarkError: If that takes longer, or fails.
        """
        figures = self._read({"open"}, timeout, "Not all streams were open").check()
        if figures.state == "end":
            raise BenchmarkError("The streams ended before all of them were open.")
        return figures

    def mark(self) -> Figures:
        """Return the figures of this moment."""
        self._say(b"mark\n")
        return self._read({"mark"}, 5.0)

    def stop(self) -> Figures:
        """End the client now, and return its last figures."""
        self._say(b"stop\n")
        return self.finish()

    def finish(self) -> Figures:
        """Return the client's last figures, when it has ended."""
        return self._read({"end"}, self._timeout + 5.0)

    def kill(self) -> None:
        """End the client, whatever it does."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _say(self, line: bytes) -> None:
        if self._process.stdin is not None and self._last is None:
            try:
                self._process.stdin.write(line)
                self._process.stdin.flush()
            except BrokenPipeError:  # it has ended meanwhile; its last line says how
                return

    def _read(self, states: set[str], timeout: float, late: str = "No figures came") -> Figures:
        until = time.monotonic() + timeout
        while self._last is None:
            line = self._line(until)
            if not line:
                raise BenchmarkError(f"{late} within {timeout:g} s.")
            figures = Figures.parse(line)
            if figures.state == "end":
                self._last = figures
            if figures.state in states:
                return figures
        # A client that has ended was asked too late; what it said last still holds.
        return self._last

    def _line(self, until: float) -> str:
        """Return the client's next line, or nothing if there is none in time."""
        pipe = self._process.stdout
        if pipe is None:
            raise BenchmarkError("The load client has no output.")
        while b"\n" not in self._unread:
            left = until - time.monotonic()
            if left <= 0 or not select.select([pipe], [], [], left)[0]:
                return ""
            piece = os.read(pipe.fileno(), 65_536)
            if not piece:
                raise BenchmarkError("The load client ended without a word.")
            self._unread += piece
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()


@contextmanager
def loading(
    port: int,
    request: Request,
    *,
    connections: int = 1,
    repeat: bool = False,
    timeout: float = 60.0,
    **options: float | str | bool,
) -> Generator[Load]:
    """Start a load client with one request; `options` are the client's own.

    ``connections`` are streams, of which several can share a socket.
    """
    words = [str(compiled(SOURCE)), "--port", str(port)]
    words += ["--timeout", str(timeout), *(["--repeat"] if repeat else [])]
    for name, value in {**request.options(connections), **options}.items():
        if value is not False:
            words += [f"--{name}"] if value is True else [f"--{name}", str(value)]
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(request.raw(port))
        process = subprocess.Popen(  # noqa: S603 - the client built above
            pinned(1, [*words, "--request", file.name]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        load = Load(process, timeout)
        try:
            yield load
        finally:
            load.kill()


def loaded(port: int, request: Request, **options: Any) -> Figures:  # noqa: ANN401 - as `loading`
    """Run a load client to its end, and return what it counted.

    Raises:
        BenchmarkError: If anything failed.
    """
    with loading(port, request, **options) as load:
        return load.finish().check()
