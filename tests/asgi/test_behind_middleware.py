"""Real servers with middlewares around them, and readers who are slow: every run completes."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from functools import wraps
from pathlib import Path
from typing import Any

import pytest
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from tests.support.command import CommandServer
from tests.support.server import ThreadServer
from tests.support.slowreading import UNHARMED, play, play_all, random_stacks
from tests.support.stacked import MIDDLEWARES, SECONDS, Stacked
from tests.support.wire import fetch, request

SERVERS = ["asyncio and h11", "uvloop and httptools", "granian"]


@pytest.fixture
def stacks(request: pytest.FixtureRequest) -> list[list[str]]:
    """Stacks of middlewares, others for each server; `make soak` has far more."""
    return random_stacks(SERVERS.index(request.node.callspec.params["port"]))


@pytest.fixture(scope="module", params=SERVERS)
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server of the application."""
    with ExitStack() as stack:
        if request.param == "granian":
            log: Path = tmp_path_factory.mktemp("granian") / "server.log"
            server = CommandServer("tests.support.stacked:app", log, {}, command="granian")
            stack.enter_context(server)
            asyncio.run(server.wait_until_listening())
            yield server.port
        else:
            app = Stacked()
            loop, http = request.param.split(" and ")
            yield stack.enter_context(
                ThreadServer(app, actions=app.actions, loop=loop, http=http)
            ).port


async def test_only_a_servers_own_send_is_known_as_such(port: int) -> None:
    async def is_known(stack: str) -> bool:
        answer = await fetch(port, request("GET", "/own", {"X-Stack": stack}))
        return bool(answer.json())

    assert await is_known("")
    assert [name for name in MIDDLEWARES if await is_known(name)] == []


async def test_a_run_completes_where_the_servers_own_class_is_patched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = RequestResponseCycle.send

    @wraps(own)
    async def limited(cycle: RequestResponseCycle, message: Any) -> None:  # noqa: ANN401 - uvicorn's
        async with asyncio.timeout(SECONDS):
            await own(cycle, message)

    monkeypatch.setattr(RequestResponseCycle, "send", limited)
    app = Stacked()

    with ThreadServer(app, actions=app.actions, http="h11") as server:
        assert await play(server.port, [], "text/event-stream") == UNHARMED


async def test_runs_complete_behind_each_middleware_and_before_slow_readers(port: int) -> None:
    outcomes = await play_all(port, [[name] for name in MIDDLEWARES])

    assert outcomes == dict.fromkeys(MIDDLEWARES, UNHARMED)


async def test_runs_complete_behind_any_stacks_of_middlewares(
    port: int, stacks: list[list[str]]
) -> None:
    outcomes = await play_all(port, stacks)

    assert outcomes == dict.fromkeys(map(", ".join, stacks), UNHARMED)
