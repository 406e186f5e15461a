"""An agent uses the demo over a server that is killed, as the published SDK for Python lets it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from mcp import MCPError
from mcp.client import Client, ClientRequestContext
from mcp.shared.message import ClientMessageMetadata

from tests.support.command import CommandServer
from tests.vendor.conformance import proves

MCP = "mcp"
KILL_AFTER = 10
"""Batches of the import."""


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[CommandServer]:
    env = {
        "DEMO_STORE": f"sqlite:///{tmp_path}/demo.db",
        "AIRPORTS_DATABASE": f"{tmp_path}/airports.db",
    }
    with CommandServer("tests.support.agentdemo:app", tmp_path / "log", env) as started:
        await started.wait_until_listening()
        yield started


async def restart(server: CommandServer) -> None:
    server.kill()
    server.start()
    await server.wait_until_listening()


class Agent:
    """A client that comes back until its call has a result."""

    def __init__(self, server: CommandServer) -> None:
        self._server = server
        self._place: str | None = None
        self.progress: list[float] = []
        self.is_under_way = asyncio.Event()
        self.asked: list[str] = []

    async def call(self, name: str, arguments: dict[str, Any]) -> types.CallToolResult:
        url = f"http://127.0.0.1:{self._server.port}/mcp/"
        async with (
            asyncio.timeout(90),
            Client(url, mode="legacy", elicitation_callback=self.agree) as client,
        ):
            params = types.CallToolRequestParams(name=name, arguments=arguments)
            request = types.CallToolRequest(params=params)
            while True:
                metadata = ClientMessageMetadata(
                    resumption_token=self._place, on_resumption_token_update=self._note
                )
                try:
                    return await client.session.send_request(
                        request,
                        types.CallToolResult,
                        metadata=metadata,
                        progress_callback=self._show,
                    )
                except MCPError:  # on a slow machine the SDK gives up before the server is back
                    await self._server.wait_until_listening()

    async def _note(self, place: str) -> None:
        self._place = place

    async def _show(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append(progress)
        if len(self.progress) == KILL_AFTER:
            self.is_under_way.set()

    async def agree(
        self, context: ClientRequestContext, params: types.ElicitRequestParams
    ) -> types.ElicitResult:
        self.asked.append(params.message)
        await restart(self._server)  # while the person thinks
        return types.ElicitResult(action="accept", content={"approved": True})


@proves(MCP, "the demo's CSV import: progress over a restart of the server, and its summary")
async def test_an_agent_imports_airports_over_a_restart(server: CommandServer) -> None:
    agent = Agent(server)

    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(agent.call("import_airports", {"pace": 0.001}))
        await agent.is_under_way.wait()
        await restart(server)
    summary = call.result().structured_content

    assert summary is not None
    assert summary["airports"] > 28_000
    assert agent.progress == sorted(set(agent.progress))


@proves(MCP, "the demo's approval: a question that is answered after a restart of the server")
async def test_an_agent_answers_a_question_after_a_restart(server: CommandServer) -> None:
    agent = Agent(server)

    result = await agent.call("publish", {"draft": "Hello."})

    assert agent.asked == ["Publish this?\n\nHello."]
    assert result.structured_content == {"value": "Published."}
