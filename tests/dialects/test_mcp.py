"""The Model Context Protocol by its messages, where the published clients hide them."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from tests.support.agent import STATELESS, Agent, messages_of
from tests.support.calls import get, post, send
from tests.support.world import ALICE, BOB, UNKNOWN, opened, world
from yieldwire import Actions, Context, Progress, Result, Text, Unauthorized
from yieldwire.dialects import MCP
from yieldwire.errors import UsageError
from yieldwire.runs.access import Caller
from yieldwire.stores import Query

FORMS: Final[dict[str, Any]] = {"elicitation": {"form": {}}}


def agents_world(**settings: Any) -> Actions:  # noqa: ANN401 - the dialect's own
    actions = world()

    @actions.action(asks=bool)
    async def decide(ctx: Context) -> AsyncIterator[Text | Result[bool]]:
        yield Text("so far")
        yield Result(await ctx.ask(bool, "Continue?"))

    @actions.action(asks=int)
    async def number(ctx: Context) -> int:
        return await ctx.ask(int, "Which?")

    @actions.action
    async def back() -> AsyncIterator[Progress]:
        for step in (1, 2, 1, 3):
            yield Progress(step, total=3, message=f"step {step}")

    actions.mount(MCP(**settings))
    return actions


@pytest.fixture
async def site() -> AsyncIterator[Actions]:
    async with opened(agents_world()) as actions:
        yield actions


async def first_of_2025(site: Actions, **options: Any) -> Agent:  # noqa: ANN401 - an agent's
    agent = Agent(site, ALICE, **options)
    await agent.begin()
    return agent


async def run_of(site: Actions, label: str = "") -> Any:  # noqa: ANN401 - a record
    (run, *_) = await site.app.find(Query(everyone=True, label=label or None))
    return run


async def test_a_handshake_says_what_the_server_has() -> None:
    async with opened(agents_world(name="files", instructions="Be careful.")) as site:
        told = await Agent(site).begin()

    assert told["protocolVersion"] == "2025-11-25"
    assert told["serverInfo"]["name"] == "files"
    assert told["instructions"] == "Be careful."
    assert told["capabilities"]["tasks"]["requests"] == {"tools": {"call": {}}}


async def test_a_version_that_is_not_known_is_answered_with_the_newest(site: Actions) -> None:
    told = await Agent(site, version="2024-10-07").begin()

    assert told["protocolVersion"] == "2025-11-25"


async def test_a_server_is_discovered_and_says_for_how_long(site: Actions) -> None:
    told = await Agent(site, version=STATELESS).result("server/discover")

    assert told["supportedVersions"][0] == STATELESS
    assert (told["resultType"], told["ttlMs"], told["cacheScope"]) == ("complete", 0, "private")


async def test_a_ping_is_answered(site: Actions) -> None:
    assert await Agent(site).result("ping") == {}


@pytest.mark.parametrize(("version", "status"), [("2025-11-25", 200), (STATELESS, 404)])
async def test_an_unknown_method_is_refused(site: Actions, version: str, status: int) -> None:
    agent = Agent(site, version=version)

    told = await agent.ask("prompts/list")

    assert (told["error"]["code"], agent.status) == (-32601, status)


async def test_what_is_not_a_message_is_refused(site: Actions) -> None:
    broken = await send(site, post("/mcp", [], ALICE))
    elsewhere = await send(site, post("/mcp/more", {}, ALICE))

    below = await send(MCP(site), post("/more", {}, ALICE))

    assert (broken.status, broken.json()["error"]["code"]) == (400, -32600)
    assert (elsewhere.status, below.status) == (404, 404)
    assert below.json()["error"]["message"].startswith("Messages are sent by POST")


async def test_a_caller_who_is_not_identified_is_answered_with_401(site: Actions) -> None:
    heard = await send(site, post("/mcp", {}, UNKNOWN))

    assert (heard.status, heard.json()["id"]) == (401, None)


@pytest.mark.parametrize(
    ("url", "told"),
    [
        (None, "Bearer"),
        ("https://a.example/meta", 'Bearer resource_metadata="https://a.example/meta"'),
    ],
)
async def test_a_refused_caller_is_told_where_to_get_a_token(url: str | None, told: str) -> None:
    async with opened(agents_world(resource_metadata=url)) as site:
        refused = await send(site, post("/mcp", {}, UNKNOWN))
        forbidden = await send(site, post("/mcp", {}, [("origin", "https://evil.example")]))

    assert (refused.status, refused.headers["www-authenticate"]) == (401, told)
    assert forbidden.status == 403
    assert "www-authenticate" not in forbidden.headers


async def test_who_must_sign_in_for_a_tool_is_told_by_the_status() -> None:
    actions = Actions()

    async def sign_in(ctx: Context) -> None:
        raise Unauthorized

    @actions.action(guards=[sign_in])
    async def private() -> int:
        return 1

    actions.mount(MCP())
    async with opened(actions) as site:
        agent = Agent(site)
        told = await agent.ask("tools/call", name="private")

    assert (agent.status, told["id"], told["error"]["data"]["code"]) == (401, 1, "UNAUTHORIZED")


async def test_a_call_needs_a_client_that_reads_streams(site: Actions) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "add"}}

    heard = await send(site, post("/mcp", message, [("accept", "application/json")]))

    assert heard.json()["result"]["isError"] is True


@pytest.mark.parametrize("name", ["tick", "take", "nothing", "sendTree"])
async def test_a_feed_a_file_and_another_name_are_not_tools(site: Actions, name: str) -> None:
    told = await Agent(site).ask("tools/call", name=name)

    assert told["error"]["message"] == f"There is no tool {name!r}."


async def test_tools_are_those_that_are_named() -> None:
    async with opened(agents_world(tools=["add", "tick"])) as site:
        told = await Agent(site).result("tools/list")

    assert [tool["name"] for tool in told["tools"]] == ["add", "tick"]


async def test_one_action_is_the_only_tool() -> None:
    async with opened(world()) as actions:
        heard = await send(
            MCP(actions.add),
            post("/", {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, ALICE),
        )

    assert [tool["name"] for tool in heard.json()["result"]["tools"]] == ["add"]


@pytest.mark.parametrize("name", ["ad", "take"])
async def test_a_name_that_is_not_of_a_tool_is_a_mistake(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(agents_world(tools=["add", name])) as site:
        told = await Agent(site).ask("tools/list")

    assert told["error"]["code"] == -32603
    assert f"MCP: {name!r} in tools is not an action, or it needs a file" in caplog.text


def test_a_single_name_is_not_a_list_of_tools() -> None:
    with pytest.raises(UsageError, match="tools is a list of names"):
        MCP(tools="add")


async def test_progress_only_increases(site: Actions) -> None:
    agent = await first_of_2025(site)

    *told, _ = await agent.messages("tools/call", name="back", _meta={"progressToken": 0})

    steps = [each["params"]["progress"] for each in told]
    assert steps == [1, 2, 3]
    assert told[0]["params"] == {
        "progressToken": 0,
        "progress": 1,
        "total": 3,
        "message": "step 1",
    }


async def test_a_call_without_a_token_is_told_no_progress(site: Actions) -> None:
    agent = await first_of_2025(site)

    (response,) = await agent.messages("tools/call", name="back")

    assert response["result"]["content"] == []


@pytest.mark.parametrize(("version", "count"), [("2025-11-25", 1), ("2025-06-18", 0)])
async def test_an_event_without_data_is_not_for_older_clients(
    site: Actions, version: str, count: int
) -> None:
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "say"}}
    headers = [*ALICE, ("mcp-protocol-version", version)]

    heard = await send(site, post("/mcp", message, headers))

    assert heard.body.count(b"data: \n") == count


async def test_a_cancel_stops_the_run_of_the_same_session_only(site: Actions) -> None:
    agent, other = await first_of_2025(site), await first_of_2025(site)

    asking = agent.asking("tools/call", name="wait", _meta={"progressToken": 1})
    async with asking as messages:
        await anext(messages)
        params = {"requestId": 1}
        statuses = [
            await other.tell(method="notifications/cancelled", params=params),
            await Agent(site, ALICE).tell(method="notifications/cancelled", params=params),
        ]
        run = await run_of(site)
        await agent.tell(method="notifications/cancelled", params=params)
        response = await anext(messages)

    assert statuses == [202, 202]
    assert run.cancel_reason is None
    assert response["result"]["isError"] is True


async def test_a_stream_of_messages_that_nobody_asked_for_is_not_offered(site: Actions) -> None:
    heard = await send(site, get("/mcp", ALICE))

    assert (heard.status, heard.headers["allow"]) == (405, "POST")


async def test_a_stream_is_resumed_by_its_owner_until_its_end(site: Actions) -> None:
    agent = await first_of_2025(site)
    message = {
        "jsonrpc": "2.0",
        "id": 9,
        "method": "tools/call",
        "params": {"name": "say", "_meta": {"progressToken": "p"}},
    }
    headers = [*ALICE, ("mcp-protocol-version", "2025-11-25"), ("mcp-session-id", agent.session)]
    heard = await send(site, post("/mcp", message, headers))
    ids = [line[4:] for line in heard.body.decode().split("\n") if line.startswith("id: ")]

    rest = [await send(site, get("/mcp", [*ALICE, ("last-event-id", id_)])) for id_ in ids]
    stolen = await send(site, get("/mcp", [*BOB, ("last-event-id", ids[0])]))

    assert [len(messages_of(each.body)) for each in rest] == [2, 1, 1]
    assert messages_of(rest[0].body) == messages_of(heard.body)
    assert (rest[-1].status, rest[-1].json()["id"]) == (404, None)
    assert stolen.status == 403


async def test_a_log_is_read_by_its_owner_only(site: Actions) -> None:
    agent = await first_of_2025(site)
    said = await agent.result("tools/call", name="say", arguments={"text": "secret"})
    uri = f"yieldwire://runs/{said['_meta']['yieldwire/run']}"

    read = await agent.result("resources/read", uri=uri)
    stolen = await Agent(site, BOB).ask("resources/read", uri=uri)
    listed = await agent.result("resources/list")
    templates = await agent.result("resources/templates/list")

    assert read["contents"][0]["text"].count("\n") == 2
    unknown = await agent.ask("resources/read", uri="file:///etc/passwd")

    assert stolen["error"]["data"]["code"] == "FORBIDDEN"
    assert unknown["error"]["message"] == "There is no resource 'file:///etc/passwd'."
    assert listed == {"resources": []}
    assert templates["resourceTemplates"][0]["uriTemplate"] == "yieldwire://runs/{run}"


async def test_a_log_that_is_too_long_for_an_answer_is_refused(
    site: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yieldwire.dialects.mcp.MOST_BYTES", 10)
    agent = await first_of_2025(site)
    said = await agent.result("tools/call", name="say")

    uri = f"yieldwire://runs/{said['_meta']['yieldwire/run']}"
    told = await agent.ask("resources/read", uri=uri)

    assert told["error"]["data"]["code"] == "PAYLOAD_TOO_LARGE"


async def test_an_action_with_the_name_of_the_path_keeps_its_url() -> None:
    actions = world()

    @actions.action
    async def mcp() -> int:
        return 7

    actions.mount(MCP())
    async with opened(actions) as site:
        heard = await send(site, post("/mcp", {}, ALICE))

    assert heard.json()["result"] == 7


async def test_the_runs_of_agents_belong_to_their_callers(site: Actions) -> None:
    await (await first_of_2025(site)).result("tools/call", name="add", arguments={"a": 1, "b": 2})

    run = await run_of(site)
    assert (await site.app.get(run.id, Caller(owner="alice"))).owner == "alice"
