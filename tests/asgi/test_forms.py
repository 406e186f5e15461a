import io
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, HttpUrl, TypeAdapter

from yieldwire.actions.jsonschema import WireSchema
from yieldwire.actions.upload import Upload
from yieldwire.asgi.forms import coerce


class Place(BaseModel):
    name: str
    children: list["Place"] = []


class Form(BaseModel):
    text: str
    number: int = 0
    share: float | None = None
    ticked: bool
    kind: Literal["a", "b"] = "a"
    tags: list[str] = []
    numbers: list[int] = []
    place: Place | None = None
    either: int | str = 0
    files: list[bytes] = []
    file: Upload | None = None
    day: date | None = None
    price: Decimal | None = None
    home: HttpUrl | None = None
    size: Literal["", "xl"] = ""

    model_config = {"arbitrary_types_allowed": True}


SCHEMA = Form.model_json_schema(schema_generator=WireSchema)


def read(*pairs: tuple[str, str | Upload]) -> Any:  # noqa: ANN401 - JSON
    return coerce(pairs, SCHEMA, max_depth=32)


def upload(content: bytes = b"x", filename: str = "a.txt") -> Upload:
    return Upload(io.BytesIO(content), filename=filename)


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        (("text", "hello"), "hello"),
        (("text", ""), ""),
        (("size", ""), ""),
        (("text", '{"a":1}'), '{"a":1}'),
        (("text", "null"), "null"),
        (("number", "5"), "5"),
        (("ticked", "on"), True),
        (("ticked", "false"), "false"),
        (("share", "null"), None),
        (("either", "[1]"), "[1]"),
        (("tags", "a"), ["a"]),
        (("tags", '["a", "b"]'), ["a", "b"]),
        (("numbers", "[1, 2]"), [1, 2]),
        (("numbers", "1"), ["1"]),
        (("place", '{"name":"x"}'), {"name": "x"}),
        (("place", "null"), None),
        (("place", "{no json"), "{no json"),
        (("unknown", "[1]"), "[1]"),
    ],
)
def test_a_field_is_text_unless_its_type_cannot_take_text(
    pair: tuple[str, str], value: object
) -> None:
    assert read(pair)[pair[0]] == value


@pytest.mark.parametrize("name", ["number", "share", "place", "kind", "day", "home", "price"])
def test_a_control_that_was_left_empty_counts_as_not_sent(name: str) -> None:
    assert name not in read((name, ""))


def test_a_box_that_is_not_ticked_is_false() -> None:
    assert read()["ticked"] is False


def test_a_repeated_field_is_a_list() -> None:
    assert read(("tags", "a"), ("tags", "b"))["tags"] == ["a", "b"]


def test_the_last_of_several_wins_where_there_can_be_one() -> None:
    assert read(("text", "a"), ("text", "b"))["text"] == "b"


def test_of_several_files_the_ones_that_are_not_used_are_closed() -> None:
    first, last = upload(), upload()

    data = read(("file", first), ("file", last))

    assert data["file"] is last
    assert first.file.closed
    assert not last.file.closed


def test_a_file_control_with_nothing_chosen_counts_as_not_sent() -> None:
    assert "file" not in read(("file", upload(b"", "")))


def test_a_file_that_is_empty_but_has_a_name_is_sent() -> None:
    assert "file" in read(("file", upload(b"", "empty.txt")))


def test_a_file_goes_into_a_list_as_it_is() -> None:
    file = upload()

    assert read(("files", file))["files"] == [file]


@pytest.mark.parametrize(
    "value",
    ["[" * 100 + "]" * 100, '{"name":"a","name":"b"}', '{"name":NaN}', '{"name":1e999}'],
)
def test_json_in_a_field_is_read_as_strictly_as_a_body(value: str) -> None:
    assert read(("place", value))["place"] == value  # as text, for validation to refuse


def test_the_schema_of_a_model_that_nests_in_itself_is_followed() -> None:
    data = coerce(
        [("name", "x"), ("children", '[{"name":"y"}]')], Place.model_json_schema(), max_depth=32
    )

    assert data == {"name": "x", "children": [{"name": "y"}]}


def test_a_list_that_must_be_there_and_was_left_empty_is_empty() -> None:
    class Wanted(BaseModel):
        numbers: list[int]

    assert coerce([("numbers", "")], Wanted.model_json_schema(), max_depth=32) == {"numbers": []}


@given(st.lists(st.tuples(st.sampled_from(sorted(Form.model_fields)), st.text(max_size=20))))
def test_any_fields_make_an_object_of_what_was_sent(pairs: list[tuple[str, str]]) -> None:
    assert set(coerce(pairs, SCHEMA, max_depth=32)) <= {*dict(pairs), "ticked"}


# A value that is not an object is the form's field `value`.


@pytest.mark.parametrize(
    ("kind", "pairs", "value"),
    [
        (bool, [("value", "true")], True),
        (bool, [], False),
        (int, [("value", "7")], 7),
        (str, [("value", "yes")], "yes"),
        (str | None, [("other", "yes")], None),
        (Literal["a", "b"], [("value", "b")], "b"),
        (list[str], [("value", "a"), ("value", "b")], ["a", "b"]),
    ],
)
def test_a_value_that_is_not_an_object_is_one_field(
    kind: Any,  # noqa: ANN401 - a type
    pairs: list[tuple[str, str]],
    value: object,
) -> None:
    adapter = TypeAdapter[Any](kind)

    sent = coerce(pairs, adapter.json_schema(), max_depth=32)

    assert adapter.validate_python(sent) == value
