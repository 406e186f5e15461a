"""The client over one WebSocket: the same calls, and the same healing."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from starlette.requests import HTTPConnection
from starlette.types import Receive, Scope, Send

from tests.conftest import Serve
from tests.support.chaos import ChaosProxy, Cut, Fault, script_of
from tests.support.nginx import Nginx
from tests.support.ports import free_port
from tests.support.server import ThreadServer
from tests.support.world import world
from yieldwire import Actions, Result, Timing
from yieldwire.client import AsyncClient, Client, Patience
from yieldwire.client.socketanswer import CREDIT_BYTES
from yieldwire.client.transport import http_over
from yieldwire.errors import (
    ActionError,
    Forbidden,
    NotFound,
    Unauthorized,
    Unreachable,
    UsageError,
    ValidationFailed,
)

NAME = "alice"
QUICK = Patience(tries=3, backoff=0.01, quiet=0.5)
EVENTS = 3000


@pytest.fixture
def actions() -> Actions:
    actions = world(max_runs=None)

    @actions.action(linger=None)
    async def count(to: int = EVENTS) -> AsyncIterator[int | Result[int]]:
        for number in range(to):
            yield number
            if number % 64 == 0:
                await asyncio.sleep(0)
        yield Result(to)

    return actions


@pytest.fixture
def server(serve: Serve, actions: Actions) -> ThreadServer:
    return serve(actions)


def client_of(url: str, token: str | None = NAME, patience: Patience = QUICK) -> AsyncClient:
    return AsyncClient(url, token=token, transport="websocket", patience=patience)


async def test_calls_and_runs_share_one_socket(server: ThreadServer, actions: Actions) -> None:
    async with client_of(server.url) as client:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(client.call("add", {"a": n, "b": 1})) for n in range(50)]
        chunks = [chunk async for chunk in client.stream("count", {"to": 3})]
        listed = await client.list(action="count")
        sockets = len(actions.sockets)

    assert [call.result() for call in calls] == [n + 1 for n in range(50)]
    assert chunks == [0, 1, 2]
    assert [run["status"] for run in listed["runs"]] == ["completed"]
    assert sockets == 1


async def test_a_log_larger_than_the_credit_is_read_whole(server: ThreadServer) -> None:
    async with client_of(server.url) as client:
        value = "x" * CREDIT_BYTES
        assert await client.call("count", {"to": 20_000}) == 20_000
        (echoed,) = [chunk async for chunk in client.stream("echo", {"value": value})]

    assert echoed == value


async def test_files_are_sent(server: ThreadServer, tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"y" * 700_000)

    async with client_of(server.url) as client:
        (chunk,) = [each async for each in client.stream("take", {"file": path, "note": "n"})]

    assert (chunk["total"], chunk["message"]) == (700_000, "n")


async def test_errors_are_those_over_http(server: ThreadServer) -> None:
    async with client_of(server.url) as client:
        run = await client.start("wait")
        with pytest.raises(ValidationFailed, match="not valid"):
            await client.call("add", {"a": "x", "b": 1})
        with pytest.raises(NotFound, match="action"):
            await client.call("none")
        with pytest.raises(ActionError, match="As it was asked to"):
            await client.call("fail", {"code": "OUT"})
    async with client_of(server.url, "bob") as client:
        with pytest.raises(Forbidden, match="somebody else"):
            await client.cancel(run.id)
    async with client_of(server.url, None) as client:
        with pytest.raises(Unauthorized, match=r"\w"):
            await client.list()


async def test_a_new_token_is_told_to_the_open_socket(server: ThreadServer) -> None:
    names = iter(["alice", "bob", "bob"])

    async def token() -> str:
        return next(names)

    async with AsyncClient(server.url, token=token, transport="websocket") as client:
        run = await client.start("wait")
        with pytest.raises(Forbidden, match="somebody else"):
            await client.snapshot(run.id)


async def test_runs_are_read_whole_however_often_their_socket_is_cut(server: ThreadServer) -> None:
    cuts = [Fault(cut_after=20_000 * (n % 4 + 1), cut=cut) for n in range(4) for cut in Cut]
    patient = Patience(backoff=0.001, quiet=1.0)

    async def read(client: AsyncClient) -> list[Any]:
        async with await client.start("count", {"to": 4000}, detached=False) as run:
            return [(event.seq, event.type.value, event.value) async for event in run.events()]

    async with (
        ChaosProxy(server.port, script_of(*cuts)) as proxy,
        client_of(f"http://127.0.0.1:{proxy.port}", patience=patient) as client,
        asyncio.TaskGroup() as group,
    ):
        reading = [group.create_task(read(client)) for _ in range(5)]

    whole = [(n + 1, "chunk", n) for n in range(4000)] + [(4001, "done", {"result": 4000})]
    assert [task.result() for task in reading] == [whole] * 5


async def test_a_run_is_read_on_when_the_server_closes_an_idle_socket(serve: Serve) -> None:
    server = serve(world(timing=Timing(socket_idle=0.05, grace=0)))
    async with client_of(server.url) as client:
        first = await client.call("add", {"a": 1, "b": 1})
        http = cast("Any", client)._http  # noqa: SLF001 - no other sign of the socket's end
        await http._tasks.wait(None)  # noqa: SLF001
        second = await client.call("add", {"a": 1, "b": 2})

    assert (first, second) == (2, 3)


async def test_a_server_without_web_socket_is_reported_with_its_status(serve: Serve) -> None:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})

    async with client_of(serve(refuse).url) as client:
        with pytest.raises(Unreachable, match="HTTP 403"):
            await client.call("add", {"a": 1, "b": 1})


async def test_a_server_that_is_away_is_unreachable() -> None:
    port = free_port()
    async with client_of(f"http://127.0.0.1:{port}") as client:
        with pytest.raises(Unreachable, match="cannot be reached"):
            await client.call("add", {"a": 1, "b": 1})


async def test_a_refused_handshake_raises_the_server_s_error(serve: Serve) -> None:
    async def forbid(_: HTTPConnection) -> str:
        raise Forbidden("Not from here.")

    async with client_of(serve(Actions(identify=forbid)).url) as client:
        with pytest.raises(Forbidden, match="Not from here"):
            await client.list()


def lines_for_sockets() -> str:
    """Return what `deploy/nginx.conf` has where it passes a socket on."""
    conf = Path("deploy/nginx.conf").read_text("utf-8")
    (lines,) = re.findall(
        r"location /api/_actions/ws \{[^\n]*\n.*?\n(.*?)\n    \}", conf, re.DOTALL
    )
    return str(lines)


async def test_nginx_passes_a_socket_on_with_the_lines_of_deploy(
    server: ThreadServer, tmp_path: Path
) -> None:
    async with (
        Nginx(server.port, tmp_path, lines_for_sockets()) as nginx,
        client_of(nginx.url) as client,
    ):
        assert await client.call("count", {"to": 5000}) == 5000


def test_the_blocking_client_uses_it_too(server: ThreadServer) -> None:
    with Client(server.url, token="alice", transport="websocket") as client:
        assert list(client.stream("count", {"to": 2})) == [0, 1]


def test_a_client_over_web_socket_takes_no_http_client() -> None:
    with pytest.raises(UsageError, match="no http="):
        http_over("websocket", "http://x", httpx.AsyncClient())
