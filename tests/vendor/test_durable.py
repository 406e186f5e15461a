"""Durable Streams as published: `stream` and `DurableStream` read our runs and feeds."""

import pytest

from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

CLIENT = "@durable-streams/client"
WAYS = ("auto", "poll", "sse")


@pytest.fixture(scope="module")
def seen(vendor_url: str) -> Observed:
    return drive("durable", vendor_url)


@proves(CLIENT, "a run as a stream: catch-up, long-poll and SSE, until it is closed")
@pytest.mark.parametrize("way", WAYS)
def test_a_run_is_a_stream_that_is_closed(seen: Observed, way: str) -> None:
    whole = seen["whole"][way]

    assert (whole["values"], whole["isClosed"], whole["error"]) == ([1, 2, 3, 3], True, None)


@proves(CLIENT, "a feed as a stream, with params")
@pytest.mark.parametrize("way", WAYS)
def test_a_feed_is_a_stream(seen: Observed, way: str) -> None:
    feed = seen["feed"][way]

    assert (feed["values"], feed["isClosed"], feed["error"]) == ([1, 2], True, None)


@proves(CLIENT, "a run that was started elsewhere, by its id")
def test_a_run_that_was_started_elsewhere_is_read_by_its_id(seen: Observed) -> None:
    assert seen["byId"]["values"] == [1, 2, 2]
    assert seen["byId"]["isClosed"]


@proves(CLIENT, "DurableStream.create starts a run, once", "DurableStream.head")
def test_a_stream_that_is_created_again_is_the_same(seen: Observed) -> None:
    again = seen["again"]

    assert (again["values"], again["other"], again["head"]) == ([1, 2, 2], 409, True)


@proves(CLIENT, "an error before the first chunk")
@pytest.mark.parametrize("way", WAYS)
def test_an_error_before_the_first_chunk_is_thrown(seen: Observed, way: str) -> None:
    early, hidden = seen["earlyError"][way], seen["hidden"][way]

    assert (early["values"], early["isClosed"]) == ([], False)
    assert (early["error"]["status"], early["error"]["code"]) == (402, "OUT_OF_CREDIT")
    assert (hidden["error"]["status"], hidden["error"]["code"]) == (422, "INTERNAL_ERROR")


@proves(CLIENT, "an error after the first chunk")
@pytest.mark.parametrize("way", WAYS)
def test_an_error_after_the_first_chunk_is_thrown_and_the_stream_is_not_closed(
    seen: Observed, way: str
) -> None:
    late = seen["lateError"][way]

    assert (late["values"], late["isClosed"]) == (["so far"], False)
    assert (late["error"]["status"], late["error"]["code"]) == (402, "OUT_OF_CREDIT")


@proves(CLIENT, "a cut connection is an error")
@pytest.mark.parametrize("way", WAYS)
def test_a_cut_stream_is_an_error_and_never_a_value(seen: Observed, way: str) -> None:
    cut = seen["cut"][way]

    assert (cut["values"], cut["error"] is None) == ([], False)


@proves(CLIENT, "continues after a cut at its offset, without a gap or a repeat")
@pytest.mark.parametrize("way", WAYS)
def test_a_stream_that_is_cut_is_whole(seen: Observed, way: str) -> None:
    resumed = seen["resumed"][way]

    assert (resumed["values"], resumed["isClosed"]) == (["before ", "after"], True)
    assert resumed["cuts"] == (way == "sse")  # polling continues by itself


@proves(CLIENT, "continues after cuts in the middle of events")
def test_a_stream_that_is_cut_again_and_again_is_whole(seen: Observed) -> None:
    resumed = seen["cutEverywhere"]

    assert resumed["values"] == [16.7, 33.3, 50, 66.7, 83.3, 100]
    assert resumed["isClosed"]


@proves(CLIENT, "DurableStream.delete stops the action")
def test_a_stream_that_is_deleted_stops_the_action(seen: Observed) -> None:
    deleted = seen["deleted"]

    assert (deleted["isStopped"], deleted["error"]["status"]) == (True, 404)


@proves(CLIENT, "keepalives change nothing")
@pytest.mark.parametrize("way", WAYS)
def test_keepalives_are_no_messages(seen: Observed, way: str) -> None:
    assert seen["idle"][way]["values"] == ["before ", "after"]


@proves(CLIENT, "a question that it cannot show")
@pytest.mark.parametrize("way", WAYS)
def test_a_question_does_not_hang_the_stream(seen: Observed, way: str) -> None:
    assert seen["question"][way]["error"]["code"] == "CANCELLED"
