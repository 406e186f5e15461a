"""Examples are made of what an application declares, and of nothing else."""

import pytest

from yieldwire.codecs.sse import SSEParser
from yieldwire.describe.example import example_of, stream_example
from yieldwire.errors import Json

TEXT = {"type": "string"}
NAMED = {"type": "string", "examples": ["Ada", "Grace"]}
BOTH = {"left": {"$ref": "#/$defs/Any"}, "right": {"$ref": "#/$defs/Any"}}


def of(required: list[str], **properties: Json) -> Json:
    return {"type": "object", "properties": properties, "required": required}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({**NAMED, "default": "Alan"}, ["Ada"]),
        ({"type": "integer", "default": 5}, [5]),
        ({"const": "text"}, ["text"]),
        ({"enum": ["a", "b"]}, ["a"]),
        ({"type": "null"}, [None]),
        (TEXT, []),
        (of([]), [{}]),
        (of(["name"], name=NAMED, note=TEXT), [{"name": "Ada"}]),
        (of(["name"], name=TEXT, size={"default": 1}), []),
        (of([], name={"anyOf": [TEXT, {"type": "null"}], "default": None}), [{}]),
        (of(["name"], name={"anyOf": [TEXT, {"type": "null"}]}), [{"name": None}]),
        ({"anyOf": [TEXT, NAMED]}, ["Ada"]),
    ],
)
def test_an_example_is_what_the_schema_declares(schema: Json, expected: list[Json]) -> None:
    assert example_of(schema) == expected


def test_an_example_of_a_type_that_contains_itself_ends() -> None:
    folder = of(["name"], name=NAMED, inner={"$ref": "#/$defs/Folder"})

    (example,) = example_of({"$ref": "#/$defs/Folder", "$defs": {"Folder": folder}})

    assert example == {"name": "Ada"}


def test_types_that_contain_each_other_are_read_once_and_not_at_each_place() -> None:
    every = [f"Kind{number}" for number in range(30)]
    one_of_them = {"anyOf": [{"$ref": f"#/$defs/{name}"} for name in every]}
    kinds = {name: of(["left", "right", "text"], **BOTH, text=TEXT) for name in every}

    assert example_of({**one_of_them, "$defs": {**kinds, "Any": one_of_them}}) == []


@pytest.mark.parametrize(("result", "done"), [([3], '{"result":3}'), ([None], "{}"), ([], "{}")])
def test_the_example_of_a_stream_is_one(result: list[Json], done: str) -> None:
    messages = SSEParser().feed(stream_example("Hello", result).encode())

    assert [message.event for message in messages] == ["run", "message", "done"]
    assert [message.last_event_id.rpartition(".")[2] for message in messages] == ["0", "1", "2"]
    assert [message.data for message in messages[1:]] == ['"Hello"', done]
