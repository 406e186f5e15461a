"""Real servers: uvicorn in a thread, for speed, or in a process of its own.

Both listen on a port that the system chose, before anybody connects: a connection made at
once waits in the listener's queue, so nobody polls for readiness.
"""

import asyncio
import os
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Coroutine, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, Self, TypeVar

import uvicorn
from starlette.types import ASGIApp

from tests.support.tls import Certificate
from tests.support.warm import Program, warm
from yieldwire import Actions
from yieldwire.asgi.websocket.socket import MAX_MESSAGE_BYTES

T = TypeVar("T")
Http = Literal["auto", "h11", "httptools"]
WebSockets = Literal["auto", "none", "websockets-sansio", "wsproto"]
Loop = Literal["auto", "asyncio", "uvloop"]

ROOT: Final = Path(__file__).parent.parent.parent
BACKLOG: Final = 2048
STOP_SECONDS: Final = 10
"""How long a server can take to stop before it is made to."""


class BriskAsyncio:
    """What uvicorn takes for `asyncio`: it looks every 10 ms whether to stop, not every 100."""

    @staticmethod
    async def sleep(seconds: float) -> None:
        """Wait for a tenth of the time."""
        await asyncio.sleep(seconds / 10)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the module has
        return getattr(asyncio, name)


def config_of(
    app: ASGIApp | str,
    http: Http = "auto",
    loop: Loop = "auto",
    ws: WebSockets = "auto",
    *,
    compresses: bool = False,
) -> uvicorn.Config:
    """Return how every server of the tests is set up."""
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        ws=ws,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=compresses,
        http=http,
        loop=loop,
        backlog=BACKLOG,
        timeout_graceful_shutdown=2,
    )


def listen() -> socket.socket:
    """Return a socket that listens on a port of its own."""
    return socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)


class ThreadServer:
    """An application served by a thread with an event loop of its own."""

    def __init__(  # noqa: PLR0913 - settings, each by its name
        self,
        app: ASGIApp,
        *,
        actions: Actions | None = None,
        http: Http = "auto",
        loop: Loop = "auto",
        ws: WebSockets = "auto",
        compresses: bool = False,
        sends_date: bool = True,
        certificate: Certificate | None = None,
    ) -> None:
        self._actions = app if isinstance(app, Actions) else actions
        self._config = config_of(app, http, loop, ws, compresses=compresses)
        self._config.date_header = sends_date
        if certificate is not None:
            self._config.ssl_certfile = certificate.file
            self._config.ssl_keyfile = certificate.key
        self._server = uvicorn.Server(self._config)
        self._socket = listen()
        self._runner = asyncio.Runner(loop_factory=self._config.get_loop_factory())
        self._thread = threading.Thread(target=self._run, name="server")
        self.port: Final[int] = self._socket.getsockname()[1]
        scheme = "http" if certificate is None else "https"
        self.url: Final = f"{scheme}://127.0.0.1:{self.port}"

    def _run(self) -> None:
        with self._runner as runner:
            runner.run(self._server.serve(sockets=[self._socket]))

    def __enter__(self) -> Self:
        self.loop = self._runner.get_loop()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._actions is not None:
            self.loop.call_soon_threadsafe(self._actions.drain)
        self._server.should_exit = True
        self._thread.join(STOP_SECONDS)
        self._socket.close()
        assert not self._thread.is_alive(), "the server did not stop"

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run ``coroutine`` in the server's loop, and return what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(STOP_SECONDS)


class ProcessServer:
    """An application, named as ``module:attribute``, served by a process of its own.

    What it logs, and prints, is kept in the file ``log``.
    """

    def __init__(self, target: str, log: Path, env: Mapping[str, str] | None = None) -> None:
        self._socket = listen()
        self._target, self._log = target, log
        self._env = {**os.environ, **(env or {})}
        self.port: Final[int] = self._socket.getsockname()[1]
        self.url: Final = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        program = Program(
            module="tests.support.serve", arguments=[self._target], cwd=str(ROOT), env=self._env
        )
        with self._log.open("wb") as log, self._socket:
            self.process = warm().start(program, log.fileno(), log.fileno(), self._socket.fileno())
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        finally:
            self.process.kill()
            self.process.wait()

    def logs(self) -> str:
        """Return what the server has logged so far."""
        return self._log.read_text("utf-8", "replace")


@contextmanager
def announced(command: Sequence[str], cwd: Path, env: Mapping[str, str]) -> Generator[str]:
    """Run a command that serves, and give the address that it says first."""
    with subprocess.Popen(
        command,
        cwd=cwd,
        env={**env, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if found := re.search(r"http://127\.0\.0\.1:\d+\S*/", line):
                    break
            else:
                raise AssertionError("it did not start")
            yield found[0]
        finally:
            process.terminate()
