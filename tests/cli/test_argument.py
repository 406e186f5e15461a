import re
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from yieldwire import Upload
from yieldwire.cli.argument import kind_of, read_arguments, read_value
from yieldwire.describe.schema import Schema
from yieldwire.errors import UsageError


class Place(BaseModel):
    x: int


class Everything(BaseModel):
    name: str
    n: int
    ratio: float
    yes: bool
    kind: Literal["a", "b"]
    size: Literal[1, 2]
    maybe: int | None
    note: str | None
    either: int | str
    place: Place
    tags: list[str]
    counts: list[int]
    some: list[str] | None
    file: Upload
    files: list[Upload]
    short: Annotated[str, Field(max_length=3)]
    anything: Any
    table: dict[str, int]


SCHEMA = Everything.model_json_schema()
FILE = {"type": "string", "format": "binary"}
OBJECT = {
    "type": "object",
    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
}


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name=7", "7"),
        ("name=true", "true"),
        ("name=a=b:c@d", "a=b:c@d"),
        ("name=", ""),
        ("n=7", 7),
        ("ratio=0.5", 0.5),
        ("yes=true", True),
        ("kind=a", "a"),
        ("size=1", 1),
        ("maybe=3", 3),
        ("maybe=null", None),
        ("note=7", "7"),
        ("either=7", "7"),
        ("either:=7", 7),
        ('place={"x":1}', {"x": 1}),
        ("tags=a", ["a"]),
        ('tags=["a","b"]', ["a", "b"]),
        ("counts=1", [1]),
        ("counts:=[1,2]", [1, 2]),
        ("some:=null", None),
        ("short=12", "12"),
        ("anything=7", 7),
        ("anything=word", "word"),
        ('table={"a":1}', {"a": 1}),
        ("unknown=7", 7),
        ('name:="@anna"', "@anna"),
    ],
)
def test_a_value_is_read_as_its_schema_says(argument: str, value: object) -> None:
    (found,) = read_arguments([argument], SCHEMA).values()

    assert found == value


def test_a_list_can_be_given_piece_by_piece() -> None:
    assert read_arguments(["tags=a", "tags=b", "n=1"], SCHEMA) == {"tags": ["a", "b"], "n": 1}


def test_a_file_is_given_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("1,2")

    assert read_arguments([f"file=@{path}"], SCHEMA) == {"file": path}
    assert read_arguments([f"files=@{path}", f"files=@{path}"], SCHEMA) == {"files": [path, path]}


