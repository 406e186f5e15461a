"""The chunk types that the framework itself knows."""

import math
from typing import Any

import pytest
from pydantic import TypeAdapter

from yieldwire.errors import UsageError
from yieldwire.log.chunks import Append, Progress, Result, Text, Value, text_of


@pytest.mark.parametrize(
    ("chunk", "json"),
    [
        (Text("Hel"), b'{"type":"text","text":"Hel"}'),
        (Append("lo"), b'{"type":"append","text":"lo"}'),
        (
            Progress(1, total=3, message="a"),
            b'{"type":"progress","current":1,"total":3,"message":"a","percent":33.3}',
        ),
        (
            Progress(2.5),
            b'{"type":"progress","current":2.5,"total":null,"message":null,"percent":null}',
        ),
    ],
    ids=repr,
)
def test_a_chunk_has_its_form_on_the_wire(chunk: object, json: bytes) -> None:
    assert TypeAdapter(type(chunk)).dump_json(chunk) == json


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"current": "x"}, "current='x' is not a finite number"),
        ({"current": True}, "current=True is not a finite number"),
        ({"current": math.nan}, "current=nan is not a finite number"),
        ({"current": None}, "current=None is not a finite number"),
        ({"current": 1, "total": "3"}, "total='3' is not a finite number or None"),
        ({"current": 1, "total": math.inf}, "total=inf is not a finite number or None"),
        ({"current": 1, "message": 3}, "message=3 is not a string or None"),
    ],
    ids=str,
)
def test_progress_is_in_numbers(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=rf"^Progress: {message}\.$"):
        Progress(**given)


def test_a_streamable_value_is_sent_whole() -> None:
    assert TypeAdapter(Value[int]).dump_json(Value(3)) == b'{"type":"value","value":3}'


@pytest.mark.parametrize(
    ("progress", "percent"),
    [
        (Progress(0, total=4), 0.0),
        (Progress(1, total=3), 33.3),
        (Progress(4, total=4), 100.0),
        (Progress(9, total=4), 100.0),
        (Progress(-1, total=4), 0.0),
        (Progress(1, total=0), None),
        (Progress(1), None),
    ],
    ids=repr,
)
def test_percent_goes_from_0_to_100_and_is_none_where_the_total_is_unknown(
    progress: Progress, percent: float | None
) -> None:
    assert progress.percent == percent


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b'"plain"', "plain"),
        (b'""', ""),
        (b'{"type":"text","text":"a"}', "a"),
        (b'{"type":"append","text":"b"}', "b"),
        (b'{"type":"text"}', None),
        (b'{"type":"text","text":3}', None),
        (b'{"type":"progress","text":"c"}', None),
        (b'{"text":"d"}', None),
        (b'{"type":["text"],"text":"e"}', None),
        (b'{"type":{"text":1},"text":"e"}', None),
        (b'{"type":null,"text":"e"}', None),
        (b'["text"]', None),
        (b"3", None),
        (b"null", None),
    ],
)
def test_text_is_what_text_append_and_strings_carry(data: bytes, text: str | None) -> None:
    assert text_of(data) == text


def test_a_result_is_not_a_chunk_type_of_its_own() -> None:
    assert Result(3).value == 3
    assert Result(3) == Result(3)
