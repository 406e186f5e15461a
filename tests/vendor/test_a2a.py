"""The A2A protocol's SDK for Python as published: its client, over JSON-RPC."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from a2a.client import A2ACardResolver, Client, ClientConfig, create_client
from a2a.client.errors import A2AClientError
from a2a.types import (
    CancelTaskRequest,
    GetTaskRequest,
    SendMessageRequest,
    SubscribeToTaskRequest,
)
from a2a.utils.errors import (
    ContentTypeNotSupportedError,
    InvalidParamsError,
    TaskNotCancelableError,
    TaskNotFoundError,
    UnsupportedOperationError,
)
from google.protobuf.json_format import MessageToDict, ParseDict

from tests.vendor.conformance import proves

A2A: Final = "a2a-sdk"


class Agent:
    """One agent, and a client of it."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def send(self, text: str = "", data: Any = None, **message: Any) -> list[Any]:  # noqa: ANN401 - JSON
        """Send a message, and return what the client yields."""
        parts = [{"text": text}, *([] if data is None else [{"data": data}])]
        told = {"messageId": str(uuid4()), "role": "ROLE_USER", "parts": parts, **message}
        request = ParseDict({"message": told}, SendMessageRequest())
        async with asyncio.timeout(20):
            return [MessageToDict(each) async for each in self.client.send_message(request)]

    async def get(self, task_id: str) -> Any:  # noqa: ANN401 - JSON
        return MessageToDict(await self.client.get_task(GetTaskRequest(id=task_id)))

    async def cancel(self, task_id: str) -> Any:  # noqa: ANN401 - JSON
        return MessageToDict(await self.client.cancel_task(CancelTaskRequest(id=task_id)))

    async def subscribe(self, task_id: str) -> AsyncIterator[Any]:
        request = SubscribeToTaskRequest(id=task_id)
        async for each in self.client.subscribe(request):
            yield MessageToDict(each)


class Agents:
    """Makes clients that share one connection pool."""

    def __init__(self, url: str, http: httpx.AsyncClient) -> None:
        self._url, self._http = url, http

    async def __call__(self, name: str, mount: str = "a2a", **config: Any) -> Agent:  # noqa: ANN401 - the client's
        wanted = ClientConfig(httpx_client=self._http, **config)
        return Agent(await create_client(f"{self._url}/{mount}/{name}", wanted))


@pytest.fixture
async def agents(vendor_url: str) -> AsyncIterator[Agents]:
    async with httpx.AsyncClient(verify=False) as http:  # noqa: S501 - plain HTTP, and a context takes long
        yield Agents(vendor_url, http)


