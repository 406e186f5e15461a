"""tRPC as published: `createTRPCClient` calls our actions, and subscribes to them."""

import pytest

from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

CLIENT = "@trpc/client"


@pytest.fixture(scope="module")
def seen(vendor_url: str) -> Observed:
    return drive("trpc", vendor_url)


@proves(CLIENT, "httpSubscriptionLink: tracked values, and complete")
def test_a_stream_is_a_subscription(seen: Observed) -> None:
    stream = seen["stream"]

    assert (stream["values"], stream["isDone"]) == ([1, 2, 3], True)
    assert [place.rpartition(".")[2] for place in stream["ids"]] == ["1", "2", "3"]


@proves(CLIENT, "httpLink: queries and mutations, also nested ones")
def test_calls_are_answered_with_the_result(seen: Observed) -> None:
    assert (seen["query"], seen["mutation"]) == (3, 3)
    assert seen["nested"] == {"users": ["x2"], "next": 3}


@proves(CLIENT, "httpBatchLink and httpBatchStreamLink, with an error among the answers")
@pytest.mark.parametrize("link", ["batch", "batchOfLines"])
def test_each_call_of_a_batch_has_its_own_answer(seen: Observed, link: str) -> None:
    added, failed, listed = seen[link]

    assert added == {"value": 3}
    assert failed["error"]["reason"] == "OUT_OF_CREDIT"
    assert listed["value"]["users"] == ["1"]


@proves(CLIENT, "httpBatchLink, with more calls than a batch can have")
def test_each_call_of_a_refused_batch_fails(seen: Observed) -> None:
    refused = seen["tooManyInABatch"]

    assert [each["error"]["code"] for each in refused] == ["PAYLOAD_TOO_LARGE"] * 51


@proves(CLIENT, "an error before the first value, with fieldErrors")
def test_an_error_before_the_first_value_ends_the_subscription(seen: Observed) -> None:
    refused = seen["refused"]["error"]

    assert refused["code"] == "UNPROCESSABLE_CONTENT"
    assert list(refused["shape"]["data"]["fieldErrors"]) == ["upto"]
    assert seen["earlyError"]["error"]["reason"] == "OUT_OF_CREDIT"
    assert seen["wholeError"]["error"]["reason"] == "OUT_OF_CREDIT"


@proves(CLIENT, "an unexpected error ends the subscription, and starts no other run")
def test_an_internal_error_is_not_one_to_connect_again_for(seen: Observed) -> None:
    hidden = seen["hidden"]

    assert hidden["error"]["code"] == "INTERNAL_SERVER_ERROR"
    assert hidden["connections"] == 1


@proves(CLIENT, "an error after the first value")
def test_an_error_after_the_first_value_ends_the_subscription(seen: Observed) -> None:
    late = seen["lateError"]

    assert (late["values"], late["isDone"]) == (["so far"], False)
    assert late["error"]["reason"] == "OUT_OF_CREDIT"


@proves(CLIENT, "httpSubscriptionLink: resumes after cuts without a gap or a repeat")
def test_a_subscription_that_is_cut_again_and_again_is_whole(seen: Observed) -> None:
    resumed = seen["resumed"]

    assert resumed["values"] == [16.7, 33.3, 50, 66.7, 83.3, 100]
    assert resumed["isDone"]
    assert resumed["connections"] > 1


@proves(CLIENT, "unsubscribe() stops the action, after its linger")
def test_a_client_that_unsubscribes_stops_the_action(seen: Observed) -> None:
    assert seen["stop"] is True


@proves(CLIENT, "keepalives change nothing")
def test_keepalives_are_no_values(seen: Observed) -> None:
    assert seen["idle"]["values"] == ["before ", "after"]


@proves(CLIENT, "a question that it cannot show")
def test_a_question_does_not_hang_the_subscription(seen: Observed) -> None:
    assert seen["question"]["error"]["reason"] == "CANCELLED"


@pytest.fixture(scope="module")
def over(vendor_url: str) -> Observed:
    return drive("trpcsocket", vendor_url)


@proves(CLIENT, "wsLink: subscriptions with tracked values, queries, mutations, many at a time")
def test_a_socket_carries_subscriptions_and_calls(over: Observed) -> None:
    stream, (added, failed, said) = over["stream"], over["many"]

    assert (stream["values"], stream["isDone"], stream["started"]) == ([1, 2, 3], True, 1)
    assert [place.rpartition(".")[2] for place in stream["ids"]] == ["1", "2", "3"]
    assert (over["query"], over["mutation"]) == (3, {"users": ["x2"], "next": 3})
    assert added == {"value": 3}
    assert failed["error"]["reason"] == "OUT_OF_CREDIT"
    assert (said["values"], said["isDone"]) == (["one"], True)


@proves(CLIENT, "wsLink: errors before and after the first value, a question")
def test_errors_over_a_socket_end_what_they_belong_to(over: Observed) -> None:
    refused, late = over["refused"], over["lateError"]

    assert refused["error"]["code"] == "UNPROCESSABLE_CONTENT"
    assert list(refused["error"]["shape"]["data"]["fieldErrors"]) == ["upto"]
    assert over["unknown"]["error"]["code"] == "NOT_FOUND"
    assert over["earlyError"]["error"]["reason"] == "OUT_OF_CREDIT"
    assert over["hidden"]["error"]["code"] == "INTERNAL_SERVER_ERROR"
    assert (late["values"], late["error"]["reason"]) == (["so far"], "OUT_OF_CREDIT")
    assert over["question"]["error"]["reason"] == "CANCELLED"


@proves(CLIENT, "wsLink: a cut socket is opened again, and its subscriptions continue")
def test_a_socket_that_is_cut_again_and_again_misses_nothing(over: Observed) -> None:
    resumed = over["resumed"]

    assert resumed["values"] == [12.5, 25, 37.5, 50, 62.5, 75, 87.5, 100]
    assert (resumed["isDone"], resumed["opened"]) == (True, 3)


@proves(CLIENT, "wsLink: unsubscribe() stops the action, after its linger; keep-alive by PING")
def test_a_socket_stops_a_subscription_and_is_kept_alive(over: Observed) -> None:
    assert over["stop"] is True
    assert (over["idle"]["values"], over["idle"]["opened"]) == (["before ", "after"], 1)
