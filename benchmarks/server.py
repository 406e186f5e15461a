"""A server as a process: started on its own core, measured from outside, and always ended."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from benchmarks.database import Database, sharing
from benchmarks.environment import Environment
from benchmarks.machine import BUILD, ROOT, BenchmarkError, pinned
from benchmarks.model import modelling
from benchmarks.peer import Peer
from benchmarks.process import cpu_of, descriptors_of, memory_of, tree
from benchmarks.request import Request
from benchmarks.websocket import filled

START_SECONDS: Final = 30.0
SECRET: Final = "benchmark"  # noqa: S105 - of servers on this machine only
"""What sessions are signed with, where a server asks for one."""


class Server:
    """One running server, with the processes that belong to it."""

    def __init__(
        self,
        peer: Peer,
        environment: Environment,
        port: int,
        processes: "Sequence[subprocess.Popen[bytes]]",
        database: Database | None = None,
    ) -> None:
        self.peer, self.environment, self.port = peer, environment, port
        self.database = database
        self._pauses = _pauses_of(peer)
        self._processes = processes

    @property
    def is_alive(self) -> bool:
        """Whether all of its processes are still there."""
        return all(process.poll() is None for process in self._processes)

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used, with its children's, dead ones' too.

        Raises:
            BenchmarkError: If it has died.
        """
        for process in self._processes:
            if process.poll() is not None:
                raise BenchmarkError(f"The server died, with status {process.returncode}.")
        return sum(map(cpu_of, self._tree()))

    def memory(self) -> float:
        """Return the bytes of memory that are resident, with its children's."""
        return float(sum(map(memory_of, self._tree())))

    def descriptors(self) -> int:
        """Return how many files and sockets are open, with its children's."""
        return sum(map(descriptors_of, self._tree()))

    def pauses(self) -> list[float]:
        """Return the milliseconds of each garbage collection, if it was started to note them."""
        if not self._pauses.exists():
            return []
        return [int(line) / 1e6 for line in self._pauses.read_text("ascii").split()]

    def _tree(self) -> list[int]:
        return [pid for process in self._processes for pid in tree(process.pid)]


@contextmanager
def running(
    peer: Peer, environment: Environment, *, notes_pauses: bool = False
) -> Generator[Server]:
    """Start a server on a free port, wait until it is healthy, and end it afterwards.

    With ``notes_pauses`` it notes how long its garbage collections take.

    Raises:
        BenchmarkError: If it does not start.
    """
    port = _free_port()
    work = BUILD / "work" / peer.name
    work.mkdir(parents=True, exist_ok=True)
    for old in work.iterdir():
        old.unlink()
    with ExitStack() as stack:
        database = stack.enter_context(sharing(environment)) if environment.database else None
        model = stack.enter_context(modelling(environment.model)) if environment.model else ""
        values = {"port": port, "work": work, "database": database.url if database else ""}
        values |= {"model": model, "secret": SECRET}
        noting = _noting(peer) if notes_pauses else {}
        processes = [
            stack.enter_context(_started(command, environment, peer, values, noting))
            for command in (environment.command, *environment.also)
        ]
        _wait_until_healthy(peer, port, processes)
        yield Server(peer, environment, port, processes, database)


@contextmanager
def _started(
    command: Sequence[str],
    environment: Environment,
    peer: Peer,
    values: Mapping[str, object],
    noting: Mapping[str, str],
) -> "Generator[subprocess.Popen[bytes]]":
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NODE_ENV": "production", **noting}
    env |= {name: filled(value, values) for name, value in peer.env.items()}
    with _log_of(peer).open("ab") as log:
        try:
            process = subprocess.Popen(  # noqa: S603 - a command of peers.toml
                pinned(0, [filled(word, values) for word in command]),
                cwd=environment.directory,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as exc:
            raise BenchmarkError(str(exc)) from exc
    try:
        yield process
    finally:
        _end(process)


def _pauses_of(peer: Peer) -> Path:
    return BUILD / "work" / peer.name / "pauses"


def _noting(peer: Peer) -> dict[str, str]:
    """Return the environment in which a server notes its garbage collections."""
    folder = ROOT / "benchmarks" / "pauses"
    return {
        "BENCH_PAUSES": str(_pauses_of(peer)),
        "PYTHONPATH": f"{folder}{os.pathsep}{ROOT / 'src'}",
        "NODE_OPTIONS": f"--import={folder / 'pauses.mjs'}",
    }


def _log_of(peer: Peer) -> Path:
    path = BUILD / "log" / f"{peer.name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(
    peer: Peer, port: int, processes: "Sequence[subprocess.Popen[bytes]]"
) -> None:
    health = Request.parse(peer.call("health").request, {})
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if any(process.poll() is not None for process in processes):
            last = _log_of(peer).read_text("utf-8", "replace").strip().splitlines()[-1:]
            raise BenchmarkError(f"It did not start: {''.join(last)[:200] or 'it said nothing'}")
        with suppress(OSError):
            status, _ = health.send(port, timeout=2.0)
            if status == 200:  # noqa: PLR2004 - HTTP's own
                return
        time.sleep(0.02)
    raise BenchmarkError(f"It was not healthy within {START_SECONDS:g} s.")


def _end(process: "subprocess.Popen[bytes]") -> None:
    # Its session is its own, so this reaches its children and nobody else. Nothing that it keeps
    # is needed, and some would wait for streams that nobody reads.
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