def test_where_no_upload_is_taken_the_files_content_is(tmp_path: Path) -> None:
    (tmp_path / "name").write_text("Anna")
    (tmp_path / "place").write_text('{"x": 1}')

    values = read_arguments([f"name=@{tmp_path}/name", f"place=@{tmp_path}/place"], SCHEMA)

    assert values == {"name": "Anna", "place": {"x": 1}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["word"], "'word' is not an argument; write key=value"),
        (["=1"], "is not an argument"),
        (["n=x"], "n: 'x' cannot be read as integer"),
        (["n:={"], "cannot be read"),
        (["n=1", "n=2"], "n is given 2 times but takes one value"),
        (["file=a.csv"], "file is a file: write file=@a.csv"),
        (["file=@/nowhere/at/all"], "there is no file /nowhere/at/all"),
    ],
)
def test_what_cannot_be_read_says_what_to_write(arguments: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_arguments(arguments, SCHEMA)


@pytest.mark.parametrize(
    ("argument", "instead"),
    [
        ("tags=[a, b]", """write tags:='["a","b"]', or tags=... for each item."""),
        ("tags=['a','b']", """write tags:='["a","b"]', or tags=... for each item."""),
        ("counts=1,2", "write counts:='[1,2]', or counts=... for each item."),
        ("counts=[1,2,]", "write counts:='[1,2]', or counts=... for each item."),
        ("some=[it's]", r"""write some:='["it'\''s"]', or some=... for each item."""),
        ("anything=[a,b]", """write anything:='["a","b"]'. A text that begins"""),
        ("anything=[a,b]", """is written anything:='"[a,b]"'."""),
        ("unknown=[a]", """write unknown:='["a"]'."""),
        ("counts=x,1", "write counts:='[...]', or counts=... for each item."),
        ("place={x:1}", """Quote it for the shell: place:='{"name": 1}'."""),
        ("place=x:1", """Quote it for the shell: place:='{"name": 1}'."""),
        ("anything={x:1}", """Quote it for the shell: anything:='{"name": 1}'."""),
    ],
)
def test_a_value_that_looks_like_json_is_told_how_to_be_written(
    argument: str, instead: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(instead)):
        read_arguments([argument], SCHEMA)


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        (
            "tags=a,b",
            (
                """tags has one item, 'a,b'. For several, write tags:='["a","b"]', """
                "or tags=... for each item.\n"
            ),
        ),
        ("tags=Hello, world", ""),
        ("name=a,b", ""),
    ],
)
def test_an_item_that_looks_like_several_is_noted(
    argument: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    read_arguments([argument], SCHEMA)

    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        ("name", "string"),
        ("kind", "'a' | 'b'"),
        ("maybe", "integer"),
        ("either", "integer | string"),
        ("file", "file"),
        ("files", "list of file"),
        ("place", "object"),
        ("anything", "anything"),
    ],
)
def test_a_kind_is_told_in_a_few_words(field: str, kind: str) -> None:
    assert kind_of(SCHEMA["properties"][field], SCHEMA["$defs"]) == kind


@pytest.mark.parametrize("word", ["yes", "Y", "true"])
def test_yes_is_true(word: str) -> None:
    schema = {"properties": {"sure": {"type": "boolean"}}}

    assert read_arguments([f"sure={word}"], schema) == {"sure": True}


@pytest.mark.parametrize(
    ("words", "schema", "value"),
    [
        (["a=1", "b=x"], OBJECT, {"a": 1, "b": "x"}),
        (['{"a": 1}'], OBJECT, {"a": 1}),
        (["no"], {"type": "boolean"}, False),
        (["two words"], {"type": "string"}, "two words"),
        (["a=b"], {"type": "string"}, "a=b"),
        (["1", "2"], {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        (["[1, 2]"], {"type": "array", "items": {"type": "integer"}}, [1, 2]),
        (["5"], {}, 5),
        (["go left"], {}, "go left"),
        (["to=left", "by=2"], {}, {"to": "left", "by": 2}),
        (['{"to": "left"}'], {}, {"to": "left"}),
        (["a=1"], {"anyOf": [OBJECT, {"type": "null"}]}, {"a": 1}),
        (["null"], {"anyOf": [OBJECT, {"type": "null"}]}, None),
        ([f"@{__file__}"], FILE, Path(__file__)),
        ([f"@{__file__}"] * 2, {"type": "array", "items": FILE}, [Path(__file__)] * 2),
        ([f"a=@{__file__}"], {"properties": {"a": FILE}}, {"a": Path(__file__)}),
    ],
)
def test_a_value_is_its_fields_or_one_word(words: list[str], schema: Schema, value: object) -> None:
    assert read_value(words, schema) == value


@pytest.mark.parametrize(
    ("words", "schema", "told"),
    [
        (["yes"], OBJECT, "'yes' is not an argument; write key=value"),
        (["yes", "no"], {"type": "boolean"}, "value is given 2 times but takes one value"),
        (["maybe"], {"type": "boolean"}, "value: 'maybe' cannot be read as boolean"),
        (["a.jpg"], FILE, "The value is a file: write @a.jpg."),
        (["@/nowhere/a.jpg"], FILE, "value: there is no file /nowhere/a.jpg."),
    ],
)
def test_a_value_that_cannot_be_read_says_what_to_write(
    words: list[str], schema: Schema, told: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        read_value(words, schema)
