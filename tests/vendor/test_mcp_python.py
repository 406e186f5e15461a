"""The Model Context Protocol's SDK for Python as published, of both generations of the protocol."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, Literal

import mcp_types as types
import pytest
from mcp import Client, MCPError
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.client.streamable_http import streamable_http_client

from tests.vendor.conformance import proves

MCP = "mcp"
LEGACY, MODERN = "legacy", "2026-07-28"
POLL: Final = 0.02

Asked = Callable[[Any, types.ElicitRequestParams], Awaitable[types.ElicitResult]]


@pytest.fixture(params=[LEGACY, MODERN])
def mode(request: pytest.FixtureRequest) -> Any:  # noqa: ANN401 - the client's own type
    return request.param


@asynccontextmanager
async def opened(url: str, mode: Any, **options: Any) -> AsyncGenerator[Client, None]:  # noqa: ANN401 - the client's own
    async with asyncio.timeout(20), Client(f"{url}/mcp/", mode=mode, **options) as client:
        yield client


class Told:
    """What a client was told of a call."""

    def __init__(self) -> None:
        self.progress: list[tuple[float, float | None, str | None]] = []

    async def __call__(self, progress: float, total: float | None, message: str | None) -> None:
        self.progress.append((progress, total, message))


def texts(result: types.CallToolResult) -> list[str]:
    return [part.text for part in result.content if isinstance(part, types.TextContent)]


async def agree(_: object, __: types.ElicitRequestParams) -> types.ElicitResult:
    return types.ElicitResult(action="accept", content={"value": True})


@proves(MCP, "versions 2025-11-25 and 2026-07-28, found by the client itself")
async def test_a_client_finds_the_newest_version(vendor_url: str) -> None:
    async with opened(vendor_url, "auto") as newest, opened(vendor_url, LEGACY) as legacy:
        assert (newest.protocol_version, legacy.protocol_version) == (MODERN, "2025-11-25")


@proves(MCP, "list_tools: schemas of inputs and outputs")
async def test_tools_have_schemas(vendor_url: str, mode: Any) -> None:  # noqa: ANN401
    async with opened(vendor_url, mode) as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    assert list(tools["add"].input_schema["properties"]) == ["a", "b"]
    assert tools["add"].output_schema is not None
    assert "count_feed" not in tools


@proves(MCP, "call_tool: progress, structured content")
async def test_a_call_has_progress_and_a_result(vendor_url: str, mode: Any) -> None:  # noqa: ANN401
    told = Told()

    async with opened(vendor_url, mode) as client:
        await client.call_tool("work", {"total": 2}, progress_callback=told)
        result = await client.call_tool("add", {"a": 1, "b": 2})

    assert told.progress == [(1, 2, None), (2, 2, None)]
    assert result.structured_content == {"value": 3}


@proves(MCP, "call_tool: errors before and after the first chunk")
async def test_errors_are_results(vendor_url: str, mode: Any) -> None:  # noqa: ANN401
    async with opened(vendor_url, mode) as client:
        early = await client.call_tool("fail", {"code": "OUT_OF_CREDIT"})
        late = await client.call_tool("fail_late")
        with pytest.raises(MCPError, match="There is no tool 'nothing'"):
            await client.call_tool("nothing")

    assert texts(early) == texts(late) == ["Your credit is used up."]
    assert early.is_error
    assert late.is_error


@proves(MCP, "call_tool: a cancelled call stops the action")
async def test_a_cancelled_call_stops_the_action(vendor_url: str, mode: Any) -> None:  # noqa: ANN401
    key = f"python-{mode}"

    async with opened(vendor_url, mode) as client, asyncio.TaskGroup() as tasks:
        call = tasks.create_task(client.call_tool("hang", {"key": key}))
        await client.call_tool("await_start", {"key": key})
        call.cancel()
        result = await client.call_tool("await_stop", {"key": key})

    assert result.structured_content == {"value": True}


@proves(MCP, "elicitation: a question is answered")
async def test_a_question_is_answered(vendor_url: str, mode: Any) -> None:  # noqa: ANN401
    async with opened(vendor_url, mode, elicitation_callback=agree) as client:
        result = await client.call_tool("decide")

    assert result.structured_content == {"value": True}


@proves(MCP, "read_resource: a run's log")
async def test_the_log_of_a_run_is_a_resource(vendor_url: str, mode: Any) -> None:  # noqa: ANN401
    async with opened(vendor_url, mode) as client:
        said = await client.call_tool("say", {"text": "ahoy"})
        assert said.meta is not None
        read = await client.read_resource(f"yieldwire://runs/{said.meta['yieldwire/run']}")
        templates = (await client.list_resource_templates()).resource_templates
        with pytest.raises(MCPError, match="There is no resource"):
            await client.read_resource("file:///etc/passwd")

    (contents,) = read.contents
    assert isinstance(contents, types.TextResourceContents)
    assert contents.text.count("\n") == 2
    assert templates[0].uri_template == "yieldwire://runs/{run}"


@proves(MCP, "call_tool: a cut connection is resumed by Last-Event-ID")
async def test_a_cut_call_is_resumed_and_misses_nothing(vendor_url: str) -> None:
    told = Told()

    transport = streamable_http_client(f"{vendor_url}/cutcalls/mcp/")
    async with asyncio.timeout(20), Client(transport, mode=LEGACY) as client:
        result = await client.call_tool("work_slowly", {"total": 6}, progress_callback=told)

    assert [progress for progress, _, _ in told.progress] == [1, 2, 3, 4, 5, 6]
    assert not result.is_error


class CreatedTask(types.Result):
    """The answer to a call that has become a task."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    poll_interval_ms: int


