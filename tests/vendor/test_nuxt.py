"""nuxt-actions as published: its composables call our actions."""

import pytest

from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

NUXT = "nuxt-actions"
CREDIT = {"code": "OUT_OF_CREDIT", "message": "Your credit is used up.", "statusCode": 402}


@pytest.fixture(scope="module")
def seen(vendor_url: str) -> Observed:
    return drive("nuxt", vendor_url)


@proves(NUXT, "useStreamAction: chunks, data and done")
def test_chunks_come_one_by_one_and_the_stream_is_done(seen: Observed) -> None:
    assert seen["stream"] == {
        "chunks": [{"n": 1}, {"n": 2}, {"n": 3}],
        "data": {"n": 3},
        "done": 1,
        "errors": [],
        "status": "done",
        "error": None,
    }
    assert seen["streamByName"]["chunks"] == [{"n": 1}]


@proves(NUXT, "useStreamAction: text with any character")
def test_text_arrives_as_it_was_yielded(seen: Observed) -> None:
    assert seen["streamOfText"]["chunks"] == [{"type": "text", "text": "line\u2028\nend ✓"}]


@proves(NUXT, "useStreamAction: GET with a query")
def test_a_query_is_the_input_of_a_feed(seen: Observed) -> None:
    assert seen["streamOfQuery"]["chunks"] == [
        {"n": 1, "labels": ["a", "b"]},
        {"n": 2, "labels": ["a", "b"]},
    ]


@proves(NUXT, "useStreamAction: fieldErrors")
def test_an_invalid_input_names_its_fields(seen: Observed) -> None:
    error = seen["refusedStream"]["error"]

    assert (error["code"], error["statusCode"]) == ("VALIDATION_ERROR", 422)
    assert list(error["fieldErrors"]) == ["upto"]


@proves(NUXT, "useStreamAction: an error before the first chunk")
def test_an_error_before_the_first_chunk_is_shown(seen: Observed) -> None:
    early = seen["earlyError"]

    assert (early["status"], early["chunks"], early["errors"]) == ("error", [], ["OUT_OF_CREDIT"])
    assert early["error"].items() >= {**CREDIT, "data": {"left": 0}}.items()
    assert seen["unexpectedError"]["errors"] == ["INTERNAL_ERROR"]


@proves(NUXT, "useStreamAction: an error after the first chunk")
def test_an_error_after_the_first_chunk_keeps_the_chunks(seen: Observed) -> None:
    late = seen["lateError"]

    assert (late["status"], late["done"]) == ("error", 0)
    assert [chunk["text"] for chunk in late["chunks"]] == ["so far"]
    assert late["error"].items() >= CREDIT.items()


@proves(NUXT, "useStreamAction: a cut connection is an error")
def test_a_cut_stream_is_an_error_and_never_done(seen: Observed) -> None:
    cut = seen["cut"]

    assert (cut["status"], cut["done"], cut["errors"]) == ("error", 0, ["STREAM_ERROR"])


@proves(NUXT, "useStreamAction: stop")
def test_stop_stops_the_action(seen: Observed) -> None:
    assert seen["stop"] == {"status": "done", "stopped": True}


@proves(NUXT, "useStreamAction: another execute replaces the first")
def test_another_execute_replaces_the_first(seen: Observed) -> None:
    assert seen["again"] == {"status": "done", "chunks": [{"type": "text", "text": "so far"}]}


@proves(NUXT, "useStreamAction: timeout")
def test_a_timeout_is_an_error(seen: Observed) -> None:
    assert seen["timeout"]["errors"] == ["TIMEOUT_ERROR"]


@proves(NUXT, "useStreamAction: a question that it cannot show")
def test_a_question_does_not_hang_the_stream(seen: Observed) -> None:
    assert seen["question"]["errors"] == ["CANCELLED"]


@proves(NUXT, "useAction: POST, PUT, PATCH and DELETE with a body, GET with a query")
def test_an_action_answers_with_its_result(seen: Observed) -> None:
    assert seen["call"] == {"success": True, "data": 3}
    assert seen["callByMethods"] == [{"success": True, "data": 3}] * 3
    assert seen["callOfQuery"] == {"success": True, "data": {"users": ["2"], "next": 3}}


@proves(NUXT, "useAction: errors and fieldErrors")
def test_an_action_answers_with_its_error(seen: Observed) -> None:
    refused, failed = seen["callRefused"], seen["callFails"]

    assert list(refused["error"]["fieldErrors"]) == ["a"]
    assert failed["success"] is False
    assert failed["error"].items() >= CREDIT.items()


@proves(NUXT, "useAction: dedupe stops the action")
def test_a_call_that_another_one_replaces_stops_the_action(seen: Observed) -> None:
    assert seen["callReplaced"] == {"before": False, "after": True, "stopped": True}


@proves(NUXT, "useFormAction")
def test_a_form_shows_its_field_errors_and_then_its_result(seen: Observed) -> None:
    assert list(seen["form"]["refused"]) == ["a"]
    assert seen["form"]["data"] == 7


@proves(NUXT, "useOptimisticAction")
def test_an_optimistic_action_ends_with_the_result(seen: Observed) -> None:
    assert seen["optimistic"] == {"status": "success", "data": 3, "shown": [3]}


@proves(NUXT, "useInfiniteActionQuery")
def test_an_infinite_query_fetches_page_by_page(seen: Observed) -> None:
    assert seen["infinite"] == {"pages": [["x1"], ["x2"]], "hasMore": True}


@proves(NUXT, "useActionQuery and useActions")
def test_queries_and_many_actions_at_once_are_answered(seen: Observed) -> None:
    assert seen["query"] == {"data": {"users": ["2"], "next": 3}, "error": None}
    first, second = seen["many"]
    assert first == {"success": True, "data": 2}
    assert second["error"]["code"] == "OUT_OF_CREDIT"


@proves(NUXT, "useStreamActionQuery and prefetchAction")
def test_a_streamed_query_is_kept_and_a_call_is_prefetched(seen: Observed) -> None:
    chunks = [{"n": 1}, {"n": 2}]

    assert seen["streamQuery"]["status"] == "done"
    assert seen["streamQuery"]["cached"] == chunks
    assert seen["prefetched"] == {"users": ["3"], "next": None}


@proves(NUXT, "the token of csrfMiddleware")
def test_a_call_needs_the_token_where_the_mount_says_so(seen: Observed) -> None:
    assert seen["csrf"] == {"with": {"success": True, "data": 3}, "without": "CSRF_ERROR"}
