"""The events of AG-UI, from those of a run."""

from typing import Any, Final

import pytest
from pydantic_core import from_json, to_json

from yieldwire.ai import (
    Data,
    Finish,
    Reasoning,
    StepEnd,
    StepStart,
    ToolCall,
    ToolError,
    ToolInput,
    ToolOutput,
    Usage,
)
from yieldwire.dialects.aguistream import AGUIEncoder
from yieldwire.dialects.translation import Translation
from yieldwire.log.chunks import Progress, Text, Value
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, EventType

RUN: Final = "rAAAAAAAAAAAAAAAAAAAA"
DONE: Final[tuple[EventType, Any]] = (EventType.DONE, {})
CALL: Final = ToolCall("c", "find", {"q": 1})
OPENERS: Final = {
    "TEXT_MESSAGE_START": "messageId",
    "REASONING_START": "messageId",
    "REASONING_MESSAGE_START": "messageId",
    "TOOL_CALL_START": "toolCallId",
    "STEP_STARTED": "stepName",
}
CLOSERS: Final = {
    "TEXT_MESSAGE_END": "TEXT_MESSAGE_START",
    "REASONING_END": "REASONING_START",
    "REASONING_MESSAGE_END": "REASONING_MESSAGE_START",
    "TOOL_CALL_END": "TOOL_CALL_START",
    "STEP_FINISHED": "STEP_STARTED",
}


def told(*events: object, encoder: AGUIEncoder | None = None) -> list[Any]:
    """Return the client's events for chunks, or for events with their types."""
    log = [
        Block.of_event(RUN, seq, kind, to_json(value))
        for seq, (kind, value) in enumerate(
            (each if isinstance(each, tuple) else (EventType.CHUNK, each) for each in events), 1
        )
    ]
    translation = Translation(encoder or AGUIEncoder("t", "r"))
    body = translation.opening(Cursor(RUN, 0), b"") + b"".join(map(translation.encode, log))
    frames = [frame for frame in body.split(b"\n\n") if frame.startswith(b"data: ")]
    return [from_json(frame.removeprefix(b"data: ")) for frame in frames]


def types(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]


def question(**more: Any) -> tuple[EventType, Any]:  # noqa: ANN401 - JSON
    return EventType.QUESTION, {"id": "q", "prompt": "Well?", "name": "bool", **more}


def test_a_run_begins_and_ends_with_the_ids_of_the_client() -> None:
    first, last = told((EventType.DONE, {"result": {"n": 1}}))

    assert first == {
        "type": "RUN_STARTED",
        "threadId": "t",
        "runId": "r",
        "protocolVersion": "1.0",
    }
    assert last == {
        "type": "RUN_FINISHED",
        "threadId": "t",
        "runId": "r",
        "result": {"n": 1},
        "outcome": {"type": "success"},
    }


def test_a_run_without_ids_has_those_of_ours() -> None:
    assert told(DONE, encoder=AGUIEncoder(""))[0]["threadId"] == RUN


@pytest.mark.parametrize(
    "end", [DONE, (EventType.CANCELLED, {"code": "CANCELLED"}), question()], ids=str
)
def test_everything_that_is_open_is_closed_before_the_end(end: tuple[EventType, Any]) -> None:
    chunks = [StepStart(), Reasoning("a"), ToolInput("c", "find", "{"), Text("b"), Reasoning("c")]

    open_, events = set[tuple[str, str]](), told(*chunks, end)

    for event in events:
        if (key := OPENERS.get(event["type"])) is not None:
            open_.add((event["type"], event[key]))
        elif (opener := CLOSERS.get(event["type"])) is not None:
            open_.remove((opener, event[OPENERS[opener]]))
    assert open_ == set()
    assert events[-1]["type"] == "RUN_FINISHED"


def test_another_kind_of_event_begins_another_message() -> None:
    events = told(Text("a"), Text("b"), Text(""), Reasoning("c"), "d", DONE)

    ids = [event["messageId"] for event in events if event["type"] == "TEXT_MESSAGE_START"]
    assert ids == [f"{RUN}-1", f"{RUN}-3"]


def test_a_tool_call_is_told_once_however_it_is_written() -> None:
    streamed = told(ToolInput("c", "find", '{"q":'), ToolInput("c", "find", "1}"), CALL, CALL)
    whole = told(CALL, ToolInput("c", "find", "more"))

    ends = ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"]
    assert types(streamed)[1:] == [ends[0], ends[1], ends[1], ends[2]]
    assert types(whole)[1:] == ends
    assert whole[2]["delta"] == '{"q":1}'


