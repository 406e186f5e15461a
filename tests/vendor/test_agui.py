"""AG-UI as published: `HttpAgent` runs our actions, and its own checks accept every event."""

import pytest

from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

AGUI = "@ag-ui/client"


@pytest.fixture(scope="module")
def seen(vendor_url: str) -> Observed:
    return drive("agui", vendor_url)


@proves(AGUI, "HttpAgent: steps, reasoning, tool calls, activities, texts, state, custom events")
def test_an_answer_has_a_message_for_each_of_its_parts(seen: Observed) -> None:
    parts = seen["parts"]
    call = {"name": "search", "arguments": '{"q":"rain"}'}

    assert parts["messages"][1:] == [
        {"role": "reasoning", "content": "Hm, well."},
        {
            "role": "assistant",
            "toolCalls": [{"id": "c1", "type": "function", "function": call}],
        },
        {"role": "tool", "toolCallId": "c1", "content": '{"hits":2}'},
        {
            "role": "activity",
            "activityType": "progress",
            "content": {"current": 1, "total": 2, "message": "half", "percent": 50},
        },
        {"role": "assistant", "content": "Well: Will it rain? <✓\u2028>"},
    ]
    assert parts["state"] == {"cart": 1}
    assert parts["custom"] == ["weather", {"rain": True}]
    assert (parts["outcome"], parts["error"]) == ("success", None)


@proves(AGUI, "HttpAgent: the result of a run")
def test_a_result_is_that_of_the_run(seen: Observed) -> None:
    assert (seen["single"]["result"], seen["single"]["outcome"]) == (3, "success")


@proves(AGUI, "HttpAgent: text with any character, and keepalives")
def test_texts_are_one_message(seen: Observed) -> None:
    piece = "$1 <✓\u2028>\n"

    assert seen["text"]["messages"] == [{"role": "assistant", "content": piece * 2}]
    assert seen["idle"]["messages"] == [{"role": "assistant", "content": "before after"}]


@proves(AGUI, "HttpAgent: an error before the first event, with fieldErrors")
def test_an_error_before_the_first_event_is_thrown(seen: Observed) -> None:
    refused, early = seen["refused"]["thrown"], seen["earlyError"]["thrown"]

    assert (refused["status"], early["status"]) == (422, 402)
    assert list(refused["payload"]["error"]["fieldErrors"]) == ["a", "b"]
    assert early["payload"]["error"]["code"] == "OUT_OF_CREDIT"


@proves(AGUI, "HttpAgent: an error after the first event")
def test_an_error_after_the_first_event_keeps_the_messages(seen: Observed) -> None:
    late = seen["lateError"]

    assert late["error"] == {"message": "Your credit is used up.", "code": "OUT_OF_CREDIT"}
    assert late["messages"] == [{"role": "assistant", "content": "so far"}]


@proves(AGUI, "HttpAgent: a cut connection is an error")
def test_a_cut_run_is_thrown(seen: Observed) -> None:
    assert seen["cut"]["thrown"]["message"] == "terminated"
    assert "outcome" not in seen["cut"]


@proves(AGUI, "HttpAgent: an interrupt about a tool call, resolved and cancelled")
def test_a_tool_call_is_approved_by_resume(seen: Observed) -> None:
    approved, declined = seen["approved"], seen["declined"]

    assert approved["interrupt"]["toolCallId"] == "d1"
    assert approved["first"]["outcome"] == "interrupt"
    assert [message["content"] for message in approved["second"]["messages"][2:]] == [
        "deleted",
        "Done.",
    ]
    assert declined["second"]["messages"][2]["content"] == "kept"


@proves(AGUI, "HttpAgent: an interrupt for any question")
def test_a_question_is_answered_by_resume(seen: Observed) -> None:
    asked = seen["question"]

    assert asked["interrupt"]["message"] == "Continue?"
    assert asked["interrupt"]["responseSchema"] == {"type": "boolean"}
    assert (asked["second"]["outcome"], asked["second"]["result"]) == ("success", True)


@proves(AGUI, "HttpAgent: abortRun stops the action")
def test_an_aborted_run_stops_the_action(seen: Observed) -> None:
    assert seen["stop"]["stopped"] is True


@proves(AGUI, "HttpAgent: a run is read again after a reload, and stopped")
def test_a_run_is_attached_to_in_its_middle(seen: Observed) -> None:
    reload = seen["reload"]

    assert reload["messages"] == [{"role": "assistant", "content": "so far"}]
    assert (reload["outcome"], reload["after"]) == ("cancelled", 204)