def output(task: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return [part for artifact in task["artifacts"] for part in artifact["parts"]]


def state(told: Any) -> str:  # noqa: ANN401 - JSON
    status = told.get("statusUpdate", told.get("task", told))["status"]
    return str(status["state"]).removeprefix("TASK_STATE_")


@proves(A2A, "the agent card")
async def test_a_card_describes_an_action(vendor_url: str) -> None:
    async with httpx.AsyncClient(verify=False) as http:  # noqa: S501 - as above
        resolver = A2ACardResolver(http, f"{vendor_url}/a2a/assist")
        card = await resolver.get_agent_card()

    assert (card.name, card.capabilities.streaming) == ("assist", True)
    assert card.description.startswith("Answer with a part of each kind")
    assert [each.url for each in card.supported_interfaces] == [f"{vendor_url}/a2a/assist/"]
    assert [skill.id for skill in card.skills] == ["assist"]


@proves(A2A, "SendStreamingMessage: the task, text and data as artifacts, progress, a result")
async def test_a_stream_has_the_task_and_what_changes(agents: Agents) -> None:
    said = await (await agents("say")).send("ahoy", {"times": 3})
    counted = await (await agents("count")).send(data={"upto": 2})
    worked = await (await agents("work")).send(data={"total": 2})

    updates = [each["artifactUpdate"] for each in said[1:-1]]
    assert [each.get("append", False) for each in updates] == [False, True, True]
    assert [each["artifact"]["parts"] for each in updates] == [[{"text": "ahoy"}]] * 3
    results = [each["artifactUpdate"]["artifact"] for each in counted[1:-1]]
    assert results[-1] == {"artifactId": "result", "parts": [{"data": 2}]}
    told = [each["statusUpdate"]["status"]["message"] for each in worked[1:-1]]
    assert [each["parts"] for each in told] == [[{"text": "50 %"}], [{"text": "100 %"}]]
    assert [state(each[-1]) for each in (said, counted, worked)] == ["COMPLETED"] * 3


@proves(A2A, "SendMessage: waits for the task's end")
async def test_a_message_is_answered_with_the_whole_task(agents: Agents) -> None:
    agent = await agents("pause", streaming=False)

    (told,) = await agent.send()

    assert state(told) == "COMPLETED"
    assert output(told["task"]) == [{"text": "before after"}]


@proves(A2A, "SendMessage: returns at once; GetTask, SubscribeToTask, CancelTask")
async def test_a_task_continues_without_its_client_and_is_cancelled(agents: Agents) -> None:
    agent, key = await agents("hang", streaming=False, polling=True), "a2a-polled"
    (told,) = await agent.send(key)
    task, watching = told["task"]["id"], await agents("hang")
    await (await agents("await_start")).send(key)

    following = watching.subscribe(task)
    first = await anext(following)
    cancelled = await agent.cancel(task)
    states = [each async for each in following]
    await (await agents("await_stop")).send(key)

    assert state(first) == "WORKING"
    assert [state(each) for each in (states[-1], cancelled, await agent.get(task))] == [
        "CANCELED"
    ] * 3
    with pytest.raises(TaskNotCancelableError, match="The task has ended"):
        await agent.cancel(task)
    with pytest.raises(UnsupportedOperationError, match="The task has ended"):
        await anext(watching.subscribe(task))


@proves(A2A, "errors before and after the first chunk: a failed task")
@pytest.mark.parametrize("streaming", [True, False])
async def test_an_error_of_an_action_is_a_failed_task(agents: Agents, *, streaming: bool) -> None:
    early = await (await agents("fail", streaming=streaming)).send("OUT_OF_CREDIT")
    late = await (await agents("fail_late", streaming=streaming)).send()
    unexpected = await (await agents("fail", streaming=streaming)).send()

    for told in (early[-1], late[-1]):
        (status,) = [each["status"] for each in told.values()]
        assert status["state"] == "TASK_STATE_FAILED"
        assert status["message"]["parts"] == [{"text": "Your credit is used up."}]
        assert status["message"]["metadata"]["yieldwire/error"]["code"] == "OUT_OF_CREDIT"
    assert "secret" not in str(unexpected)
    assert state(unexpected[-1]) == "FAILED"


@proves(A2A, "errors without a task: invalid input, a file, an unknown task")
async def test_what_starts_no_task_is_an_error_of_the_client(agents: Agents) -> None:
    agent = await agents("add")

    with pytest.raises(InvalidParamsError, match="The input is not valid") as invalid:
        await agent.send("nothing")
    with pytest.raises(ContentTypeNotSupportedError, match="Files are not supported"):
        await agent.send(parts=[{"raw": "AAAA", "mediaType": "image/png"}])
    with pytest.raises(TaskNotFoundError, match="no such task"):
        await agent.get("rAAAAAAAAAAAAAAAAAAAA")

    assert invalid.value.data == {"a": "Field required", "b": "Field required"}


@proves(A2A, "a question requires input, and the next message answers it")
@pytest.mark.parametrize("streaming", [True, False])
async def test_a_question_is_answered_by_the_next_message(
    agents: Agents, *, streaming: bool
) -> None:
    agent = await agents("decide", streaming=streaming)
    asked = await agent.send(contextId="a conversation")
    task = asked[0]["task"]["id"]
    waiting = await agent.get(task)

    with pytest.raises(InvalidParamsError):
        await agent.send("perhaps", taskId=task)
    answered = await agent.send("true", taskId=task)

    assert (state(asked[-1]), state(waiting)) == ("INPUT_REQUIRED", "INPUT_REQUIRED")
    assert waiting["status"]["message"]["parts"] == [{"text": "Continue?"}]
    assert state(answered[-1]) == "COMPLETED"
    done = await agent.get(task)
    assert (done["contextId"], output(done)) == (
        "a conversation",
        [{"text": "so far"}, {"data": True}],
    )


@proves(A2A, "SubscribeToTask: a cut stream is resumed, with the whole task first")
async def test_a_cut_stream_is_resumed_and_misses_nothing(agents: Agents) -> None:
    agent = await agents("count_slowly", "cutcalls/a2a")
    seen: list[Any] = []
    task, is_over = "", False

    def take(told: Any) -> None:  # noqa: ANN401 - JSON
        if "task" in told:
            seen[:] = output(told["task"]) if "artifacts" in told["task"] else []
        elif "artifactUpdate" in told:
            seen.extend(told["artifactUpdate"]["artifact"]["parts"])

    request = SendMessageRequest()
    request.message.message_id = str(uuid4())
    request.message.parts.add().data.struct_value.update({"total": 8})
    cuts = 0
    async with asyncio.timeout(20):
        stream = agent.client.send_message(request)
        while not is_over:
            try:
                async for each in stream:
                    told = MessageToDict(each)
                    take(told)
                    task = task or told["task"]["id"]
                    is_over = "statusUpdate" in told and state(told) == "COMPLETED"
            except A2AClientError:
                cuts += 1
            except UnsupportedOperationError:  # it ended meanwhile
                take({"task": await agent.get(task)})
                is_over = True
            stream = agent.client.subscribe(SubscribeToTaskRequest(id=task))

    assert cuts > 1
    assert [part["data"] for part in seen] == [1, 2, 3, 4, 5, 6, 7, 8]
