"""Servers started by their own command lines, as a deployment starts them."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Final, Self

from tests.support.ports import hold_port, port_of
from tests.support.server import BACKLOG, ROOT, STOP_SECONDS
from tests.support.warm import Forked, Program, warm

COMMANDS: Final[Mapping[str, str]] = {
    "uvicorn": f"uvicorn --port {{port}} --backlog {BACKLOG} --no-access-log",
    "granian": "granian --interface asgi --port {port}",
    "hypercorn": "hypercorn --bind 127.0.0.1:{port} --graceful-timeout 1",
    "hypercorn alone": "hypercorn --bind 127.0.0.1:{port} --graceful-timeout 5 --workers 0",
    "uvicorn twice": "uvicorn --port {port} --workers 2",
    "granian twice": "granian --interface asgi --port {port} --workers 2",
    "hypercorn twice": "hypercorn --bind 127.0.0.1:{port} --workers 2",
}
"""How each server is told where to listen, before the application's name."""
_POLL_SECONDS: Final = 0.02


class CommandServer:
    """An application, named as ``module:attribute``, served by one of `COMMANDS`.

    It is a process group of its own, for some servers have workers. What it logs is appended
    to the file ``log``. When it has ended it can be started again, on the same port. Only
    uvicorn alone is forked: the others see to processes of their own.
    """

    def __init__(
        self,
        target: str,
        log: Path,
        env: Mapping[str, str],
        *,
        command: str = "uvicorn",
    ) -> None:
        self._command, self._target, self._log = COMMANDS[command], target, log
        self._env = {**os.environ, **env}
        self._place = hold_port()
        self.port: Final = port_of(self._place)

    def __enter__(self) -> Self:
        self.start()
        return self

    def start(self) -> None:
        """Start the server; who needs it waits until it is listening."""
        with self._log.open("ab") as log:
            self.process = self._started(log.fileno())

    def _started(self, log: int) -> "subprocess.Popen[bytes] | Forked":
        module, *arguments = [*self._command.format(port=self.port).split(), self._target]
        if self._command == COMMANDS["uvicorn"]:
            program = Program(
                module=module, arguments=arguments, cwd=str(ROOT), env=self._env, is_group=True
            )
            return warm().start(program, log, log)
        return subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)  # a worker that stayed behind
            self._place.close()

    async def wait_until_listening(self) -> None:
        """Return when a connection is taken."""
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.transport.abort()
                return
            assert self.process.poll() is None, f"the server has ended: {self.logs()}"
            await asyncio.sleep(_POLL_SECONDS)

    async def wait_until_deaf(self) -> None:
        """Return when connections are refused."""
        with suppress(OSError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.transport.abort()
                await asyncio.sleep(_POLL_SECONDS)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Tell the server to stop, as a service manager does: its first process only."""
        self.process.send_signal(number)

    async def wait_until_gone(self) -> float:
        """Return when the server's first process has ended, with the seconds that it took."""
        started = time.monotonic()
        await asyncio.to_thread(self.process.wait, STOP_SECONDS + 20)
        return time.monotonic() - started

    def kill(self) -> None:
        """End the whole group at once, and forget it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def logs(self) -> str:
        """Return what the server has logged so far."""
        return self._log.read_text("utf-8", "replace")

    def resident_bytes(self) -> int:
        """Return how much memory the first process has."""
        status = Path(f"/proc/{self.process.pid}/status").read_text("ascii")
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1]) * 1024


@asynccontextmanager
async def served(
    target: str, folder: Path, env: Mapping[str, str], *, count: int = 2
) -> AsyncGenerator[list[CommandServer], None]:
    """Give ``count`` processes that serve the same application, each on a port of its own."""
    with ExitStack() as stack:
        servers = [CommandServer(target, folder / f"log {n}", env) for n in range(count)]
        for server in servers:
            stack.enter_context(server)
        for server in servers:
            await server.wait_until_listening()
        yield servers
