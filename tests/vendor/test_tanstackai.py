"""TanStack AI as published: its `ChatClient` reads the events of AG-UI, and resumes them."""

import pytest

from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

CHAT = "@tanstack/ai-client"


@pytest.fixture(scope="module")
def seen(vendor_url: str) -> Observed:
    return drive("tanstackai", vendor_url)


@proves(CHAT, "ChatClient: thinking, tool calls and texts")
def test_an_answer_is_one_message_with_its_parts(seen: Observed) -> None:
    _, answer = seen["parts"]["messages"]

    kinds = [part["type"] for part in answer["parts"]]
    assert kinds == ["thinking", "tool-call", "tool-result", "text"]
    assert answer["parts"][1]["output"] == {"hits": 2}
    assert answer["parts"][3]["content"] == "Well: Will it rain? <✓\u2028>"


@proves(CHAT, "ChatClient: text with any character")
def test_texts_are_one_part(seen: Observed) -> None:
    _, answer = seen["text"]["messages"]

    assert answer["parts"] == [{"type": "text", "content": "$1 <✓\u2028>\n" * 2}]


@proves(CHAT, "ChatClient: an error before and after the first event")
def test_errors_are_told_and_keep_the_text(seen: Observed) -> None:
    late = seen["lateError"]

    assert seen["earlyError"]["error"] == "HTTP error! status: 402 Payment Required"
    assert late["error"] == "Your credit is used up."
    assert late["messages"][1]["parts"] == [{"type": "text", "content": "so far"}]


@proves(CHAT, "fetchServerSentEvents: an answer that is cut again and again is resumed")
def test_a_cut_answer_is_resumed_and_misses_nothing(seen: Observed) -> None:
    resumed = seen["resumed"]

    assert resumed["steps"] == list(range(1, 10))
    assert (resumed["types"][-1], resumed["error"]) == ("RUN_FINISHED", None)


@proves(CHAT, "fetchServerSentEvents: a cut connection is an error, if a run cannot be resumed")
def test_a_cut_answer_is_an_error_without_ids(seen: Observed) -> None:
    assert seen["cut"]["error"] == "Stream response body read failed"


@proves(CHAT, "ChatClient: a question is shown as an interrupt, which it cannot answer")
def test_a_question_is_shown(seen: Observed) -> None:
    assert seen["question"] == [{"kind": "unbound", "message": "Continue?", "canResolve": False}]


@proves(CHAT, "ChatClient: stop")
def test_stop_stops_the_action(seen: Observed) -> None:
    assert seen["stop"] == ["RUN_STARTED", "RUN_FINISHED"]


@proves(CHAT, "fetchServerSentEvents: joinRun")
def test_a_run_is_joined_from_its_start(seen: Observed) -> None:
    assert seen["joined"]["joined"] == seen["joined"]["seen"]
