"""A client at stdin, by its lines."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic_core import from_json, to_json

from tests.support.world import ALICE, opened, world
from yieldwire import Actions, Context, Result, Text
from yieldwire.cli.stdio import Messages
from yieldwire.dialects import MCP

META = "io.modelcontextprotocol/"
STATELESS = {f"{META}protocolVersion": "2026-07-28", f"{META}clientCapabilities": {}}
HEADERS = {"host": "127.0.0.1", **dict(ALICE)}


class Client:
    """A client: what it sends, and what it hears."""

    def __init__(self) -> None:
        self.lines, self._heard = asyncio.Queue[bytes](), asyncio.Queue[Any]()

    def write(self, line: bytes) -> None:
        assert line.endswith(b"\n")
        self._heard.put_nowait(from_json(line))

    def say(self, **message: Any) -> None:  # noqa: ANN401 - JSON
        self.lines.put_nowait(to_json({"jsonrpc": "2.0", **message}) + b"\n")

    def ask(self, id: int | str, method: str, **params: Any) -> None:  # noqa: ANN401 - JSON
        self.say(id=id, method=method, params=params)

    async def hear(self) -> Any:  # noqa: ANN401 - JSON
        async with asyncio.timeout(10):
            return await self._heard.get()

    @property
    def has_more(self) -> bool:
        return not self._heard.empty()


@asynccontextmanager
async def connected(actions: Actions) -> AsyncGenerator[Client, None]:
    """Give a client that is answered until the block ends."""
    client = Client()
    messages = Messages(MCP(actions), HEADERS, client.write)
    async with opened(actions), asyncio.TaskGroup() as tasks:
        tasks.create_task(messages.answer_all(client.lines))
        yield client
        client.lines.put_nowait(b"")


def deciding() -> Actions:
    actions = world()

    @actions.action(asks=bool)
    async def decide(ctx: Context) -> AsyncIterator[Text | Result[bool]]:
        yield Text("so far")
        yield Result(await ctx.ask(bool, "Continue?"))

    return actions


async def test_a_session_is_that_of_the_handshake() -> None:
    async with connected(deciding()) as client:
        client.ask(1, "initialize", capabilities={"elicitation": {}}, protocolVersion="2025-11-25")
        client.say(method="notifications/initialized")
        begun = await client.hear()
        client.ask("two", "tools/call", name="decide")
        asked = await client.hear()
        answer = {"action": "accept", "content": {"value": True}}
        client.say(id=asked["id"], result=answer)
        response = await client.hear()

    assert begun["result"]["protocolVersion"] == "2025-11-25"
    assert asked["method"] == "elicitation/create"
    assert (response["id"], response["result"]["structuredContent"]) == ("two", {"value": True})


async def test_a_request_of_2026_needs_no_handshake() -> None:
    async with connected(world()) as client:
        meta = {**STATELESS, "progressToken": 7}
        client.ask(1, "tools/call", name="say", arguments={"text": "ahoy"}, _meta=meta)
        progress, response = await client.hear(), await client.hear()

    assert progress["params"] == {"progressToken": 7, "progress": 1, "message": "ahoy"}
    assert response["result"]["content"] == [{"type": "text", "text": "ahoy"}]


async def test_requests_are_answered_at_the_same_time() -> None:
    async with connected(world()) as client:
        client.ask(1, "tools/call", name="wait", _meta={**STATELESS, "progressToken": 7})
        await client.hear()
        client.ask(2, "tools/call", name="add", arguments={"a": 1, "b": 2}, _meta=STATELESS)
        response = await client.hear()

    assert (response["id"], response["result"]["structuredContent"]) == (2, {"value": 3})


async def test_a_cancelled_request_stops_its_run_and_is_not_answered() -> None:
    actions = world()
    async with connected(actions) as client:
        client.ask(1, "tools/call", name="wait", _meta={**STATELESS, "progressToken": 7})
        await client.hear()
        client.say(method="notifications/cancelled", params={"requestId": 2})
        client.say(method="notifications/cancelled", params={"requestId": 1})
        client.ask(3, "server/discover", _meta=STATELESS)
        next_ = await client.hear()

    assert next_["id"] == 3
    assert not client.has_more


async def test_a_client_that_leaves_ends_what_it_waits_for() -> None:
    async with connected(world()) as client:
        client.ask(1, "tools/call", name="wait", _meta={**STATELESS, "progressToken": 7})
        await client.hear()

    assert not client.has_more


async def test_a_line_that_is_not_a_message_is_answered_and_an_empty_one_is_not() -> None:
    async with connected(world()) as client:
        client.lines.put_nowait(b"\n")
        client.lines.put_nowait(b"{\n")
        refused = await client.hear()
        client.say(id="r1/1", result={})  # the answer to a question that nobody has asked
        client.ask(2, "prompts/list", _meta={})
        unknown = await client.hear()

    assert (refused["id"], refused["error"]["code"]) == (None, -32700)
    assert (unknown["id"], unknown["error"]["code"]) == (2, -32601)
    assert not client.has_more


async def test_a_request_that_is_refused_before_it_is_read_is_answered_with_its_id() -> None:
    client = Client()
    headers = {**HEADERS, "authorization": "Bearer unknown"}
    async with opened(world()) as actions:
        messages = Messages(MCP(actions), headers, client.write)
        client.ask(5, "tools/list")
        client.lines.put_nowait(b"")
        await messages.answer_all(client.lines)
        refused = await client.hear()

    assert (refused["id"], refused["error"]["data"]["code"]) == (5, "UNAUTHORIZED")


async def test_a_server_that_stops_says_so() -> None:
    actions = world()
    async with connected(actions) as client:
        client.ask(1, "tools/call", name="wait", _meta={**STATELESS, "progressToken": 7})
        await client.hear()
        actions.drain()
        response = await client.hear()

    assert response == {
        "jsonrpc": "2.0",
        "id": 1,
        "error": {"code": -32000, "message": "The server stopped before the call ended."},
    }
