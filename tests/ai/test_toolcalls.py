from yieldwire.ai.chunks import ToolCall, ToolError, ToolInput
from yieldwire.ai.toolcalls import ToolCalls, parsed_call


def test_the_pieces_of_an_input_become_one_call() -> None:
    calls = ToolCalls()

    begun = calls.start(0, "c1", "weather")
    pieces = [calls.add(0, piece) for piece in ('{"city":', "", '"Ely"}')]

    assert begun == ToolInput("c1", "weather", "")
    assert pieces == [
        ToolInput("c1", "weather", '{"city":'),
        None,
        ToolInput("c1", "weather", '"Ely"}'),
    ]
    assert calls.end(0) == ToolCall("c1", "weather", {"city": "Ely"})
    assert calls.end(0) is None


def test_pieces_of_nothing_that_was_started_are_ignored() -> None:
    calls = ToolCalls()

    assert calls.add(7, "{") is None
    assert calls.end_all() == []


def test_calls_end_in_the_order_of_their_starts() -> None:
    calls = ToolCalls()
    calls.start(1, "b", "two")
    calls.start(0, "a", "one")

    assert calls.end_all() == [ToolCall("b", "two", {}), ToolCall("a", "one", {})]


def test_an_input_that_is_not_json_is_an_error_of_the_call() -> None:
    assert parsed_call("c1", "weather", '{"city"') == ToolError(
        "c1", "The input of weather is not valid JSON."
    )
