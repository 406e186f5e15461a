"""``mcp`` as a process: at stdin, where a published client starts it, and over HTTP."""

import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import StdioServerParameters
from mcp.client import Client, ClientRequestContext
from mcp.client.stdio import stdio_client

from tests.cli.terminal import run, running
from tests.vendor.conformance import proves

APP = """
from collections.abc import AsyncIterator

from starlette.requests import HTTPConnection
from yieldwire import Actions, Context, Progress, Result, Unauthorized


async def identify(connection: HTTPConnection) -> str:
    if connection.headers.get("authorization") != "Bearer local":
        raise Unauthorized
    return "local"


actions = Actions(identify=identify, hosts=["*.example.com", "127.0.0.1"])
print("printed at the import")


@actions.action(asks=bool)
async def clean(ctx: Context) -> AsyncIterator[Progress | Result[bool]]:
    print("printed by an action")
    yield Progress(1, total=1)
    yield Result(await ctx.ask(bool, "Really?"))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "app.py").write_text(APP)
    return tmp_path


@asynccontextmanager
async def at_stdin(folder: Path, mode: Any, *options: str) -> AsyncGenerator[Client, None]:  # noqa: ANN401 - the client's own type
    async def agree(
        context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        return types.ElicitResult(action="accept", content={"value": True})

    started = StdioServerParameters(
        command=sys.executable,
        args=["-m", "yieldwire.cli", "mcp", "app.py", *options],
        cwd=folder,
    )
    with (folder / "log").open("w") as log:
        transport = stdio_client(started, errlog=log)
        async with Client(transport, mode=mode, elicitation_callback=agree) as client:
            yield client


@proves("mcp", "stdio: `yieldwire mcp`, with progress and a question")
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_a_client_starts_the_command_and_speaks_to_it(folder: Path, mode: str) -> None:
    told: list[float] = []

    async def show(progress: float, total: float | None, message: str | None) -> None:
        told.append(progress)

    async with at_stdin(folder, mode, "-H", "Authorization: Bearer local") as client:
        result = await client.call_tool("clean", progress_callback=show)

    log = (folder / "log").read_text()
    assert (result.structured_content, told) == ({"value": True}, [1])
    assert "printed at the import" in log
    assert "printed by an action" in log


def test_many_clients_are_answered_over_http(folder: Path) -> None:
    with running("mcp", "app.py", "--http", "--port", "0", cwd=folder) as command:
        url = command.wait_for_note("Agents use app.py at").rpartition(" ")[2]
        base = f"{url.removesuffix('mcp/')}api/_actions"
        known = run("actions", base, "--token", "local", cwd=folder)
        command.terminate()
        ended = command.finish()

    assert url.endswith("/mcp/")
    assert known.out.startswith("clean")
    assert ended.code == 0


def test_a_file_that_is_not_there_is_a_mistake(folder: Path) -> None:
    ended = run("mcp", "other.py", cwd=folder)

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("There is no file other.py")
