"""Two web processes and three workers over one store, each behind a line of its own."""

import asyncio
import os
import signal
import subprocess
from collections.abc import Generator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Self, TypeAlias

from tests.support.command import CommandServer
from tests.support.line import Line
from tests.support.notes import notes_in
from tests.support.postgres import PostgresServer
from tests.support.server import ROOT
from tests.support.valkey import REDIS_6, RedisServer
from tests.support.warm import Forked, Program, warm

LEASE: Final = 2.0
WEBS: Final = 2
WORKERS: Final = 3
CONCURRENCY: Final = 8
STOP_SECONDS: Final = 20.0
_APPEND_ONLY: Final = ("--appendonly", "yes", "--appendfsync", "always")
Store: TypeAlias = RedisServer | PostgresServer
SERVERS: Final = ("valkey", "redis6", "postgres")
"""The names of the servers that these processes can share."""


def server_named(name: str) -> Store:
    """Return a server that keeps what it acknowledged, if it is killed."""
    if name == "postgres":
        return PostgresServer()
    if name == "redis6":
        return RedisServer(*_APPEND_ONLY, binary=REDIS_6)
    return RedisServer(*_APPEND_ONLY)


@contextmanager
def running(name: str) -> Generator[Store]:
    """Give a server that runs, and delete it afterwards."""
    store = server_named(name)
    store.start()
    try:
        yield store
    finally:
        store.delete() if isinstance(store, PostgresServer) else store.close()


def url_of(store: Store, port: int | None = None) -> str:
    """Return the URL of a server for an application, at another port if there is a line to it."""
    place = f"127.0.0.1:{port or store.port}"
    if isinstance(store, PostgresServer):
        return f"postgresql://ada@{place}/postgres"
    return f"redis://{place}"


class Worker:
    """A process that takes runs from queues. It can be started again after it was killed."""

    def __init__(self, folder: Path, number: int, line: Line, env: dict[str, str]) -> None:
        self.line: Final = line
        self.process: Forked | None = None
        self._log, self._env = folder / f"worker {number}", env

    def start(self) -> None:
        """Start it, unless it runs."""
        if self.process is not None and self.process.poll() is None:
            return
        program = Program(
            module="yieldwire.cli",
            arguments=["worker", "tests/support/talking.py", "--concurrency", str(CONCURRENCY)],
            cwd=str(ROOT),
            env=self._env,
        )
        with self._log.open("ab") as log:
            self.process = warm().start(program, log.fileno(), log.fileno())

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """End it at once."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Let it end, or kill it."""
        assert self.process is not None
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_SECONDS)
        self.kill()


class Deployment:
    """Servers and workers of ``tests.support.talking``, and the store that they share."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store: Final = store
        self.folder: Final = folder
        self.notes: Final = folder / "notes"
        self.webs: list[CommandServer] = []
        self.web_lines: list[Line] = []
        self.workers: list[Worker] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self.notes.touch()
        async with AsyncExitStack() as stack:
            for number in range(WEBS):
                line = await stack.enter_async_context(Line(self.store.port))
                log = self.folder / f"web {number}"
                web = CommandServer("tests.support.talking:actions", log, self._env(line))
                self.webs.append(stack.enter_context(web))
                self.web_lines.append(line)
            for number in range(WORKERS):
                line = await stack.enter_async_context(Line(self.store.port))
                worker = Worker(self.folder, number, line, self._env(line))
                worker.start()
                stack.callback(worker.kill)
                self.workers.append(worker)
            for web in self.webs:
                await web.wait_until_listening()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        # The processes need their lines until they have ended, so that is not waited for here.
        await asyncio.to_thread(self._stop_all)
        await self._stack.aclose()

    def _stop_all(self) -> None:
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        for worker in self.workers:
            worker.stop()

    def _env(self, line: Line) -> dict[str, str]:
        given = {"NOTES_FILE": str(self.notes), "LEASE": str(LEASE)}
        return {**os.environ, "STORE": url_of(self.store, line.port), **given}

    def noted(self) -> list[tuple[str, str, int]]:
        """Return what the actions noted."""
        return notes_in(self.notes)
