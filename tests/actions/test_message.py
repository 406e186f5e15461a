"""The types of what a running action is told."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Len
from pydantic import BaseModel, Field, TypeAdapter
from typing_extensions import TypeAliasType, TypedDict

from yieldwire.actions.message import answer_types, message_type
from yieldwire.errors import InvalidAction, ValidationFailed


class Decision(BaseModel):
    approved: bool
    note: str = Field(default="", alias="theNote")


@dataclass
class Choice:
    number: int


class Options(TypedDict):
    fast: bool


class Color(StrEnum):
    RED = "red"


Either = TypeAliasType("Either", Decision | Choice)


def kind_of(annotation: object) -> Any:  # noqa: ANN401 - of any type
    return message_type("publish", "asks", "Answer", annotation)


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (Decision, "Decision"),
        (Choice, "Choice"),
        (Options, "Options"),
        (Color, "Color"),
        (Either, "Either"),
        (bool, "bool"),
        (str, "str"),
    ],
)
def test_a_type_is_called_as_in_python(kind: object, name: str) -> None:
    types = answer_types("publish", kind)

    assert list(types) == [name]
    assert types[name].annotation is kind


def test_types_without_a_name_are_numbered() -> None:
    types = answer_types("publish", (Decision | None, Decision, Literal["a", "b"], list[int]))

    assert list(types) == ["Answer", "Decision", "Answer2", "Answer3"]


def test_nothing_is_asked_unless_it_is_declared() -> None:
    assert answer_types("publish", ()) == {}


def test_two_types_of_one_name_are_refused() -> None:
    with pytest.raises(InvalidAction, match="publish: asks= has two types called Decision"):
        answer_types("publish", [Decision, Decision])


def test_the_schema_is_that_of_what_callers_send() -> None:
    schema = kind_of(Decision).json_schema

    assert list(schema["properties"]) == ["approved", "theNote"]
    assert schema["required"] == ["approved"]


def test_a_value_is_read_from_json_and_written_as_it_is_read() -> None:
    kind = kind_of(Decision)

    data = kind.dump({"approved": "true"})

    assert data == b'{"approved":true,"theNote":""}'
    assert kind.read({"approved": True, "theNote": ""}) == Decision(approved=True)
    assert kind.dump(Decision(approved=True)) == data


def test_a_value_is_one_line() -> None:
    assert kind_of(str).dump("a\u2028b\n") == b'"a\\u2028b\\n"'


@pytest.mark.parametrize(
    ("kind", "value", "at"),
    [
        (Decision, {"approved": "perhaps"}, "approved"),
        (Decision, None, "_root"),
        (bool, "perhaps", "_root"),
        (Annotated[str, Len(1, 3)], "", "_root"),
        (float, float("inf"), "_root"),
        (object, b"\xff", "_root"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_where_it_does_not(
    kind: object, value: object, at: str
) -> None:
    with pytest.raises(ValidationFailed, match="The input is not valid") as caught:
        kind_of(kind).dump(value)

    assert list(caught.value.field_errors or {}) == [at]


def test_what_is_written_can_always_be_read() -> None:
    nested: list[Any] = []
    for _ in range(195):
        nested = [nested]

    with pytest.raises(ValidationFailed, match="deep"):
        kind_of(object).dump(nested)


def test_a_type_that_needs_no_name_is_described_as_by_pydantic() -> None:
    assert kind_of(list[int]).json_schema == TypeAdapter(list[int]).json_schema()
