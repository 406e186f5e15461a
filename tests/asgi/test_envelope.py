import io
from typing import Any

import pytest
from pydantic_core import to_json

from yieldwire.actions.upload import Upload
from yieldwire.asgi.envelope import unwrap
from yieldwire.asgi.forms import Pairs
from yieldwire.errors import ParseError


def file(content: bytes = b"x") -> Upload:
    return Upload(io.BytesIO(content), filename="sent.csv", content_type="text/csv")


def read(input: object, places: object, parts: Pairs, max_depth: int = 4) -> Any:  # noqa: ANN401 - JSON
    return unwrap(to_json({"input": input, "files": places}), parts, max_depth=max_depth)


def test_a_file_takes_its_place_under_the_name_that_is_there() -> None:
    data = read({"a/~": [0, "my name.csv"], "b": "/b"}, ["/a~1~0/1"], [("0", file())])

    placed = data["a/~"][1]
    assert (placed.filename, placed.content_type, placed.size) == ("my name.csv", "text/csv", 1)
    assert data["b"] == "/b"


def test_the_order_of_parts_means_nothing() -> None:
    data = read(["a", "b"], ["/1", "/0"], [("1", file(b"1")), ("0", file(b"22"))])

    assert [each.size for each in data] == [1, 2]


def test_an_input_without_files_can_come_like_this_too() -> None:
    assert read({"a": None}, [], []) == {"a": None}


def test_the_input_nests_as_deep_as_in_a_json_body() -> None:
    assert read([[["a"]]], ["/0/0/0"], [("0", file())], max_depth=3)[0][0][0].size == 1
    with pytest.raises(ParseError, match="deeper than 3 levels"):
        read([[[[]]]], [], [], max_depth=3)
    assert read(["a"], ["/0"], [("0", file())], max_depth=1)[0].size == 1


NO_PLACES = """
a /b /a/0 /list/00 /list/- /list/-1 /list/1 /list/0/0 /list/+0 /list/\u0660 /list/a
/none /number /list /~2 /a~ // / /a/ #/a
"""


def test_a_file_can_be_the_whole_value() -> None:
    assert read("scan.png", [""], [("0", file())]).filename == "scan.png"


@pytest.mark.parametrize("place", ["", " /a", *NO_PLACES.split()])
def test_a_place_where_the_input_has_no_name_is_refused(place: str) -> None:
    data = {"a": "a.csv", "list": ["b"], "none": None, "number": 1, "~2": "c", "a~": "d"}

    with pytest.raises(ParseError, match=r"file 0"):
        read(data, [place], [("0", file())])


def test_a_place_has_one_file() -> None:
    with pytest.raises(ParseError, match="no file name at the place of file 1"):
        read({"a": "x"}, ["/a", "/a"], [("0", file()), ("1", file())])


@pytest.mark.parametrize(
    ("places", "parts", "reason"),
    [
        (["/a"], [], "lists file 0"),
        (["/a", "/b"], [("0", file())], "lists file 1"),
        (["/a"], [("1", file())], "lists file 0"),
        (["/a"], [("00", file())], "lists file 0"),
        (["/a"], [("/a", file())], "lists file 0"),
        ([], [("0", file())], "has 1 files; its part ':input' lists 0"),
        (["/a"], [("0", file()), ("1", file())], "has 2 files"),
        (["/a"], [("0", file()), ("0", file())], "the same file"),
        (["/a"], [("0", "x")], "no other fields"),
        (["/a"], [("0", file()), ("b", "x")], "no other fields"),
    ],
)
def test_the_files_are_those_that_are_listed(places: object, parts: Pairs, reason: str) -> None:
    with pytest.raises(ParseError, match=reason):
        read({"a": "x", "b": "y"}, places, parts)


@pytest.mark.parametrize(
    "part",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"input":{}}',
        b'{"files":[]}',
        b'{"input":{},"files":{}}',
        b'{"input":{},"files":[1]}',
        b'{"input":{},"files":[],"x":1}',
        b'{"input":{"a":1,"a":2},"files":[]}',
        b'{"input":NaN,"files":[]}',
        b'{"input":"\\ud800","files":[]}',
        b'{"input":"\xff","files":[]}',
    ],
)
def test_a_part_that_is_not_such_json_is_refused(part: bytes) -> None:
    with pytest.raises(ParseError, match=r"part ':input'|not valid JSON"):
        unwrap(part, [], max_depth=4)
