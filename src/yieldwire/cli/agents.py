"""Serves the actions of a file to agents: to one at stdin, or to many over HTTP."""

import asyncio
import os
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from typing import BinaryIO, Final

from starlette.applications import Starlette
from starlette.routing import Mount

from yieldwire.asgi import Actions
from yieldwire.cli.mounting import BASE
from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import note
from yieldwire.cli.server import Serving, listen, serve, url_of
from yieldwire.cli.source import Source, load
from yieldwire.cli.stdio import Messages
from yieldwire.cli.stopping import on_signals
from yieldwire.dialects import MCP

PATH: Final = "/mcp"
"""Where agents are answered over HTTP."""


def serve_http(target: str, host: str, port: int) -> None:
    """Serve the actions of a file to agents over HTTP, until a signal says to stop.

    Raises:
        UsageError: If there is no such application, or the address is not available.
    """
    actions = load(target)
    routes = [Mount(PATH, MCP(actions)), Mount(BASE, actions)]
    app = Starlette(routes=routes, lifespan=actions.lifespan)
    with listen(host, port) as listener:
        url = url_of(listener, PATH)
        source = Source(places={BASE: actions}, host=app)
        if not serve(source, listener, Serving(), lambda: note(f"Agents use {target} at {url}")):
            sys.exit(Outcome.FAILED)


def serve_lines(target: str, headers: Mapping[str, str]) -> None:
    """Serve the actions of a file to the client at stdin and stdout, until it leaves.

    What the application prints goes to stderr, because stdout belongs to the protocol.

    Args:
        target: The application's file.
        headers: What `identify` sees, in addition to the usual headers.

    Raises:
        UsageError: If there is no such application.
        StoreError: If the store cannot be used.
    """
    sys.stdout.flush()
    out = os.fdopen(os.dup(sys.stdout.fileno()), "wb", buffering=0)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    actions = load(target)
    with out, suppress(BrokenPipeError):
        asyncio.run(_serve(actions, headers, sys.stdin.buffer, out, target))


async def _serve(
    actions: Actions, headers: Mapping[str, str], source: BinaryIO, out: BinaryIO, target: str
) -> None:
    lines, loop = asyncio.Queue[bytes](), asyncio.get_running_loop()

    def put(line: bytes) -> None:
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(lines.put_nowait, line)

    def read() -> None:
        for line in source:
            put(line)
        put(b"")

    on_signals(partial(lines.put_nowait, b""))
    async with actions.lifespan():
        threading.Thread(target=read, daemon=True).start()
        note(f"Yieldwire serves {target} to the client at stdin")
        hosts = actions.site.safety.hosts or ("127.0.0.1",)
        fields = {"host": hosts[0].replace("*", "stdio"), **headers}
        await Messages(MCP(actions), fields, out.write).answer_all(lines)
        actions.app.lifetime.drain()
