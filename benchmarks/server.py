"""A server as a process: started on its own core, measured from outside, and always ended."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from benchmarks.environment import Environment
from benchmarks.machine import BUILD, ROOT, BenchmarkError, pinned
from benchmarks.peer import Peer
from benchmarks.request import Request, filled

START_SECONDS: Final = 30.0
TICKS: Final = os.sysconf("SC_CLK_TCK")


class Server:
    """One running server."""

    def __init__(
        self,
        peer: Peer,
        environment: Environment,
        port: int,
        process: "subprocess.Popen[bytes]",
    ) -> None:
        self.peer, self.environment, self.port = peer, environment, port
        self._process = process

    @property
    def is_alive(self) -> bool:
        """Whether its process is still there."""
        return self._process.poll() is None

    def cpu(self) -> float:
        """Return the seconds of CPU that it has used, with its children's, dead ones' too.

        Raises:
            BenchmarkError: If it has died.
        """
        if not self.is_alive:
            raise BenchmarkError(f"The server died, with status {self._process.returncode}.")
        return sum(map(_cpu_of, self._tree()))

    def memory(self) -> float:
        """Return the bytes of memory that are resident, with its children's."""
        return float(sum(map(_memory_of, self._tree())))

    def _tree(self) -> list[int]:
        tree, found = [self._process.pid], 0
        while found < len(tree):
            with suppress(OSError):
                for task in Path(f"/proc/{tree[found]}/task").iterdir():
                    children = (task / "children").read_text("ascii")
                    tree += [int(pid) for pid in children.split()]
            found += 1
        return tree


def _cpu_of(pid: int) -> float:
    """Return user and system time.

    The process's CPU clock counts in nanoseconds what /proc/<pid>/stat shows in hundredths of a
    second; only what ended children used has to come from there.
    """
    try:
        own = time.clock_gettime((~pid << 3) | 2)  # the kernel's CPUCLOCK_SCHED of that process
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        return own + (int(fields[13]) + int(fields[14])) / TICKS
    except OSError:
        return 0.0


def _memory_of(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Rss:"):
                return int(line.split()[1]) * 1024
    return 0


@contextmanager
def running(peer: Peer, environment: Environment) -> Generator[Server]:
    """Start a server on a free port, wait until it is healthy, and end it afterwards.

    Raises:
        BenchmarkError: If it does not start.
    """
    port = _free_port()
    work = BUILD / "work" / peer.name
    work.mkdir(parents=True, exist_ok=True)
    for old in work.iterdir():
        old.unlink()
    values = {"port": port, "work": work}
    command = pinned(0, [filled(word, values) for word in environment.command])
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "NODE_ENV": "production"}
    env |= {name: filled(value, values) for name, value in peer.env.items()}
    log_path = BUILD / "log" / f"{peer.name}.log"
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("wb") as log:
        try:
            process = subprocess.Popen(  # noqa: S603 - a command of peers.toml
                command,
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
        _wait_until_healthy(peer, port, process, log_path)
        yield Server(peer, environment, port, process)
    finally:
        _end(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(
    peer: Peer, port: int, process: "subprocess.Popen[bytes]", log_path: Path
) -> None:
    health = Request.parse(peer.call("health").request, {})
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            last = log_path.read_text("utf-8", "replace").strip().splitlines()[-1:]
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
