"""What a person answers who declines."""

from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter

from yieldwire.dialects.declining import refusal_of


class Decision(BaseModel):
    """A decision about a call."""

    approved: bool
    reason: str | None = None


@pytest.mark.parametrize(
    ("kind", "answer"),
    [(bool, False), (Decision, {"approved": False}), (str, None), (list[bool], None)],
)
def test_who_declines_answers_no_where_that_is_an_answer(kind: Any, answer: object) -> None:  # noqa: ANN401 - a type
    schema = TypeAdapter[Any](kind).json_schema()

    assert refusal_of({"id": "1", "schema": schema}) == answer


def test_a_question_about_anything_has_no_such_answer() -> None:
    assert refusal_of({"id": "1"}) is None
