"""JSON as nodes of seroval, and back."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yieldwire.dialects.seroval import MAX_NODES, Writer, escape, read, unescape
from yieldwire.errors import Json, ParseError, PayloadTooLarge

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)


@settings(max_examples=30)
@given(value=values)
def test_what_is_written_is_read_again(value: Json) -> None:
    assert read({"t": Writer().write(value), "f": 127, "m": []}) == value


@given(text=st.text(alphabet='"\\\n\r\b\t\f<\u2028\u2029x3Cun'))
def test_escaped_text_is_what_it_was(text: str) -> None:
    assert unescape(escape(text)) == text
    assert "<" not in escape(text)


def test_every_object_has_a_number_of_its_own() -> None:
    node = Writer(8).write([{}, {"a": []}])

    assert [node["i"], node["a"][0]["i"], node["a"][1]["i"]] == [8, 9, 10]
    assert node["a"][1]["p"]["v"][0]["i"] == 11


def test_values_beyond_json_are_read_as_json() -> None:
    node = {
        "t": 10,
        "i": 0,
        "p": {
            "k": ["date", "set", "map", "big", "gone"],
            "v": [
                {"t": 5, "i": 1, "s": "1970-01-01T00:00:00.000Z"},
                {"t": 7, "i": 2, "a": [{"t": 0, "s": 1}]},
                {"t": 8, "i": 3, "e": {"k": [{"t": 1, "s": "k"}], "v": [{"t": 2, "s": 2}]}},
                {"t": 3, "s": "12345678901234567890"},
                {"t": 2, "s": 1},
            ],
        },
        "o": 0,
    }

    assert read({"t": node}) == {
        "date": "1970-01-01T00:00:00.000Z",
        "set": [1],
        "map": {"k": True},
        "big": 12345678901234567890,
    }


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"t": None},
        {"t": {"t": 99, "i": 0}},
        {"t": {"t": 6, "i": 0, "c": "a+", "m": ""}},
        {"t": {"t": 1, "s": 5}},
        {"t": {"t": 0, "s": True}},
        {"t": {"t": 0, "s": "1"}},
        {"t": {"t": 2, "s": 7}},
        {"t": {"t": 3, "s": "1e9"}},
        {"t": {"t": 4, "i": 0}},
        {"t": {"t": 9, "i": 0, "a": [{"t": 4, "i": 0}]}},
        {"t": {"t": 10, "i": 0, "p": {"k": ["a"], "v": []}}},
        {"t": {"t": [], "i": 0}},
    ],
)
def test_a_document_that_cannot_be_read_is_refused(document: Json) -> None:
    with pytest.raises(ParseError, match=r"seroval"):
        read(document)


def test_a_short_document_cannot_mean_a_huge_value() -> None:
    node: Json = {"t": 9, "i": 0, "a": []}
    for number in range(1, 30):
        node = {"t": 9, "i": number, "a": [node, {"t": 4, "i": number - 1}]}

    with pytest.raises(PayloadTooLarge, match=f"at most {MAX_NODES} values"):
        read({"t": node})
