"""The Model Context Protocol's SDKs for TypeScript as published: of 2025, and of 2026."""

from typing import Any

import pytest

from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

V1, V2 = "@modelcontextprotocol/sdk", "@modelcontextprotocol/client"


@pytest.fixture(scope="module")
def first(vendor_url: str) -> Observed:
    return drive("mcp:1", vendor_url)


@pytest.fixture(scope="module")
def second(vendor_url: str) -> Observed:
    return drive("mcp:2", vendor_url)


@pytest.fixture(params=["first", "second"])
def seen(request: pytest.FixtureRequest) -> Observed:
    observed: Observed = request.getfixturevalue(request.param)
    return observed


def texts(result: dict[str, Any]) -> list[str]:
    return [part["text"] for part in result["content"]]


@proves(V1, "version 2025-11-25: initialize")
def test_a_client_of_2025_begins_with_a_handshake(first: Observed) -> None:
    assert first["version"] == "2025-11-25"


@proves(V2, "version 2026-07-28: server/discover")
def test_a_client_of_2026_discovers_the_server(second: Observed) -> None:
    assert second["version"] == "2026-07-28"


@proves(V1, "listTools: schemas of inputs and outputs")
@proves(V2, "listTools: schemas of inputs and outputs")
def test_every_action_but_a_feed_is_a_tool(seen: Observed) -> None:
    tools = {tool["name"]: tool for tool in seen["tools"]}

    assert tools["add"] == {"name": "add", "fields": ["a", "b"], "output": "object"}
    assert "output" not in tools["say"]
    assert "count_feed" not in tools


@proves(V1, "callTool: progress")
@proves(V2, "callTool: progress")
def test_progress_arrives_during_a_call(seen: Observed) -> None:
    assert seen["progress"]["progress"] == [[1, 3, None], [2, 3, None], [3, 3, None]]


@proves(V1, "callTool: structured content")
@proves(V2, "callTool: structured content")
def test_a_result_is_structured_content_and_text(seen: Observed) -> None:
    assert seen["single"]["structuredContent"] == {"value": 3}
    assert texts(seen["single"]) == ["3"]


@proves(V1, "callTool: texts as progress, and as one content")
@proves(V2, "callTool: texts as progress, and as one content")
def test_texts_arrive_during_a_call_and_are_its_content(seen: Observed) -> None:
    piece = "1 <✓\u2028>\n"

    assert [message for _, _, message in seen["text"]["progress"]] == [piece, piece]
    assert texts(seen["text"]) == [piece * 2]


@proves(V1, "callTool: invalid arguments, an error before and after the first chunk")
@proves(V2, "callTool: invalid arguments, an error before and after the first chunk")
def test_an_error_is_a_result_that_a_model_reads(seen: Observed) -> None:
    refused, early, late = seen["refused"], seen["earlyError"], seen["lateError"]

    assert texts(refused)[0].endswith("\nb: Field required")
    assert texts(early) == texts(late) == ["Your credit is used up."]
    assert refused["isError"] is early["isError"] is late["isError"] is True
    assert late["progress"] == [[1, None, "so far"]]


@proves(V1, "callTool: an unexpected error, without its text")
@proves(V2, "callTool: an unexpected error, without its text")
def test_an_unexpected_error_says_only_its_id(seen: Observed) -> None:
    (text,) = texts(seen["crash"])

    assert seen["crash"]["isError"] is True
    assert text.startswith("Something went wrong on the server. (error id ")


@proves(V1, "callTool: an unknown tool")
@proves(V2, "callTool: an unknown tool")
def test_an_unknown_tool_is_refused(seen: Observed) -> None:
    assert seen["unknown"]["code"] == -32602


@proves(V1, "callTool: keepalives change nothing")
@proves(V2, "callTool: keepalives change nothing")
def test_keepalives_change_no_call(seen: Observed) -> None:
    assert texts(seen["idle"]) == ["before after"]


@proves(V1, "callTool: an aborted signal stops the action, by notifications/cancelled")
@proves(V2, "callTool: an aborted signal stops the action, by closing the stream")
def test_an_aborted_call_stops_the_action(seen: Observed) -> None:
    assert seen["cancel"]["stopped"] is True
    assert "enough" in seen["cancel"]["thrown"]


@proves(V1, "elicitation: a question is answered")
@proves(V2, "elicitation: a question is answered")
def test_a_question_is_asked_by_the_client(seen: Observed) -> None:
    (asked,) = seen["question"]["asked"]

    assert asked["message"] == "Continue?"
    assert seen["question"]["structuredContent"] == {"value": True}


@proves(V1, "elicitation: a question is declined")
@proves(V2, "elicitation: a question is declined")
def test_a_question_that_is_declined_is_answered_with_no(seen: Observed) -> None:
    assert seen["declined"]["structuredContent"] == {"value": False}


@proves(V1, "a question to a client that cannot ask a person")
@proves(V2, "a question to a client that cannot ask a person")
def test_a_question_does_not_hang_a_call(seen: Observed) -> None:
    expected = "The run asked a question, which this client cannot answer."

    assert texts(seen["unanswerable"]) == [expected]


@proves(V1, "readResource: a run's log")
@proves(V2, "readResource: a run's log")
def test_the_log_of_a_run_is_a_resource(seen: Observed) -> None:
    assert seen["log"] == ["chunk", "chunk", "done"]


@proves(V1, "callTool: a cut connection is resumed by Last-Event-ID")
def test_a_cut_call_is_resumed_and_misses_nothing(first: Observed) -> None:
    steps = [[number, 6, None] for number in range(1, 7)]

    assert first["resumed"]["progress"] == steps
    assert "isError" not in first["resumed"]


@proves(V1, "tasks: callToolStream, a question, getTask, listTasks")
def test_a_task_asks_and_has_its_result(first: Observed) -> None:
    task = first["task"]

    assert [task["types"][0], task["types"][-1]] == ["taskCreated", "result"]
    assert task["result"]["structuredContent"] == {"value": True}
    assert (task["state"], task["isListed"]) == ("completed", True)


@proves(V1, "tasks: cancelTask")
def test_a_task_that_is_cancelled_stops_the_action(first: Observed) -> None:
    assert first["cancelledTask"] == {"before": "working", "after": "cancelled"}