class TaskParams(types.RequestParams):
    """The parameters of requests for a task."""

    task_id: str
    input_responses: dict[str, Any] | None = None


class GetTask(types.Request[TaskParams, Literal["tasks/get"]]):
    """A poll of a task."""

    method: Literal["tasks/get"] = "tasks/get"
    name_param = "taskId"


class UpdateTask(types.Request[TaskParams, Literal["tasks/update"]]):
    """Answers to a task's questions."""

    method: Literal["tasks/update"] = "tasks/update"
    name_param = "taskId"


class CancelTask(types.Request[TaskParams, Literal["tasks/cancel"]]):
    """A request to stop a task."""

    method: Literal["tasks/cancel"] = "tasks/cancel"
    name_param = "taskId"


class TaskState(types.Result):
    """The state of a task."""

    task_id: str
    status: str
    result: dict[str, Any] | None = None
    input_requests: dict[str, Any] | None = None


class Tasks(ClientExtension):
    """The tasks extension, on the interface that the SDK has for extensions."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self) -> None:
        self.states: list[str] = []
        self.created: CreatedTask | None = None
        self.is_polled = asyncio.Event()

    def claims(self) -> Sequence[ResultClaim[Any]]:
        return [ResultClaim(result_type="task", model=CreatedTask, resolve=self.resolve)]

    async def resolve(self, task: CreatedTask, context: ClaimContext) -> types.CallToolResult:
        self.created, params = task, TaskParams(task_id=task.task_id)
        while True:
            state = await context.session.send_request(GetTask(params=params), TaskState)
            self.states.append(state.status)
            self.is_polled.set()
            if state.result is not None:
                return types.CallToolResult.model_validate(state.result)
            if state.status == "cancelled":
                return types.CallToolResult(content=[], is_error=True)
            if state.input_requests:
                accepted = {"action": "accept", "content": {"value": True}}
                answers = dict.fromkeys(state.input_requests, accepted)
                told = TaskParams(task_id=task.task_id, input_responses=answers)
                await context.session.send_request(UpdateTask(params=told), types.EmptyResult)
            await asyncio.sleep(POLL)


@proves(MCP, "tasks: tasks/get, tasks/update with an answer, the result of a tool")
async def test_a_task_asks_and_has_its_result(vendor_url: str) -> None:
    tasks = Tasks()

    async with opened(vendor_url, MODERN, extensions=[tasks]) as client:
        result = await client.call_tool("decide")
        failed = await client.call_tool("fail_late")

    assert "input_required" in tasks.states
    assert result.structured_content == {"value": True}
    assert failed.is_error
    assert texts(failed) == ["Your credit is used up."]


@proves(MCP, "tasks: tasks/cancel, also after the client that started the task has gone")
async def test_a_task_outlives_its_client_and_is_cancelled_by_another(vendor_url: str) -> None:
    tasks, key = Tasks(), "python-task"
    own = opened(vendor_url, MODERN, extensions=[tasks])
    async with own as client, asyncio.TaskGroup() as group:
        call = group.create_task(client.call_tool("hang", {"key": key}))
        await tasks.is_polled.wait()
        call.cancel()
    assert tasks.created is not None
    params = TaskParams(task_id=tasks.created.task_id)

    async with opened(vendor_url, MODERN) as other:
        before = await other.session.send_request(GetTask(params=params), TaskState)
        await other.session.send_request(CancelTask(params=params), types.EmptyResult)
        await other.call_tool("await_stop", {"key": key})
        after = await other.session.send_request(GetTask(params=params), TaskState)

    assert (before.status, after.status) == ("working", "cancelled")
