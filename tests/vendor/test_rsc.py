"""ai/rsc as published: `readStreamableValue` reads our actions, through React's Flight client."""

import pytest

from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

RSC = "@ai-sdk/rsc"


@pytest.fixture(scope="module")
def seen(vendor_url: str) -> Observed:
    return drive("rsc", vendor_url)


@proves(RSC, "readStreamableValue: update, append and done")
def test_a_streamable_value_changes_and_is_done(seen: Observed) -> None:
    assert seen["value"] == {"values": ["$a", "$ab", "$abc"], "error": None, "isDone": True}


@proves(RSC, "readStreamableValue: text with any character")
def test_texts_are_one_text_that_grows(seen: Observed) -> None:
    piece = "$1 <✓\u2028>\n"

    assert seen["text"]["values"] == [piece, piece * 2, piece * 3]


@proves(RSC, "readStreamableValue: values of every JSON type")
def test_other_chunks_are_new_values(seen: Observed) -> None:
    assert [value["percent"] for value in seen["objects"]["values"]] == [50, 100]
    assert seen["escapes"]["values"] == [{"price": "$5", "list": ["$$", "$@1", "$undefined"]}]


@proves(RSC, "readStreamableValue: one answer")
def test_a_single_answer_is_the_value(seen: Observed) -> None:
    assert seen["single"] == {"values": [3], "error": None, "isDone": True}


@proves(RSC, "readStreamableValue: an error before the first value, with fieldErrors")
def test_an_error_before_the_first_value_is_thrown(seen: Observed) -> None:
    assert list(seen["refused"]["error"]["fieldErrors"]) == ["upto"]
    assert seen["earlyError"]["values"] == []
    assert seen["earlyError"]["error"]["code"] == "OUT_OF_CREDIT"


@proves(RSC, "readStreamableValue: an error after the first value")
def test_an_error_after_the_first_value_is_thrown(seen: Observed) -> None:
    late = seen["lateError"]

    assert (late["values"], late["isDone"]) == (["so far"], False)
    assert late["error"]["code"] == "OUT_OF_CREDIT"


@proves(RSC, "readStreamableValue: a cut connection is an error")
def test_a_cut_value_is_an_error_and_never_done(seen: Observed) -> None:
    assert seen["cut"] == {"values": [], "error": {"thrown": "terminated"}, "isDone": False}


@proves(RSC, "an aborted request stops the action")
def test_an_aborted_request_stops_the_action(seen: Observed) -> None:
    assert seen["stop"]["values"] == [True]


@proves(RSC, "keepalives change nothing")
def test_keepalives_change_no_value(seen: Observed) -> None:
    assert seen["idle"]["values"] == ["before ", "before after"]


@proves(RSC, "a question that it cannot show")
def test_a_question_does_not_hang_the_value(seen: Observed) -> None:
    assert seen["question"]["error"]["code"] == "CANCELLED"
