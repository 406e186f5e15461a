"""TanStack Start as published: its server functions call our actions."""

import pytest

from tests.vendor.conformance import proves
from tests.vendor.driving import Observed, drive

START = "@tanstack/start-client-core"


@pytest.fixture(scope="module")
def seen(vendor_url: str) -> Observed:
    return drive("tanstack", vendor_url)


@proves(START, "async generators: chunks, then the result as the return value")
def test_a_generator_yields_the_chunks_and_returns_the_result(seen: Observed) -> None:
    streamed = seen["stream"]

    assert streamed["chunks"] == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert (streamed["isDone"], streamed["result"]) == (True, 3)
    assert seen["streamByGet"]["chunks"] == [{"n": 1}]


@proves(START, "values of every JSON type, and text with any character")
def test_values_arrive_as_they_were_sent(seen: Observed) -> None:
    (value,) = seen["values"]["chunks"]
    (text,) = seen["streamOfText"]["chunks"]

    assert value == {"a": [1, None, True, 1.5, {"b": {}}], "<k>": "v", "shared": 1}
    assert text["text"] == 'line\u2028\n<"\\$end ✓'


@proves(START, "inputs with dates, sets, maps and shared objects, as JSON")
def test_an_input_is_read_as_the_json_it_stands_for(seen: Observed) -> None:
    (value,) = seen["shared"]["chunks"]

    assert value == [{"x": 1}, {"x": 1}, "1970-01-01T00:00:00.000Z", None, [1], {"k": 2}]


@proves(START, "an error before the first chunk, with fieldErrors")
def test_an_error_before_the_first_chunk_is_thrown_by_the_call(seen: Observed) -> None:
    refused, early = seen["refused"]["error"], seen["earlyError"]["error"]

    assert list(refused["fieldErrors"]) == ["upto"]
    assert (early["isError"], early["code"]) == (True, "OUT_OF_CREDIT")
    assert early["message"] == "Your credit is used up."
    assert seen["unknown"]["error"]["code"] == "NOT_FOUND"


@proves(START, "an error after the first chunk")
def test_an_error_after_the_first_chunk_is_thrown_by_the_generator(seen: Observed) -> None:
    late = seen["lateError"]

    assert [chunk["text"] for chunk in late["chunks"]] == ["so far"]
    assert (late["error"]["code"], "isDone" in late) == ("OUT_OF_CREDIT", False)


@proves(START, "a cut connection is never an end")
def test_a_cut_generator_never_ends(seen: Observed) -> None:
    cut = seen["cut"]

    assert cut["chunk"]["text"] == "so far"
    assert (cut["logged"], cut["hasEnded"]) == ("terminated", False)


@proves(START, "an aborted signal stops the action")
def test_an_aborted_signal_stops_the_action(seen: Observed) -> None:
    assert seen["stop"] == {"result": True}


@proves(START, "functions with one answer, by POST, GET and FormData")
def test_a_function_returns_its_result_or_throws_its_error(seen: Observed) -> None:
    assert [seen[case] for case in ("call", "callByGet", "form")] == [{"result": 3}] * 3
    assert seen["callFails"]["error"]["code"] == "OUT_OF_CREDIT"


@proves(START, "a question that it cannot show")
def test_a_question_does_not_hang_the_generator(seen: Observed) -> None:
    assert seen["question"]["error"]["code"] == "CANCELLED"
