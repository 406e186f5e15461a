"""uvicorn, adapted to stop even if streams are open."""

import asyncio
import copy
import gc
import logging
import math
import signal
import socket
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import LOGGING_CONFIG

from yieldwire.asgi.exchange import BrokenOff
from yieldwire.asgi.websocket.socket import MAX_MESSAGE_BYTES
from yieldwire.cli.devlog import DEVELOPMENT, RequestLog
from yieldwire.cli.mounting import BASE, mounted
from yieldwire.cli.source import Source
from yieldwire.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """How an application is served.

    Attributes:
        base: The path prefix for actions.
        is_development: Whether ``/`` leads to the page, and requests and runs are logged.
        access_log: Whether each request is logged.
        proxy_headers: Whether ``X-Forwarded-Proto`` and ``-For`` from ``proxies`` are trusted.
        proxies: Comma-separated addresses of trusted proxies; ``*`` for all.
        root_path: The path prefix that a proxy strips.
        static: A folder whose files are served at ``/`` instead.
        works: Whether a development server executes the runs of queues.
    """

    base: str = BASE
    is_development: bool = False
    access_log: bool = False
    proxy_headers: bool = False
    proxies: str = "127.0.0.1"
    root_path: str = ""
    static: Path | None = None
    works: bool = True


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 picks a free one.

    Raises:
        UsageError: If the address is not available.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as exc:
        raise UsageError(
            f"Cannot listen on {host}:{port}: {(exc.strerror or str(exc)).partition(' (')[0]}. "
            "Try another --port; --port 0 picks a free one."
        ) from exc
    listener.set_inheritable(True)
    return listener


def url_of(listener: socket.socket, base: str) -> str:
    """Return the URL at which a browser on this machine reaches ``base``."""
    host, port = str(listener.getsockname()[0]), listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only compared
    shown = f"[{shown}]" if ":" in shown else shown
    return f"http://{shown}:{port}{base.rstrip('/')}/"


def serve(
    source: Source, listener: socket.socket, how: Serving, on_ready: Callable[[], object]
) -> bool:
    """Serve until a signal says to stop, and return whether it could be started."""
    app = source.host or _alone(source, how)
    if how.is_development:
        bases = [how.base] if source.host is None else source.places.keys()
        app = RequestLog(app, bases)
    config = uvicorn.Config(
        app,
        lifespan="auto" if source.host else "on",
        log_config=DEVELOPMENT if how.is_development else logging_config(),
        access_log=how.access_log,
        proxy_headers=how.proxy_headers,
        forwarded_allow_ips=how.proxies,
        root_path=how.root_path,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,  # memory for each socket, and compression bombs
        # Streams have ended by then, as the application drains. This is for other hangs.
        timeout_graceful_shutdown=math.ceil(grace_of(source)) + 1,
    )
    logging.getLogger("uvicorn.error").addFilter(_in_one_line)
    server = _Server(config, source, on_ready)
    try:
        server.run(sockets=[listener])
    except SystemExit:
        return False  # uvicorn has logged the reason
    return True


def _alone(source: Source, how: Serving) -> ASGIApp:
    (actions,) = source.actions
    return mounted(actions, how.base, redirects=how.is_development, static=how.static)


def grace_of(source: Source) -> float:
    """Return the seconds that running actions have when the server stops."""
    return max(actions.app.timing.grace for actions in source.actions)


class _Server(uvicorn.Server):
    """Drains the actions before it waits for connections to close, and closes them at the end."""

    def __init__(
        self, config: uvicorn.Config, source: Source, on_ready: Callable[[], object]
    ) -> None:
        super().__init__(config)
        self._source, self._on_ready = source, on_ready
        self._loop: asyncio.AbstractEventLoop | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._loop = asyncio.get_running_loop()
        if self.started:
            # What exists by now stays: the garbage collector need not look at it again and again.
            gc.collect()
            gc.freeze()
            self._on_ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets=sockets)
        for actions in self._source.actions:  # a host that does not know their lifespan
            await actions.app.close()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        # Unlike uvicorn's, it does not raise the signal again: being stopped is not a failure.
        former = {
            number: signal.signal(number, self.handle_exit)
            for number in (signal.SIGINT, signal.SIGTERM)
        }
        try:
            yield
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self._loop is not None:
            for actions in self._source.actions:
                self._loop.call_soon_threadsafe(actions.drain)
        super().handle_exit(sig, frame)


class SideServer:
    """A small server for a process whose main work is something else, which also stops it.

    It configures logging as for `serve`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._config = uvicorn.Config(
            app, log_config=logging_config(), log_level="warning", access_log=False, lifespan="off"
        )

    def runner(self) -> asyncio.Runner:
        """Return what runs the process, in the same kind of event loop as a server."""
        return asyncio.Runner(loop_factory=self._config.get_loop_factory())

    @asynccontextmanager
    async def serve(self, listener: socket.socket) -> AsyncGenerator[None, None]:
        """Serve until the end of the block."""
        server = _Unsignalled(self._config)
        async with asyncio.TaskGroup() as group:
            group.create_task(server.serve(sockets=[listener]))
            try:
                yield
            finally:
                server.should_exit = True


class _Unsignalled(uvicorn.Server):
    """Leaves signals to the rest of the process."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def logging_config() -> dict[str, object] | None:
    """Return uvicorn's configuration and ours; none if the application has configured logging."""
    if logging.getLogger().handlers:
        return None
    config = copy.deepcopy(LOGGING_CONFIG)
    config["loggers"]["yieldwire"] = {"handlers": ["default"], "level": "INFO", "propagate": False}
    return config


def _in_one_line(record: logging.LogRecord) -> bool:
    """Report a response that was aborted on purpose without a traceback."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, BrokenOff):
        record.msg, record.args = "A response was aborted, as its run did not complete.", ()
        record.exc_info, record.exc_text = None, None
        record.levelno, record.levelname = logging.INFO, "INFO"
    return True
