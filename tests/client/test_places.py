import io
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field, RootModel, computed_field
from pydantic.dataclasses import dataclass as pydantic_dataclass
from pydantic_core import to_json

from yieldwire.actions.upload import Upload
from yieldwire.client.places import has_files, is_file, without_files
from yieldwire.errors import UsageError

FILE = Path("a.csv")


class Model(BaseModel):
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="allow")

    file: object = Field(alias="theFile")
    n: int = Field(default=1, serialization_alias="N")
    hidden: object = Field(default=FILE, exclude=True)

    @computed_field
    def twice(self) -> int:
        return self.n * 2


@dataclass
class Plain:
    file: object
    n: int = 1


@pydantic_dataclass
class Declared:
    file: Path
    n: int = Field(default=1, alias="N")


def taken(value: object) -> tuple[object, dict[str, object]]:
    """Return the value with names in the place of files, and the files by their places."""
    files = dict[str, object]()

    def take(file: object, place: str) -> str:
        files[place] = file
        return f"file {len(files)}"

    named = without_files(value, take)
    return named, files


@pytest.mark.parametrize(
    ("value", "named", "place"),
    [
        ({"a": FILE}, {"a": "file 1"}, "/a"),
        ({"a/~": [0, (FILE,)]}, {"a/~": [0, ["file 1"]]}, "/a~1~0/1/0"),
        ({"": {7: FILE}}, {"": {"7": "file 1"}}, "//7"),
        (deque([1, FILE]), [1, "file 1"], "/1"),
        ({"a": {FILE}}, {"a": ["file 1"]}, "/a/0"),
        (
            Model(theFile=FILE),
            {"theFile": "file 1", "N": 1, "twice": 2},
            "/theFile",
        ),
        (
            {"m": Model.model_validate({"theFile": 1, "more": FILE})},
            {"m": {"theFile": 1, "N": 1, "twice": 2, "more": "file 1"}},
            "/m/more",
        ),
        (RootModel[list[Any]]([FILE]), ["file 1"], "/0"),
        (Plain(FILE), {"file": "file 1", "n": 1}, "/file"),
        ([Declared(FILE)], [{"file": "file 1", "N": 1}], "/0/file"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_file_is_found_in_any_container(value: object, named: object, place: str) -> None:
    assert has_files(value)
    assert taken(value) == (named, {place: FILE})


def test_what_has_no_files_stays_as_it_is() -> None:
    value = {"a": [1, {"b": Plain(None)}], "file": "a.csv"}

    named, files = taken([value, FILE])

    assert isinstance(named, list)
    assert named[0] is value
    assert list(files) == ["/1"]
    assert to_json(named[0]) == to_json(value)


@pytest.mark.parametrize("file", [FILE, io.BytesIO(), Upload(io.BytesIO())])
def test_a_path_an_open_file_and_an_upload_are_files(file: object) -> None:
    assert is_file(file)


def test_what_only_has_the_fields_of_an_upload_is_not_a_file() -> None:
    class Description(BaseModel):
        file: str = "a"
        filename: str = "b"
        content_type: str = "c"

    assert not has_files([Description()])


def test_a_file_open_in_text_mode_is_refused_at_any_depth() -> None:
    with pytest.raises(UsageError, match=r"open\(path, 'rb'\)"):
        has_files({"a": [io.StringIO()]})


def test_an_input_that_contains_itself_is_refused() -> None:
    loop: list[object] = [FILE]
    loop.append(loop)

    with pytest.raises(UsageError, match="contains itself"):
        taken(loop)
