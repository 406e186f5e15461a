"""A process that has imported the command line, and becomes a command as often as one is needed.

To import everything takes a command far longer than what it then does. A command that is forked
is a process like any other: with a number, signals, a folder, an environment, streams and an
exit status of its own. `Warm` asks for one, and the rest of this module is what is asked.
"""

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
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent.parent
MOST_BYTES: Final = 1 << 18
"""More than an environment with the arguments has."""
IMPORTED: Final = (
    "uvicorn",
    "uvloop",
    "httptools",
    "httpx2",
    "watchfiles",
    "yieldwire.asgi",
    "yieldwire.cli.exit",
    "yieldwire.devtools",
)


class Forked:
    """A command that runs, with the part of `subprocess.Popen` that is needed here."""

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
                raise subprocess.TimeoutExpired("the command", timeout or 0) from None
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
    """The process that becomes commands, as the one who needs them sees it."""

    def __init__(self) -> None:
        self._asked, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.warm", str(theirs.fileno())],
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def start(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], out: int, err: int
    ) -> Forked:
        """Start the command line with ``arguments``, which writes to ``out`` and ``err``."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asked = json.dumps({"arguments": [*arguments], "cwd": str(cwd), "env": dict(env)})
        with theirs:
            socket.send_fds(self._asked, [asked.encode()], [out, err, theirs.fileno()])
        return Forked(ours)

    def close(self) -> None:
        """End it. The commands that it has become end for themselves."""
        self._asked.close()
        self._process.wait()


def serve(asked: socket.socket) -> dict[str, Any] | None:
    """Fork at every request and say how what was forked ended; return in it, and at the end."""
    with selectors.DefaultSelector() as selector:
        selector.register(asked, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not asked:
                    selector.unregister(key.fileobj)
                    bury(key.fd, *key.data)
                    continue
                data, fds, _, _ = socket.recv_fds(asked, MOST_BYTES, 3)
                if not data:
                    return None
                if (pid := os.fork()) == 0:
                    os.dup2(fds[0], 1)
                    os.dup2(fds[1], 2)
                    for fd in fds:
                        os.close(fd)
                    request: dict[str, Any] = json.loads(data)
                    return request
                told = socket.socket(fileno=fds.pop())
                told.send(str(pid).encode())
                for fd in fds:
                    os.close(fd)
                selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, told))


def bury(pidfd: int, pid: int, told: socket.socket) -> None:
    """Say how a process ended."""
    os.close(pidfd)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    with told:
        told.send(str(code).encode())


def become(request: Mapping[str, Any]) -> None:
    """Do what ``python -m yieldwire.cli`` does, and leave its end to the interpreter."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    sys.argv[1:] = request["arguments"]
    sys.path[0] = request["cwd"]
    runpy.run_module("yieldwire.cli", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    if (request := serve(socket.socket(fileno=int(sys.argv[1])))) is not None:
        become(request)