def test_an_output_is_a_message_if_its_call_is_known_and_it_is_the_last() -> None:
    events = told(
        ToolOutput("other", 1), CALL, ToolOutput("c", 1, preliminary=True), ToolOutput("c", [1])
    )
    failed = told(CALL, ToolError("c", "It broke."))

    results = [event for event in events if event["type"] == "TOOL_CALL_RESULT"]
    assert [result["content"] for result in results] == ["[1]"]
    assert failed[-1]["content"] == "It broke."


def test_a_step_ends_where_the_next_one_starts() -> None:
    events = told(StepStart(), StepStart(), StepEnd(), StepEnd(), DONE)

    assert types(events)[1:-1] == [
        "STEP_STARTED",
        "STEP_FINISHED",
        "STEP_STARTED",
        "STEP_FINISHED",
    ]


def test_what_has_no_event_is_custom_and_can_be_null() -> None:
    chunks = [Data("weather", None), {"n": 1}, {"type": "own"}, {"type": "tool-call"}, None]

    events = told(*chunks)[1:]

    assert [(event["name"], event["value"]) for event in events] == [
        ("weather", None),
        ("chunk", {"n": 1}),
        ("own", {"type": "own"}),
        ("tool-call", {"type": "tool-call"}),
        ("chunk", None),
    ]


def test_progress_is_an_activity_and_a_value_is_the_state() -> None:
    activity, state = told(Progress(1, total=2, message="half"), Value({"n": 1}))[1:]

    assert (activity["activityType"], activity["replace"]) == ("progress", True)
    assert activity["content"] == {"current": 1, "total": 2, "message": "half", "percent": 50}
    assert state == {"type": "STATE_SNAPSHOT", "snapshot": {"n": 1}}


def test_usage_is_told_at_the_end() -> None:
    events = told(Usage(1, 2), Usage(3, 4), Finish("stop"), DONE)

    assert events[-1]["usage"] == [{"inputTokens": 4, "outputTokens": 6, "totalTokens": 10}]


def test_an_error_ends_the_run() -> None:
    events = told(Text("a"), (EventType.ERROR, {"code": "X", "message": "No."}))

    assert events[-1] == {"type": "RUN_ERROR", "message": "No.", "code": "X"}


def test_a_question_interrupts_the_run() -> None:
    schema = {"type": "boolean"}
    events = told(question(schema=schema, expiresAt="2030-01-01T00:00:00Z"), Text("never"))

    (interrupt,) = events[-1]["outcome"]["interrupts"]
    assert interrupt == {
        "id": "q",
        "reason": "question",
        "message": "Well?",
        "responseSchema": schema,
        "expiresAt": "2030-01-01T00:00:00Z",
    }


def test_a_question_about_a_call_tells_the_call_if_the_client_does_not_know_it() -> None:
    detail = {"toolCall": {"id": "c", "name": "find", "input": {}}}

    events = told(question(detail=detail))

    (interrupt,) = events[-1]["outcome"]["interrupts"]
    assert types(events)[1:4] == ["TOOL_CALL_START", "TOOL_CALL_ARGS", "TOOL_CALL_END"]
    assert (interrupt["reason"], interrupt["toolCallId"]) == ("tool_call", "c")


def test_a_run_that_is_continued_is_told_from_the_answer_on() -> None:
    first = (EventType.QUESTION, {"id": "p", "prompt": "First?", "name": "bool"})
    answer = (EventType.ANSWER, {"id": "q", "value": True})
    encoder = AGUIEncoder("t", "r2", after=["q"])

    events = told(Text("a"), first, question(), answer, Text("b"), DONE, encoder=encoder)

    assert types(events) == [
        "RUN_STARTED",
        "TEXT_MESSAGE_START",
        "TEXT_MESSAGE_CONTENT",
        "TEXT_MESSAGE_END",
        "RUN_FINISHED",
    ]
    assert (events[1]["messageId"], events[-1]["runId"]) == (f"{RUN}-2", "r2")


def test_a_question_that_has_its_answer_does_not_interrupt() -> None:
    encoder = AGUIEncoder("t", "r", answered=lambda id_, seq: (id_, seq) == ("q", 2))

    events = told(Text("a"), question(), Text("b"), DONE, encoder=encoder)

    assert types(events).count("TEXT_MESSAGE_END") == 2
    assert events[-1]["outcome"] == {"type": "success"}
