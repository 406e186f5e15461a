"""The frames of the AI SDK's UI message stream, from the events of a run."""

from typing import Any

import pytest
from pydantic_core import from_json, to_json

from yieldwire.ai import Data, Finish, Reasoning, StepEnd, ToolCall, ToolError, ToolInput, Usage
from yieldwire.ai.chunks import Custom, ToolOutput
from yieldwire.dialects.uistream import UIStreamEncoder, frame
from yieldwire.errors import RunCancelled
from yieldwire.log.chunks import Append, Progress, Text, Value
from yieldwire.log.events import Event, EventType

CALL = {"id": "c1", "name": "delete", "input": None}


def told(frames: Any) -> list[dict[str, Any]]:  # noqa: ANN401 - of several methods
    return [from_json(each.removeprefix(b"data: ").strip()) for each in frames]


def chunks(encoder: UIStreamEncoder, *values: object) -> list[dict[str, Any]]:
    events = [Event(seq, EventType.CHUNK, to_json(value)) for seq, value in enumerate(values, 1)]
    return [each for event in events for each in told(encoder.chunk(event))]


def question(detail: object = None, seq: int = 9) -> Event:
    value = {"id": "c1", "prompt": "Delete?", "schema": {}, "detail": detail}
    return Event(seq, EventType.QUESTION, to_json(value))


def answer(*, approved: bool) -> Event:
    value = {"id": "c1", "value": {"approved": approved}, "by": None}
    return Event(10, EventType.ANSWER, to_json(value))


def done(**value: object) -> Event:
    return Event(99, EventType.DONE, to_json(value))


def types(frames: list[dict[str, Any]]) -> list[str]:
    return [each["type"] for each in frames]


def test_a_frame_is_one_line_without_members_that_are_none() -> None:
    assert frame("error", errorText="a\u2028b", id=None) == (
        b'data: {"type":"error","errorText":"a\\u2028b"}\n\n'
    )


def test_consecutive_texts_are_one_part_and_another_kind_closes_it() -> None:
    encoder = UIStreamEncoder(5)

    frames = chunks(encoder, Text("a"), Append("b"), "c", Text(""), Reasoning("d"), StepEnd())

    assert types(frames) == [
        "start-step",
        "text-start",
        *["text-delta"] * 3,
        "text-end",
        "reasoning-start",
        "reasoning-delta",
        "reasoning-end",
        "finish-step",
    ]
    assert {each["id"] for each in frames[1:6]} == {"text-1"}


def test_chunks_of_an_actions_own_are_data_named_by_their_type() -> None:
    frames = chunks(
        UIStreamEncoder(5), Progress(1, total=2), Value(3), {"type": "usage", "cpu": 1}, [4]
    )

    assert [(each["type"], each.get("id")) for each in frames[1:]] == [
        ("data-progress", "progress"),
        ("data-value", "value"),
        ("data-usage", None),
        ("data-chunk", None),
    ]


def test_the_end_has_the_result_the_reason_and_the_usage() -> None:
    encoder = UIStreamEncoder(6)

    chunks(encoder, Text("a"), Usage(1, 2), Usage(3, 4), Finish("length"))
    frames = told(encoder.done(done(result={"x": 1})))

    assert types(frames) == ["text-end", "data-result", "finish-step", "finish"]
    assert frames[-1] == {
        "type": "finish",
        "finishReason": "length",
        "messageMetadata": {"usage": {"inputTokens": 4, "outputTokens": 6, "totalTokens": 10}},
    }


def test_the_first_clients_get_no_member_that_they_refuse() -> None:
    encoder = UIStreamEncoder(5)

    frames = chunks(
        encoder,
        ToolInput("c1", "weather", "{"),
        ToolError("c1", "Not JSON."),
        ToolCall("c2", "weather", {}),
        ToolOutput("c2", 1, preliminary=True),
        ToolOutput("c2", 2),
        Custom("acme.trace", 1),
    )

    assert types(frames) == [
        "start-step",
        "tool-input-start",
        "tool-input-delta",
        "tool-input-available",
        "tool-output-error",
        "tool-input-available",
        "tool-output-available",
    ]
    assert told(encoder.done(done())) == [{"type": "finish-step"}, {"type": "finish"}]


