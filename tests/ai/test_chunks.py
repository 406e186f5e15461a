from dataclasses import is_dataclass
from typing import Any, get_args

import pytest
from pydantic import TypeAdapter

from yieldwire.ai import Chunk, Data, Finish, ModelFile, Reasoning, ToolCall, Usage
from yieldwire.ai.chunks import is_quiet
from yieldwire.log.chunks import Text

KINDS: tuple[type[Any], ...] = get_args(get_args(Chunk)[0])


def test_every_chunk_has_a_type_of_its_own_as_its_first_member() -> None:
    schema = TypeAdapter[Any](Chunk).json_schema(mode="serialization")

    names = list(schema["discriminator"]["mapping"])

    assert len(set(names)) == len(KINDS)
    assert all(is_dataclass(kind) for kind in KINDS)
    assert [next(iter(each["properties"])) for each in schema["$defs"].values()] == ["type"] * len(
        KINDS
    )


@pytest.mark.parametrize(
    ("chunk", "written"),
    [
        (Text("a"), {"type": "text", "text": "a"}),
        (Reasoning("b"), {"type": "reasoning", "text": "b"}),
        (ToolCall("1", "w", {"x": 1}), {"type": "tool-call", "id": "1", "name": "w"}),
        (Data("plot", [1]), {"type": "data", "name": "plot", "data": [1], "transient": False}),
        (Finish("stop"), {"type": "finish", "reason": "stop"}),
    ],
)
def test_a_chunk_is_written_with_its_type_and_read_back(
    chunk: object, written: dict[str, object]
) -> None:
    adapter = TypeAdapter[Any](Chunk)

    data = adapter.dump_python(chunk, mode="json")

    assert data | written == data
    assert adapter.dump_python(adapter.validate_python(chunk)) == data


def test_usages_add_up() -> None:
    total = Usage(10, 2, 4, 1) + Usage(12, 3)

    assert total == Usage(22, 5, 4, 1)


def test_the_content_of_a_file_can_be_in_its_url() -> None:
    file = ModelFile.of(b"hello", "text/plain")

    assert (file.url, file.media_type) == ("data:text/plain;base64,aGVsbG8=", "text/plain")


@pytest.mark.parametrize(
    ("chunk", "expected"),
    [
        ({"type": "usage", "input_tokens": 1}, True),
        ({"type": "step-start"}, True),
        ({"type": "usage", "cpu": 1}, False),  # an action's own
        ({"type": "tool-call", "id": "c"}, False),
        ({"type": ["usage"]}, False),
        ("usage", False),
    ],
)
def test_only_pieces_and_facts_about_the_answer_are_quiet(chunk: object, *, expected: bool) -> None:
    assert is_quiet(chunk) is expected
