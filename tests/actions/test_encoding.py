"""How values become JSON: the quick encoder and Pydantic's give the same values."""

import enum
import json
from typing import Any, NotRequired

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter
from typing_extensions import TypedDict

from yieldwire.actions import encoding
from yieldwire.actions.encoding import Encoding, encoding_of

plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda member: st.lists(member, max_size=3) | st.dictionaries(st.text(), member, max_size=3),
)


class Row(TypedDict):
    name: NotRequired[str]


class Reply(BaseModel):
    text: str


class Colour(enum.StrEnum):
    RED = "red"


class Name(str):
    __slots__ = ()


def of(annotation: Any) -> Encoding:  # noqa: ANN401 - a type
    return encoding_of(annotation, TypeAdapter(annotation))


PLAIN = of(dict[str, str | int | float | bool | list[str] | None])


def full(value: object) -> bytes:
    """Return a value as Pydantic encodes it."""
    return PLAIN.full(value, by_alias=True, warnings=False)


def test_msgspec_is_installed_with_the_server() -> None:
    assert encoding.encode_plain is not None


@pytest.mark.parametrize(
    "annotation",
    [str, int, None, dict[str, str], dict[str, int | str], list[dict[str, bool | None]]],
)
def test_plain_json_is_encoded_quickly(annotation: object) -> None:
    assert of(annotation).quick is encoding.encode_plain


@pytest.mark.parametrize(
    "annotation",
    [Any, dict, list, dict[str, Any], dict[int, str], Row, Reply, Colour, bytes, str | bytes],
)
def test_every_other_type_is_left_to_pydantic(annotation: object) -> None:
    made = of(annotation)

    assert made.quick is None


def test_without_msgspec_pydantic_encodes_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "encode_plain", None)

    made = of(dict[str, str])

    assert made.quick is None
    assert made.encode({"a": "ä"}) == '{"a":"ä"}'.encode()


@given(plain)
def test_both_encoders_write_the_same_value_in_one_line(value: object) -> None:
    quick, whole = PLAIN.encode(value), full(value)

    assert json.loads(quick) == json.loads(whole) == value
    assert b"\n" not in quick
    assert b"\r" not in quick


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
def test_a_number_that_json_does_not_have_is_null(number: float) -> None:
    assert PLAIN.encode({"n": number}) == full({"n": number}) == b'{"n":null}'


@pytest.mark.parametrize(
    "value",
    [Name("a"), Colour.RED, Reply(text="a"), 2**80, ("a", 1), {"a": Reply(text="b")}],
    ids=["a subclass", "an enum", "a model", "a large number", "a tuple", "a model in a dict"],
)
def test_a_value_of_another_type_is_encoded_as_by_pydantic(value: object) -> None:
    assert PLAIN.encode(value) == full(value)


@pytest.mark.parametrize("value", [object(), "\ud800"], ids=["an object", "half a character"])
def test_what_is_not_json_is_refused_as_by_pydantic(value: object) -> None:
    with pytest.raises(Exception, match="serializ") as refused:
        full(value)

    with pytest.raises(type(refused.value)):
        PLAIN.encode(value)
