"""A run as agents are told it: bytes, event by event."""

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest
from pydantic_core import from_json, to_json

from yieldwire import Actions, Progress, Result, Text
from yieldwire.dialects.mcpstream import MCPEncoder, failed, is_answered, run_of, uri_of
from yieldwire.dialects.mcpwire import EventPlace
from yieldwire.dialects.translation import Translation
from yieldwire.errors import ErrorObject
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, EventType

RUN: Final = "rAAAAAAAAAAAAAAAAAAAA"
TASK: Final = {"io.modelcontextprotocol/related-task": {"taskId": RUN}}

actions = Actions()


@actions.action
async def talk() -> AsyncIterator[Text | dict[str, int]]:
    yield Text("never called")


@actions.action
async def work() -> AsyncIterator[Progress | Text | Result[dict[str, int]]]:
    yield Result({})


def encoder(name: str = "talk", **place: Any) -> MCPEncoder:  # noqa: ANN401 - a place's own
    told: dict[str, Any] = {"run_id": RUN, "id": 7, "token": "p", **place}
    is_stateless = told.pop("is_stateless", False)
    action = getattr(actions, name).action
    return MCPEncoder(action, EventPlace(**told), is_stateless=is_stateless)


def log(*events: tuple[EventType, Any]) -> list[Block]:
    return [
        Block.of_event(RUN, seq, kind, to_json(value))
        for seq, (kind, value) in enumerate(events, 1)
    ]


def chunk(value: object) -> tuple[EventType, object]:
    return EventType.CHUNK, value


def messages(encoder: MCPEncoder, *events: tuple[EventType, Any]) -> list[Any]:
    """Return what a client is told of a run with these events."""
    translation = Translation(encoder)
    body = translation.opening(Cursor(RUN, 0), b"")
    body += b"".join(map(translation.encode, log(*events)))
    lines = [line for line in body.split(b"\n") if line.startswith(b"data: {")]
    return [from_json(line.removeprefix(b"data: ")) for line in lines]


DONE: Final[tuple[EventType, Any]] = (EventType.DONE, {})


def test_the_first_event_has_no_data_and_says_when_to_come_back() -> None:
    place = EventPlace(run_id=RUN, id=7, token="p")

    (first,) = encoder().begin(RUN)

    assert first == (
        f"retry: 2000\nevent: message\nid: {RUN}.0~{place.context()}\ndata: \n\n".encode()
    )
    assert list(encoder(is_stateless=True).begin(RUN)) == []


def test_texts_are_joined_and_other_chunks_are_lines() -> None:
    events = [chunk({"type": "text", "text": "a"}), chunk({"n": 1}), chunk("b"), chunk({"n": 2})]

    *told, response = messages(encoder(), *events, DONE)

    assert [each["params"]["message"] for each in told] == ["a", "b"]
    assert [part["text"] for part in response["result"]["content"]] == ["ab", '{"n":1}\n{"n":2}']


def test_texts_of_an_action_with_progress_are_only_in_the_result() -> None:
    events = [chunk({"type": "text", "text": "a"}), chunk({"type": "progress", "current": 0})]

    told, response = messages(encoder("work"), *events, (EventType.DONE, {"result": {"n": 1}}))

    assert told["params"] == {"progressToken": "p", "progress": 0}
    assert [part["text"] for part in response["result"]["content"]] == ["a", '{"n":1}']
    assert response["result"]["structuredContent"] == {"n": 1}


def test_a_chunk_that_only_looks_like_progress_is_told_without_a_number() -> None:
    (response,) = messages(encoder(), chunk({"type": "progress", "current": "half"}), DONE)

    assert response["result"]["content"] == []


def test_output_that_no_longer_counts_is_not_in_the_result() -> None:
    restarted = (EventType.RESTARTED, {"keep": 1})

    *_, response = messages(encoder(), chunk("a"), chunk("b"), restarted, chunk("c"), DONE)

    assert response["result"]["content"][0]["text"] == "ac"


def test_output_that_is_too_long_is_cut_and_says_where_the_rest_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("yieldwire.dialects.mcpstream.MOST_BYTES", 5)

    *_, response = messages(encoder(), chunk("a"), chunk("bcdef"), DONE)

    first, more = response["result"]["content"]
    assert first["text"] == "a"
    assert more["text"] == f"The output is longer; the rest is in the resource {uri_of(RUN)}."
    assert run_of(uri_of(RUN)) == RUN
    assert run_of("file:///etc/passwd") is None


def test_an_error_says_what_is_wrong_with_each_field_and_nothing_for_developers_only() -> None:
    debug: Any = {"type": "E", "message": "secret", "traceback": "secret"}
    fields = {"a": ["Too short."], "b": ["Missing."]}
    error = ErrorObject(
        code="X", message="No.", field_errors=fields, error_id="e1", data={"left": 0}, debug=debug
    )

    told = failed(error)

    assert told["content"][0]["text"] == "No. (error id e1)\na: Too short.\nb: Missing."
    assert told["_meta"]["yieldwire/error"] == {
        "code": "X",
        "retryable": False,
        "data": {"left": 0},
    }
    assert b"secret" not in to_json(told)


QUESTION: Final[tuple[EventType, Any]] = (
    EventType.QUESTION,
    {"id": "q", "prompt": "Well?", "name": "bool", "schema": {"type": "boolean"}},
)


def test_a_question_is_a_request_whose_id_finds_it_again() -> None:
    (asked,) = messages(encoder(asks_people=True, is_task=True), QUESTION)

    assert (asked["id"], asked["method"]) == (f"{RUN}/q", "elicitation/create")
    assert asked["params"]["_meta"] == TASK


def test_a_question_ends_the_answer_to_a_client_of_2026() -> None:
    (asked,) = messages(encoder(asks_people=True, is_stateless=True), QUESTION, DONE)

    result = asked["result"]
    assert (asked["id"], result["resultType"]) == (7, "input_required")
    assert result["requestState"] == f"{RUN}.0"
    assert result["inputRequests"]["q"]["params"]["message"] == "Well?"


def nobody(question: str) -> None:
    """Find no open question."""


def test_a_question_that_has_its_answer_is_not_asked_again() -> None:
    known = encoder(asks_people=True)
    known.answered = is_answered((), 1, nobody)
    late = encoder(asks_people=True)
    late.answered = is_answered((), 0, nobody)

    assert messages(known, QUESTION) == []
    assert len(messages(late, QUESTION)) == 1


def test_the_result_of_a_task_says_which_task() -> None:
    (response,) = messages(encoder(is_task=True), DONE)

    assert response["result"]["_meta"] == {"yieldwire/run": RUN, **TASK}


def test_a_line_break_of_other_languages_is_escaped() -> None:
    (frame,) = encoder().chunk(next(iter(log(chunk("a\u2028b"))[0].events())))

    assert b"\\u2028" in frame
