"""Fixtures for every test that needs a real server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.types import ASGIApp

from tests.support.server import ProcessServer, ThreadServer
from yieldwire import Actions

Serve = Callable[..., ThreadServer]
ServeProcess = Callable[..., ProcessServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Serve an application from a thread until the test ends.

    ``actions`` is what has runs in it, where that is mounted into something else.
    """
    with ExitStack() as stack:

        def start(app: ASGIApp, *, actions: Actions | None = None) -> ThreadServer:
            return stack.enter_context(ThreadServer(app, actions=actions))

        yield start


@pytest.fixture
def serve_process(tmp_path: Path) -> Iterator[ServeProcess]:
    """Serve ``module:attribute`` from a process of its own until the test ends."""
    with ExitStack() as stack:

        def start(target: str, **env: str) -> ProcessServer:
            return stack.enter_context(ProcessServer(target, tmp_path / "server.log", env))

        yield start
