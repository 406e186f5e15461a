"""A process that has imported the package, and becomes a program as often as one is needed.

To import everything takes a program far longer than what it then does. A program that is forked
is a process like any other: with a number, signals, a folder, an environment, streams and an
exit status of its own. `Warm` asks for one, and the rest of this module is what is asked.
"""

import atexit
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
MOST_BYTES: Final = 1 << 18
"""More than an environment with the arguments has."""
MOST_DESCRIPTORS: Final = 8
IMPORTED: Final = (
    "tests.support.server",
    "uvloop",
    "httptools",
    "httpx2",
    "watchfiles",
    "yieldwire.asgi",
    "yieldwire.cli.exit",
    "yieldwire.devtools",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What ``python -m module`` runs, and where."""

    module: str
    arguments: Sequence[str]
    cwd: str
    env: Mapping[str, str]
    is_group: bool = False
    """Whether it is a process group of its own, in a session of its own."""


class Forked:
    """A program that runs, with the part of `subprocess.Popen` that is needed here."""

    def __init__(self, told: socket.socket) -> None:
        self._told = told
        self._code: int | None = None
        self.pid: Final = int(told.recv(MOST_BYTES))

    def poll(self) -> int | None:
        """Return how it ended, if it has."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """Wait for its end, and return its exit code, or the number of a signal below zero."""
        if self._code is None:
            self._told.settimeout(timeout)
            try:
                self._code = int(self._told.recv(MOST_BYTES))
            except (TimeoutError, BlockingIOError):
                raise subprocess.TimeoutExpired("the program", timeout or 0) from None
            self._told.close()
        return self._code

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal, unless it has ended: until that is told, its number is nobody else's."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once."""
        self.send_signal(signal.SIGKILL)


class Warm:
    """The process that becomes programs, as the one who needs them sees it."""

    def __init__(self) -> None:
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm", str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(self, program: Program, out: int, err: int, *passed: int) -> Forked:
        """Start a program that writes to ``out`` and ``err``.

        It inherits the descriptors ``passed``, whose numbers there are its last arguments.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked = json.dumps(asdict(program)).encode()
        with theirs:
            socket.send_fds(self._asked, [asked], [theirs.fileno(), out, err, *passed])
        return Forked(ours)

    def close(self) -> None:
        """End it. The programs that it has become end for themselves."""
        self._asked.close()
        self._process.wait()


@cache
def warm() -> Warm:
    """Return the one process of these tests."""
    process = Warm()
    atexit.register(process.close)
    return process


def serve(asked: socket.socket) -> Program | None:
    """Fork at every request and say how what was forked ended; return in it, and at the end."""
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not asked:
                    selector.unregister(key.fileobj)
                    bury(key.fd, *key.data)
                    continue
                data, fds, _, _ = socket.recv_fds(asked, MOST_BYTES, MOST_DESCRIPTORS)
                if not data:
                    return None
                if (pid := os.fork()) == 0:
                    return forked(Program(**json.loads(data)), *fds)
                told, *others = fds
                for fd in others:
                    os.close(fd)
                child = (pid, socket.socket(fileno=told))
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, child)


def forked(program: Program, told: int, out: int, err: int, *passed: int) -> Program:
    """Take the streams, and say which process this is as soon as it can be sent signals."""
    if program.is_group:
        os.setsid()
    with socket.socket(fileno=told) as answer:
        answer.send(str(os.getpid()).encode())
    for stream, fd in enumerate((out, err), start=1):
        os.dup2(fd, stream)
        os.close(fd)
    return replace(program, arguments=[*program.arguments, *map(str, passed)])


def bury(pidfd: int, pid: int, told: socket.socket) -> None:
    """Say how a process ended."""
    os.close(pidfd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with told:
        told.send(str(code).encode())


def become(program: Program) -> None:
    """Do what ``python -m`` does, and leave its end to the interpreter."""
    os.chdir(program.cwd)
    os.environ.clear()
    os.environ.update(program.env)
    sys.argv[1:] = program.arguments
    sys.path[0] = program.cwd
    runpy.run_module(program.module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    if (program := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        become(program)
