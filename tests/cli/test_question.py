from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from yieldwire import Upload
from yieldwire.cli.question import command_for, described, described_answer, parts_of


class Color(StrEnum):
    RED = "red"


class Decision(BaseModel):
    approved: bool
    note: str = ""


class Evidence(BaseModel):
    photo: Upload


def question(
    kind: Any = Decision,  # noqa: ANN401 - a type form
    **more: object,
) -> dict[str, Any]:
    schema = TypeAdapter[Any](kind).json_schema()
    return {"id": "1", "prompt": "Publish this?", "name": "Decision", "schema": schema, **more}


def test_a_question_is_shown_with_its_detail_and_its_time() -> None:
    asked = question(detail={"words": 3}, expiresAt="2030-01-02T03:04:05.678+01:00")

    assert list(described(asked)) == [
        "Question 1: Publish this?",
        "  {",
        '    "words": 3',
        "  }",
        "  Answer it before 2030-01-02 02:04:05 UTC.",
    ]


def test_a_detail_that_is_text_is_shown_as_text() -> None:
    assert list(described(question(detail="one\ntwo")))[1:] == ["  one", "  two"]


def test_a_time_of_another_version_is_shown_as_it_is() -> None:
    assert list(described(question(expiresAt="soon")))[1:] == ["  Answer it before soon."]


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ({"value": True, "by": "ada"}, "was answered by ada: true"),
        ({"value": {"a": "b"}, "by": None}, 'was answered: {"a":"b"}'),
        ({"value": "x" * 999}, 'was answered: "' + "x" * 199 + "…"),
        (
            {"value": 1, "by": None, "timedOut": True},
            "was not answered in time, which takes the default: 1",
        ),
        ({"timedOut": True}, "was not answered in time, which has no answer."),
    ],
)
def test_an_answer_says_who_gave_it(answer: dict[str, Any], told: str) -> None:
    assert described_answer({"id": "2", **answer}) == f"Question 2 {told}"


@pytest.mark.parametrize(
    ("kind", "words", "parts"),
    [
        (Decision, "approved=yes", 'approved: boolean, note: string = ""'),
        (bool, "yes", "value: boolean"),
        (int, "1", "value: integer"),
        (Color, "red", "value: 'red'"),
        (str, "...", "value: string"),
        (Any, "...", "anything"),
        (Upload, "@path", "value: file"),
        (Evidence, "photo=@path", "photo: file"),
    ],
)
def test_a_question_comes_with_the_command_that_answers_it(
    kind: object, words: str, parts: str
) -> None:
    asked = question(kind)

    assert (
        command_for(asked, "http://h/a?b", "r1") == f"yieldwire answer 'http://h/a?b' r1 1 {words}"
    )
    assert parts_of(asked["schema"]) == parts
