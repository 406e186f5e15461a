"""What holds around every test, and fixtures for those that need a real server."""

import asyncio
import gc
import inspect
import logging
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import pytest
import uvicorn.server
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings
from starlette.types import ASGIApp

from tests.support.long import amount
from tests.support.server import BriskAsyncio, ProcessServer, ThreadServer
from yieldwire import Actions

# Where bytecode is not kept, each of some hundred processes compiles everything that it imports.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Hundreds of servers stop in this process, each after two of its waits. Others keep theirs.
pytest.MonkeyPatch().setattr(uvicorn.server, "asyncio", BriskAsyncio())

# A property fails for what it finds, never for how slow a machine with other work is.
settings.register_profile(
    "any machine",
    max_examples=amount(50, long=100),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("any machine")

# Where something is put together, and its files are read once: before anybody waits for it.
READ_ONCE = [
    ("anthropic/_client.py", "__init__"),
    ("openai/_client.py", "__init__"),
    ("redis/driver_info.py", "__post_init__"),  # of each connection of docket
    ("sqlalchemy/dialects/sqlite/pysqlite.py", "create_connect_args"),
    ("yieldwire/cli/top/keys.py", "_read"),  # when the terminal has something to read
    ("yieldwire/client/transport.py", "http_over"),
    ("yieldwire/client/http.py", "new_http"),
    ("yieldwire/devtools/__init__.py", "attach"),
    ("yieldwire/dialects/a2a.py", "<module>"),
    ("yieldwire/dialects/mcp.py", "<module>"),
    ("yieldwire/stores/objects.py", "at"),
    ("yieldwire/stores/postgres/__init__.py", "__init__"),
    ("yieldwire/stores/redis/__init__.py", "__init__"),
    ("yieldwire/stores/sqlite/__init__.py", "__init__"),
]

TESTS = Path(__file__).parent
LONGEST_FIRST = (
    "browser",
    "durability",
    "eventpath",
    "cli",
    "docs",
    "examples",
    "integrations",
    "types",
    "stores",
    "conversation",
    "simulation",
)

Serve = Callable[..., ThreadServer]
ServeProcess = Callable[..., ProcessServer]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Look for tasks that are left after every test that has a loop: the others need none."""
    if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
        item.fixturenames.insert(0, no_task_is_left.__name__)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes longest where workers share the tests, so that they end together."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: place_of(item.path.relative_to(TESTS).parts[0]))


def place_of(name: str) -> int:
    return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)


def pytest_collection_finish() -> None:
    """Keep what was imported out of every later collection of garbage, which takes its time."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Do the same with what a file has left, such as libraries that only its tests import."""
    if nextitem is not None and nextitem.path != item.path:
        gc.collect()
        gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def nothing_blocks_the_loop() -> Iterator[None]:
    """A blocking call of ours in an event loop raises, wherever that loop runs."""
    with blockbuster_ctx("yieldwire") as blockbuster:
        for functions in blockbuster.functions.values():
            for file, name in READ_ONCE:
                functions.can_block_in(file, name)
        yield


@pytest.fixture(autouse=True)
def the_root_logger_is_left_alone() -> Iterator[None]:
    """What one test logs must not depend on which tests ran before."""
    root = logging.getLogger()
    level, handlers = root.level, [*root.handlers]
    yield
    assert (root.level, root.handlers) == (level, handlers)


_CLOSING: Final = "async_generator_athrow"
"""The coroutine in which a generator is closed."""


@pytest.fixture
async def no_task_is_left() -> AsyncIterator[None]:
    """A task that is still there when its test is over fails it."""
    yield
    left = other_tasks()
    # The loop closes generators that a library left open, each in a task of its own.
    while closing := {each for each in left if type(each.get_coro()).__name__ == _CLOSING}:
        await asyncio.wait(closing)
        left = other_tasks()
    assert left == set()


def other_tasks() -> set["asyncio.Task[Any]"]:
    """Return all tasks but the one that runs."""
    current = asyncio.current_task()
    return {task for task in asyncio.all_tasks() if task is not current}


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
