"""Which questions of a run are open, as its log says."""

from typing import Any

import pytest
from pydantic_core import to_json

from yieldwire.log.events import Event, EventType
from yieldwire.log.question import Questions


def question(seq: int, question_id: str, prompt: str = "Continue?") -> Event:
    data = {"id": question_id, "prompt": prompt, "name": "bool", "schema": {"type": "boolean"}}
    return Event(seq, EventType.QUESTION, to_json(data))


def event(seq: int, kind: EventType, **data: Any) -> Event:  # noqa: ANN401 - any JSON
    return Event(seq, kind, to_json(data))


def open_after(*events: Event) -> Questions:
    questions = Questions()
    for each in events:
        questions.take(each)
    return questions


def ids(questions: Questions) -> list[str]:
    return [each["id"] for each in questions.listed()]


def test_questions_are_open_in_the_order_of_asking() -> None:
    questions = open_after(question(1, "2"), question(2, "1"), event(3, EventType.CHUNK))

    assert (ids(questions), len(questions)) == (["2", "1"], 2)
    assert questions.find("1") == {
        "id": "1",
        "prompt": "Continue?",
        "name": "bool",
        "schema": {"type": "boolean"},
    }
    assert questions.find("3") is None


@pytest.mark.parametrize("answer", [{"value": True, "by": None}, {"timedOut": True}])
def test_an_answer_closes_its_question_and_no_other(answer: dict[str, Any]) -> None:
    questions = open_after(
        question(1, "1"),
        question(2, "2"),
        event(3, EventType.ANSWER, id="1", **answer),
        event(4, EventType.ANSWER, id="unknown", **answer),
    )

    assert ids(questions) == ["2"]


@pytest.mark.parametrize("kind", [EventType.DONE, EventType.ERROR, EventType.CANCELLED])
def test_the_end_of_the_run_closes_every_question(kind: EventType) -> None:
    assert ids(open_after(question(1, "1"), question(2, "2"), event(3, kind))) == []


def test_a_question_stays_open_between_two_attempts() -> None:
    restarted = event(2, EventType.RESTARTED, attempt=2, keep=0)

    assert ids(open_after(question(1, "1"), restarted)) == ["1"]


def test_a_question_that_is_asked_again_replaces_the_one_before_in_its_place() -> None:
    questions = open_after(question(1, "1"), question(2, "2"), question(3, "1", "Really?"))

    assert [each["prompt"] for each in questions.listed()] == ["Really?", "Continue?"]


def test_the_size_falls_when_a_question_is_closed() -> None:
    asked = question(1, "1")

    ended = open_after(asked, event(2, EventType.DONE))

    assert open_after(asked).size == ended.size + len(asked.data)


def test_the_name_of_a_question_is_known_after_its_answer() -> None:
    questions = open_after(question(1, "1"), event(2, EventType.ANSWER, id="1"))

    assert (questions.name_of("1"), questions.name_of("2")) == ("bool", None)
