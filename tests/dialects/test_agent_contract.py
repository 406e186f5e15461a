"""What every dialect guarantees, of those whose clients are agents and their front ends."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, ClassVar, Final

import pytest
from pydantic_core import from_json, to_json
from starlette.types import ASGIApp

from tests.dialects.test_contract import JSON, Harness, parts_of
from yieldwire import Actions, Text
from yieldwire.dialects import A2A, AGUI, MCP, Dialect, DialectEncoder
from yieldwire.dialects.a2astream import A2AEncoder
from yieldwire.dialects.aguistream import AGUIEncoder
from yieldwire.dialects.mcpstream import MCPEncoder
from yieldwire.dialects.mcpwire import EventPlace
from yieldwire.errors import Json
from yieldwire.log.run import RunRecord
from yieldwire.testing import DialectContract, DialectHarness, ForeignAnswer, ForeignRequest, Heard

RUN: Final = "rAAAAAAAAAAAAAAAAAAAA"

_actions = Actions()


@_actions.action
async def talk() -> AsyncIterator[Text]:
    yield Text("never called")


TALK: Final = _actions.talk


class MCPHarness(Harness):
    """A client of 2025, which resumes and stops by a message."""

    dialect = MCP
    stops_by_leaving = False
    version = "2025-11-25"

    def encoder(self) -> DialectEncoder:
        return MCPEncoder(TALK.action, EventPlace(run_id=RUN, id=1, token="t"))

    def start(self, action: str, value: Json) -> ForeignRequest:
        params = {"name": action, "arguments": value, "_meta": self.meta()}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        headers = {
            **JSON,
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": self.version,
            "mcp-method": "tools/call",
            "mcp-name": action,
        }
        return ForeignRequest(headers=headers, body=to_json(body))

    def meta(self) -> dict[str, Json]:
        return {"progressToken": "t"}

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        place = EventPlace(run_id=run_id, id=1, token="t")
        lines = b"\n".join(received.split(b"\n\n")[:-1]).split(b"\n")
        ids = [line.removeprefix(b"id: ") for line in lines if line.startswith(b"id: ")]
        last = ids[-1].decode() if ids else f"{run_id}.0~{place.context()}"
        headers = {"accept": "text/event-stream", "last-event-id": last}
        return ForeignRequest(method="GET", headers=headers)

    def read(self, answer: ForeignAnswer) -> Heard:
        text = ""
        for message in _messages_of(answer.body):
            if message.get("method") == "notifications/progress":
                text += message["params"]["message"]
            elif "error" in message or message["result"].get("isError"):
                meta = message.get("result", {}).get("_meta", {})
                code = meta.get("yieldwire/error", {}).get("code")
                return Heard(text=text, end="error", code=code)
            else:
                return Heard(text=text, end="done")
        return Heard(text=text, end=None if answer.status in {200, 404} else "error")


class StatelessMCPHarness(MCPHarness):
    """A client of 2026, which stops by leaving."""

    stops_by_leaving = True
    version = "2026-07-28"

    def encoder(self) -> DialectEncoder:
        place = EventPlace(run_id=RUN, id=1, token="t")
        return MCPEncoder(TALK.action, place, is_stateless=True)

    def meta(self) -> dict[str, Json]:
        prefix = "io.modelcontextprotocol/"
        own = {f"{prefix}protocolVersion": self.version, f"{prefix}clientCapabilities": {}}
        return {**super().meta(), **own}

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        return None


def _messages_of(body: bytes) -> list[Any]:
    if body.startswith(b"{"):
        try:
            return [from_json(body)]
        except ValueError:
            return []
    lines = [line for frame in body.split(b"\n\n")[:-1] for line in frame.split(b"\n")]
    data = [line.removeprefix(b"data: ") for line in lines if line.startswith(b"data: ")]
    return [from_json(each) for each in data if each]


class TestMCP(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return MCPHarness()


class TestStatelessMCP(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return StatelessMCPHarness()


class AGUIHarness(Harness):
    dialect: ClassVar[type[Dialect]] = AGUI

    def __init__(self) -> None:
        self._action = ""

    def encoder(self) -> DialectEncoder:
        return AGUIEncoder("t", "r")

    def start(self, action: str, value: Json) -> ForeignRequest:
        self._action = action
        none: list[Json] = []
        body = {"threadId": "t", "runId": "r", "messages": none, "tools": none, "context": none}
        sent = to_json({**body, "forwardedProps": value})
        return ForeignRequest(path=f"/{action}", headers=JSON, body=sent)

    def read(self, answer: ForeignAnswer) -> Heard:
        text = ""
        for frame in parts_of(re.sub(rb"(?m)^id: .*\n", b"", answer.body)):
            if frame["type"] == "TEXT_MESSAGE_CONTENT":
                text += frame["delta"]
            elif frame["type"] == "RUN_ERROR":
                return Heard(text=text, end="error", code=frame["code"])
            elif frame["type"] == "RUN_FINISHED":
                is_done = frame["outcome"]["type"] == "success"
                return Heard(text=text, end="done" if is_done else "error")
        return Heard(text=text, end=None if answer.status in {200, 204} else "error")


class ResumableAGUIHarness(AGUIHarness):
    stops_by_leaving = False

    def serve(self, actions: Actions) -> ASGIApp:
        return AGUI(actions, resumable=True)

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        request = self.start(self._action, {})
        places = [frame for frame in received.split(b"\n\n")[:-1] if frame.startswith(b"id: ")]
        place = places[-1].split(b"\n")[0].removeprefix(b"id: ").decode() if places else ""
        headers = {**JSON, "last-event-id": place or f"{run_id}:0"}
        return replace(request, headers=headers)


class TestAGUI(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return AGUIHarness()


class TestResumableAGUI(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return ResumableAGUIHarness()


class A2AHarness(Harness):
    """A client that reads a stream, and the task again after a cut."""

    dialect: ClassVar[type[Dialect]] = A2A
    stops_by_leaving = False

    def __init__(self) -> None:
        self._action = ""

    def encoder(self) -> DialectEncoder:
        return A2AEncoder(RunRecord(RUN, "talk", ""), to_json)

    def start(self, action: str, value: Json) -> ForeignRequest:
        self._action = action
        message = {"messageId": "1", "role": "ROLE_USER", "parts": [{"data": value}]}
        return self._request("SendStreamingMessage", {"message": message})

    def resume(self, run_id: str, received: bytes) -> ForeignRequest | None:
        return self._request("GetTask", {"id": run_id})

    def _request(self, method: str, params: Json) -> ForeignRequest:
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        return ForeignRequest(path=f"/{self._action}", headers=JSON, body=to_json(body))

    def read(self, answer: ForeignAnswer) -> Heard:
        text = ""
        for told in _messages_of(answer.body):
            if "error" in told:
                return Heard(text=text, end="error")
            task = told["result"].get("task", told["result"])
            artifacts = [task["artifactUpdate"]["artifact"]] if "artifactUpdate" in task else []
            for artifact in [*task.get("artifacts", []), *artifacts]:
                text += "".join(part.get("text", "") for part in artifact["parts"])
            status = task.get("statusUpdate", task).get("status", {})
            match status.get("state"):
                case "TASK_STATE_COMPLETED":
                    return Heard(text=text, end="done")
                case "TASK_STATE_FAILED" | "TASK_STATE_CANCELED":
                    code = status["message"]["metadata"]["yieldwire/error"]["code"]
                    return Heard(text=text, end="error", code=code)
                case _:
                    pass
        return Heard(text=text)


class TestA2A(DialectContract):
    @pytest.fixture
    def harness(self) -> DialectHarness:
        return A2AHarness()
