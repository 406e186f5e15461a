"""oRPC as published: `createORPCClient` over its `RPCLink` calls our actions."""

import pytest

from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

CLIENT = "@orpc/client"


@pytest.fixture(scope="module")
def seen(vendor_url: str) -> Observed:
    return drive("orpc", vendor_url)


@proves(CLIENT, "an event iterator, with what it returns")
def test_a_stream_is_an_event_iterator(seen: Observed) -> None:
    assert seen["stream"] == {"values": [1, 2, 3], "result": 3, "error": None, "isDone": True}
    assert seen["nothing"]["values"] == ["hello"]


@proves(CLIENT, "a value")
def test_a_single_answer_is_a_value(seen: Observed) -> None:
    assert seen["value"] == 3


@proves(CLIENT, "nested procedures")
def test_a_nested_procedure_is_an_action(seen: Observed) -> None:
    assert seen["nested"] == {"users": ["x2"], "next": 3}


@proves(CLIENT, "inputs with Map, Date and BigInt")
def test_inputs_can_have_the_clients_types(seen: Observed) -> None:
    assert seen["types"]["values"] == [{"at": "1970-01-01T00:00:00.000Z", "big": "7"}]


@proves(CLIENT, "a feed, by GET")
def test_a_feed_is_read_by_get(seen: Observed) -> None:
    assert seen["feed"]["values"] == [1, 2]


@proves(CLIENT, "an error before the first event, with issues")
def test_an_error_before_the_first_event_is_thrown(seen: Observed) -> None:
    refused, early = seen["refused"]["error"], seen["earlyError"]["error"]

    assert (refused["code"], refused["isDefined"]) == ("BAD_REQUEST", False)
    assert refused["data"]["issues"][0]["path"] == ["upto"]
    assert early == {
        "code": "OUT_OF_CREDIT",
        "status": 402,
        "data": {"left": 0},
        "isDefined": True,
    }
    assert seen["hidden"]["error"]["code"] == "INTERNAL_SERVER_ERROR"


@proves(CLIENT, "an error after the first event")
def test_an_error_after_the_first_event_is_thrown(seen: Observed) -> None:
    late = seen["lateError"]

    assert (late["values"], late["isDone"]) == (["so far"], False)
    assert late["error"]["code"] == "OUT_OF_CREDIT"


@proves(CLIENT, "ClientRetryPlugin: an error is never taken for the end")
def test_a_client_that_tries_again_gets_the_error_and_no_event_twice(seen: Observed) -> None:
    late = seen["lateErrorRetried"]

    assert (late["values"], late["isDone"]) == (["so far"], False)
    assert late["error"]["code"] == "OUT_OF_CREDIT"


@proves(CLIENT, "a cut connection is an error")
def test_a_cut_stream_is_an_error_and_never_done(seen: Observed) -> None:
    cut = seen["cut"]

    assert (cut["isDone"], cut["error"] is None) == (False, False)


@proves(CLIENT, "ClientRetryPlugin: resumes after cuts without a gap or a repeat")
def test_a_stream_that_is_cut_again_and_again_is_whole(seen: Observed) -> None:
    resumed = seen["resumed"]

    assert resumed["values"] == [16.7, 33.3, 50, 66.7, 83.3, 100]
    assert resumed["isDone"]


@proves(CLIENT, "iterator.return() and an aborted signal stop the action")
def test_a_client_that_leaves_stops_the_action(seen: Observed) -> None:
    assert seen["stop"] is True
    assert seen["abort"] is True


@proves(CLIENT, "keepalives change nothing")
def test_keepalives_are_no_events(seen: Observed) -> None:
    assert seen["idle"]["values"] == ["before ", "after"]


@proves(CLIENT, "a question that it cannot show")
def test_a_question_does_not_hang_the_iterator(seen: Observed) -> None:
    assert seen["question"]["error"]["code"] == "CANCELLED"


@pytest.fixture(scope="module")
def over(vendor_url: str) -> Observed:
    return drive("orpcsocket", vendor_url)


@proves(CLIENT, "WebSocket: event iterators and values, many at a time")
def test_a_socket_carries_iterators_and_values(over: Observed) -> None:
    assert over["stream"] == {"values": [1, 2, 3], "result": 3, "error": None, "isDone": True}
    assert (over["value"], over["nested"]) == (3, {"users": ["x2"], "next": 3})
    assert over["types"]["values"] == [{"at": "1970-01-01T00:00:00.000Z", "big": "7"}]
    assert over["nothing"]["values"] == ["hello"]
    first, said, second = over["many"]
    assert (first, said["values"], second) == (3, ["one"], 7)


@proves(CLIENT, "WebSocket: errors before and after the first value, a file, a question")
def test_errors_over_a_socket_are_thrown(over: Observed) -> None:
    late = over["lateError"]

    assert over["refused"]["error"]["code"] == "BAD_REQUEST"
    assert over["file"]["error"]["code"] == "UNSUPPORTED_MEDIA_TYPE"
    assert over["earlyError"]["error"]["code"] == "OUT_OF_CREDIT"
    assert over["hidden"]["error"]["code"] == "INTERNAL_SERVER_ERROR"
    assert (late["values"], late["error"]["code"]) == (["so far"], "OUT_OF_CREDIT")
    assert over["question"]["error"]["code"] == "CANCELLED"


@proves(CLIENT, "WebSocket: a cut socket; ClientRetryPlugin continues its iterators")
def test_a_cut_socket_is_no_end_of_an_iterator(over: Observed) -> None:
    cut, resumed = over["cut"], over["resumed"]

    assert (cut["values"], cut["isDone"], cut["error"] is None) == (["so far"], False, False)
    assert resumed["values"] == [12.5, 25, 37.5, 50, 62.5, 75, 87.5, 100]
    assert (resumed["isDone"], resumed["opened"]) == (True, 3)


@proves(CLIENT, "WebSocket: return() and an aborted signal stop the action")
def test_a_client_over_a_socket_stops_the_action(over: Observed) -> None:
    assert over["stop"] is True
    assert over["abort"] is True