def test_an_output_of_a_call_that_the_client_does_not_know_is_left_out() -> None:
    assert chunks(UIStreamEncoder(7), ToolOutput("c9", 1), ToolError("c9", "No.")) == []


def test_a_custom_chunk_needs_a_provider_in_its_kind() -> None:
    frames = chunks(UIStreamEncoder(7), Custom("acme.trace", 1), Custom("trace"))

    assert frames[1:] == [
        {"type": "custom", "kind": "acme.trace", "providerMetadata": {"acme": {"data": 1}}}
    ]


def test_a_data_chunk_keeps_its_id_and_can_be_transient() -> None:
    frames = chunks(UIStreamEncoder(5), Data("plan", None, id="p", transient=True))

    assert frames[1] == {"type": "data-plan", "id": "p", "transient": True}


def test_a_question_about_a_tool_pauses_the_response() -> None:
    encoder = UIStreamEncoder(6)
    chunks(encoder, Text("a"))

    frames = told(encoder.question(question({"toolCall": CALL})))

    assert types(frames) == [
        "text-end",
        "tool-input-available",
        "tool-approval-request",
        "finish-step",
        "finish",
    ]
    assert (encoder.is_paused, frames[-1]["finishReason"]) == (True, "tool-calls")


def test_a_question_that_has_its_answer_pauses_nothing() -> None:
    encoder = UIStreamEncoder(7, answered=lambda id_, seq: seq < 10)

    asked = told(encoder.question(question({"toolCall": CALL})))
    answered = told(encoder.answer(answer(approved=False)))
    after = chunks(encoder, ToolError("c1", "Not allowed."))

    assert (encoder.is_paused, asked[-1]["type"]) == (False, "tool-approval-request")
    assert types(answered) == ["tool-approval-response", "tool-output-denied"]
    assert after == []


def test_after_an_answer_only_the_rest_is_sent() -> None:
    encoder = UIStreamEncoder(6, after=["c1"])

    before = chunks(encoder, Text("a"), ToolCall("c1", "delete", {}))
    asked = told(encoder.question(question({"toolCall": CALL})))
    answered = told(encoder.answer(answer(approved=True)))
    after = chunks(encoder, ToolOutput("c1", 1), Text("b"))

    assert (before, asked, answered, encoder.is_paused) == ([], [], [], False)
    assert types(after) == ["tool-output-available", "start-step", "text-start", "text-delta"]


@pytest.mark.parametrize(
    ("version", "detail"), [(5, {"toolCall": CALL}), (7, None), (7, {"toolCall": 1}), (7, [1])]
)
def test_other_questions_cannot_be_shown(version: Any, detail: object) -> None:  # noqa: ANN401 - a literal
    encoder = UIStreamEncoder(version)

    assert encoder.question(question(detail)) is None
    assert encoder.answer(answer(approved=True)) == ()


@pytest.mark.parametrize("must_finish", [True, False])
def test_a_run_that_was_stopped_is_an_abort(*, must_finish: bool) -> None:
    encoder = UIStreamEncoder(7, must_finish=must_finish)

    frames = told(encoder.cancelled(RunCancelled().error_object()))

    assert frames[0] == {"type": "abort", "reason": "The run was cancelled."}
    assert types(frames[1:]) == ["finish"] * must_finish


def test_an_input_that_is_not_json_is_an_error_of_the_tool() -> None:
    frames = chunks(
        UIStreamEncoder(6), ToolInput("c1", "weather", "{"), ToolError("c1", "Not JSON.")
    )

    assert frames[-1] == {
        "type": "tool-input-error",
        "toolCallId": "c1",
        "toolName": "weather",
        "input": "",
        "errorText": "Not JSON.",
    }
