"""What a signature says: the shape, the input, the chunks and the result."""

import math
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Generator,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Annotated, Any, Literal, NamedTuple

import pytest
from annotated_types import Len
from pydantic import MISSING, BaseModel, Field, computed_field
from pydantic import ValidationError as PydanticError
from pydantic_core import from_json
from typing_extensions import TypedDict

from yieldwire.actions.context import Context
from yieldwire.actions.marker import Body
from yieldwire.actions.schema import Output, Signature, inspect_action
from yieldwire.actions.shape import Shape
from yieldwire.actions.stream import Stream, StreamableValue
from yieldwire.actions.upload import Upload
from yieldwire.errors import InvalidAction, ValidationFailed
from yieldwire.log.chunks import Append, Progress, Result, Text, Value


class Chat(BaseModel):
    messages: list[str]
    model: str = "small"


class Row(TypedDict):
    name: str
    age: int | None


@dataclass(frozen=True)
class Point:
    x: float
    y: float


class Colour(StrEnum):
    RED = "red"


# The shapes.


async def async_generator() -> AsyncIterator[Text]:
    yield Text("a")


def generator() -> Iterator[Text]:
    yield Text("a")


async def stream_function(stream: Stream[Text]) -> int:
    return 1


async def value_function(value: StreamableValue[str]) -> None: ...


async def async_function() -> int:
    return 1


def function() -> int:
    return 1


@pytest.mark.parametrize(
    ("written", "shape", "blocking", "streams"),
    [
        (async_generator, Shape.ASYNC_GENERATOR, False, True),
        (generator, Shape.GENERATOR, True, True),
        (stream_function, Shape.STREAM, False, True),
        (value_function, Shape.VALUE, False, True),
        (async_function, Shape.ASYNC_FUNCTION, False, False),
        (function, Shape.FUNCTION, True, False),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_the_shape_is_how_the_function_is_written(
    written: Callable[..., object],
    shape: Shape,
    blocking: bool,  # noqa: FBT001 - a row of the table
    streams: bool,  # noqa: FBT001 - the same
) -> None:
    signature = inspect_action(written)

    assert signature.shape is shape
    assert (shape.is_blocking, shape.streams) == (blocking, streams)
    assert (signature.chunk is not None) is streams


# Chunks and results.


async def yields_a_result() -> AsyncIterator[Text | Progress | Result[Row]]:
    yield Text("a")


async def yields_only_a_result() -> AsyncIterator[Result[int]]:
    yield Result(1)


async def yields_a_bare_result() -> AsyncGenerator[Text | Result]:  # type: ignore[type-arg]
    yield Text("a")


async def yields_what_it_likes():  # type: ignore[no-untyped-def] # noqa: ANN201 - the point
    yield 1


async def yields_anything() -> AsyncIterator[Any]:
    yield 1


def returns_a_result() -> Generator[Progress, None, int]:
    yield Progress(1)
    return 3


def yields_a_result_and_returns_nothing() -> Generator[Text | Result[int], None, None]:
    yield Result(1)


async def returns_nothing() -> None: ...


async def optional_chunks() -> AsyncIterator[int | None]:
    yield None


@pytest.mark.parametrize(
    ("written", "chunk", "result"),
    [
        (async_generator, Text, None),
        (generator, Text, None),
        (yields_a_result, Text | Progress, Row),
        (yields_only_a_result, None, int),
        (yields_a_bare_result, Text, Any),
        (yields_what_it_likes, Any, Any),
        (yields_anything, Any, Any),
        (returns_a_result, Progress, int),
        (yields_a_result_and_returns_nothing, Text, int),
        (optional_chunks, int | None, None),
        (stream_function, Text, int),
        (value_function, Value[str] | Append, str),
        (async_function, None, int),
        (function, None, int),
        (returns_nothing, None, None),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_chunks_and_result_are_read_from_the_annotations(
    written: Callable[..., object], chunk: object, result: object
) -> None:
    signature = inspect_action(written)

    assert (signature.chunk.annotation if signature.chunk is not None else None) == chunk
    assert signature.result.annotation == result


@pytest.mark.parametrize(
    ("annotation", "value", "data"),
    [
        (Any, {"a": [1, None]}, b'{"a":[1,null]}'),
        (Any, math.nan, b"null"),
        (Any, [math.inf, -math.inf], b"[null,null]"),
        (Any, Point(1.0, 2.0), b'{"x":1.0,"y":2.0}'),
        (Any, Chat(messages=[]), b'{"messages":[],"model":"small"}'),
        (float, math.nan, b"null"),
        (list[float], [math.inf], b"[null]"),
        (Point, Point(1.0, math.nan), b'{"x":1.0,"y":null}'),
        (Row, Row(name="a", age=None), b'{"name":"a","age":null}'),
        (Text | Progress, Text("é\u2028"), '{"type":"text","text":"é\u2028"}'.encode()),
        (int | None, None, b"null"),
        (Literal["a"] | Colour, Colour.RED, b'"red"'),
        (Value[Row] | Append, Append("x"), b'{"type":"append","text":"x"}'),
        (dict[str, Any], {"n": math.nan}, b'{"n":null}'),
        (None, None, b"null"),
    ],
    ids=repr,
)
def test_a_value_has_one_json_form(annotation: object, value: object, data: bytes) -> None:
    output = Output(annotation)

    assert output.encode(value) == data
    assert output.encode_checked(value) == data
    assert b"\n" not in data


def test_line_breaks_in_a_value_are_escaped() -> None:
    for annotation in (str, Any):
        assert Output(annotation).encode("a\r\nb") == b'"a\\r\\nb"'


def test_an_alias_is_the_name_on_the_wire() -> None:
    class Reply(BaseModel):
        input_tokens: int = Field(serialization_alias="inputTokens")

    for annotation in (Reply, Any):
        assert Output(annotation).encode(Reply(input_tokens=1)) == b'{"inputTokens":1}'
    assert list(Output(Reply).json_schema["properties"]) == ["inputTokens"]


def test_a_value_of_another_type_is_refused_where_values_are_checked() -> None:
    output = Output(Text)

    with pytest.raises(PydanticError, match="validation error"):
        output.encode_checked({"type": "progress"})
    assert output.encode("not a Text") == b'"not a Text"'


def test_a_result_is_read_back_in_its_type() -> None:
    assert Output(Point).read({"x": 1, "y": 2}) == Point(1.0, 2.0)
    assert Output(Any).read({"x": 1}) == {"x": 1}


def test_the_schema_is_that_of_the_wire() -> None:
    assert Output(int).json_schema == {"type": "integer"}
    assert Output(Any).json_schema == {}
    progress = Output(Progress).json_schema["properties"]
    assert "percent" in progress


class Sparse(BaseModel):
    """A model whose fields are sent always, sometimes and never."""

    always: int = 1
    nullable: str | None = None
    sometimes: int | None = Field(default=None, exclude_if=lambda value: value is None)
    missing: int | MISSING = MISSING
    never: int = Field(default=1, exclude=True)

    @computed_field
    def made(self) -> int:
        return self.always + 1


class Partial(TypedDict, total=False):
    x: int


class Pair(NamedTuple):
    first: int
    second: str = "b"


@pytest.mark.parametrize(
    "value", [Progress(1), Text("a"), Value(1), Append("a"), Sparse(), Partial()], ids=repr
)
def test_what_is_always_sent_is_required_with_a_default_too(value: object) -> None:
    output = Output(type(value))

    sent = from_json(output.encode(value))

    assert list(sent) == output.json_schema.get("required", [])


def test_what_can_be_left_out_is_described_anyway() -> None:
    schema = Output(Sparse).json_schema

    assert set(schema["properties"]) - set(schema["required"]) == {"sometimes", "missing"}


def test_bytes_are_a_string_and_no_file() -> None:
    async def keep(data: bytes) -> bytes:
        return data

    signature = inspect_action(keep)

    assert signature.input_schema()["properties"]["data"] == {"title": "Data", "type": "string"}
    assert signature.result.json_schema == {"type": "string"}


def test_a_tuple_with_defaults_can_be_given_in_part() -> None:
    async def take(pair: Pair) -> None: ...

    pair = inspect_action(take).input_schema()["$defs"]["Pair"]

    assert (pair["minItems"], pair["maxItems"]) == (1, 2)


def test_a_tuple_with_defaults_is_sent_whole() -> None:
    output = Output(Pair)

    sent = from_json(output.encode(Pair(1)))

    assert len(sent) == output.json_schema["minItems"] == output.json_schema["maxItems"]


# The input.


async def every_kind(
    page: Annotated[str, Len(1, 5)],
    ctx: Context,
    kind: Literal["a", "b"] = "a",
    *,
    count: int = 3,
    rows: list[Row] | None = None,
    file: Upload | None = None,
) -> None: ...


def fields_of(refused: pytest.ExceptionInfo[ValidationFailed]) -> Mapping[str, Sequence[str]]:
    return refused.value.error_object().field_errors or {}


def signature_of(function: Callable[..., object]) -> Signature:
    return inspect_action(function)


def test_parameters_are_the_inputs_fields_and_injected_ones_are_not() -> None:
    signature = signature_of(every_kind)

    schema = signature.input_schema()

    assert list(schema["properties"]) == ["page", "kind", "count", "rows", "file"]
    assert schema["required"] == ["page"]
    assert schema["additionalProperties"] is False
    assert signature.injected == {"ctx": Context}


def test_arguments_are_validated_and_defaults_filled_in() -> None:
    signature = signature_of(every_kind)
    arguments = signature.arguments(signature.validate({"page": "x", "count": "4"}))

    assert arguments == {"page": "x", "kind": "a", "count": 4, "rows": None, "file": None}


@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({}, {"page"}),
        ({"page": ""}, {"page"}),
        ({"page": "x", "kind": "c"}, {"kind"}),
        ({"page": "x", "count": "many"}, {"count"}),
        ({"page": "x", "rows": [{"name": "a"}]}, {"rows.0.age"}),
        ({"page": "x", "file": "text"}, {"file"}),
        ({"page": "x", "other": 1}, {"other"}),
        ({"page": "x", "ctx": {}}, {"ctx"}),
        ({"page": 1, "kind": 2}, {"page", "kind"}),
        ([], {"_root"}),
        (None, {"_root"}),
        ("page", {"_root"}),
        (3, {"_root"}),
    ],
    ids=lambda value: repr(sorted(value) if isinstance(value, set) else value),
)
def test_what_does_not_fit_is_told_by_field(data: object, fields: set[str]) -> None:
    with pytest.raises(ValidationFailed, match="not valid") as caught:
        signature_of(every_kind).validate(data)

    assert set(fields_of(caught)) == fields
    assert all(all(told) for told in fields_of(caught).values())


def awkward(  # noqa: PLR0913, PLR0917 - names that a model has itself
    json: int,
    copy: int,
    schema: int,
    self: int,
    model_config: int,
    arg_json: int,
    cls: int,
    _private: int = 0,
) -> Iterator[int]:
    yield json


def test_a_parameter_may_have_any_name() -> None:
    signature = signature_of(awkward)
    data = {
        "json": 1,
        "copy": 2,
        "schema": 3,
        "self": 4,
        "model_config": 5,
        "arg_json": 6,
        "cls": 7,
        "_private": 8,
    }

    model = signature.validate(data)

    assert signature.arguments(model) == data
    assert list(signature.input_schema()["properties"]) == list(data)
    assert from_json(signature.dump(model)) == data


def prefixed(arg_json: int, json: int) -> Iterator[int]:
    yield json


def test_parameters_are_dumped_under_their_own_names() -> None:
    model = signature_of(prefixed).validate({"arg_json": 1, "json": 2})

    assert from_json(signature_of(prefixed).dump(model)) == {"arg_json": 1, "json": 2}


class Nested(BaseModel):
    arg_name: int


async def nested(arg_x: Nested) -> None: ...


def test_a_fields_path_is_as_the_caller_wrote_it() -> None:
    with pytest.raises(ValidationFailed, match="not valid") as caught:
        signature_of(nested).validate({"arg_x": {"arg_name": "?"}})

    assert set(fields_of(caught)) == {"arg_x.arg_name"}


@pytest.mark.parametrize(
    ("written", "data"),
    [
        (every_kind, {"page": "x", "rows": [{"name": "a", "age": 3}]}),
        (
            awkward,
            dict.fromkeys(["json", "copy", "schema", "self", "model_config", "arg_json", "cls"], 1),
        ),
    ],
)
def test_a_dumped_input_means_the_same_when_it_is_read_again(
    written: Callable[..., object], data: dict[str, object]
) -> None:
    signature = signature_of(written)
    model = signature.validate(data)

    again = signature.validate(from_json(signature.dump(model)))

    assert again == model


def test_equal_inputs_are_dumped_alike() -> None:
    signature = signature_of(every_kind)

    one = signature.dump(signature.validate({"page": "x", "kind": "a", "count": 3}))
    other = signature.dump(signature.validate({"count": "3", "page": "x"}))

    assert one == other


async def reads_a_file(file: Upload) -> None: ...


def test_a_file_is_dumped_by_its_name_size_and_hash() -> None:
    signature = signature_of(reads_a_file)
    arguments = signature.validate({"file": Upload(BytesIO(b"abc"), filename="a.csv")})

    dumped = from_json(signature.dump(arguments))["file"]

    assert (dumped["filename"], dumped["size"]) == ("a.csv", 3)
    assert dumped["sha256"].startswith("ba7816bf")
    assert signature.input_schema()["properties"]["file"] == {
        "format": "binary",
        "title": "File",
        "type": "string",
    }


# The whole body.


async def chat(body: Annotated[Chat, Body()], ctx: Context) -> None: ...


async def chat_by_class(body: Annotated[Chat, Body]) -> None: ...


@pytest.mark.parametrize("written", [chat, chat_by_class])
def test_a_model_can_take_the_whole_input(written: Callable[..., object]) -> None:
    signature = signature_of(written)

    model = signature.validate({"messages": ["hi"]})

    assert signature.arguments(model) == {"body": Chat(messages=["hi"])}
    assert from_json(signature.dump(model)) == {"messages": ["hi"], "model": "small"}
    assert list(signature.input_schema()["properties"]) == ["messages", "model"]


def test_errors_in_the_whole_input_name_the_models_fields() -> None:
    with pytest.raises(ValidationFailed, match="not valid") as caught:
        signature_of(chat).validate({"messages": [1]})

    assert set(fields_of(caught)) == {"messages.0"}


# What cannot be an action.


async def takes_any_number(*numbers: int) -> None: ...


async def takes_anything(**things: int) -> None: ...


async def takes_by_place(number: int, /) -> None: ...


async def body_and_more(body: Annotated[Chat, Body()], more: int) -> None: ...


async def body_of_no_model(body: Annotated[int, Body()]) -> None: ...


async def generator_with_a_stream(stream: Stream[int]) -> AsyncIterator[int]:
    yield 1


def blocking_with_a_value(value: StreamableValue[int]) -> None: ...


async def two_streams(one: Stream[int], other: StreamableValue[int]) -> None: ...


async def takes_an_unknown_type(what: "Unknown") -> None: ...  # type: ignore[name-defined] # noqa: F821


class Opaque:
    pass


async def takes_an_opaque_class(what: Opaque) -> None: ...


async def yields_an_opaque_class() -> AsyncIterator[Opaque]:
    yield Opaque()


@pytest.mark.parametrize(
    ("written", "message"),
    [
        (takes_any_number, "'numbers' cannot be given by name"),
        (takes_anything, "'things' cannot be given by name"),
        (takes_by_place, "'number' cannot be given by name"),
        (body_and_more, "the only input"),
        (body_of_no_model, "a Pydantic model"),
        (generator_with_a_stream, "needs an `async def` without `yield`"),
        (blocking_with_a_value, "needs an `async def` without `yield`"),
        (two_streams, "one Stream or one StreamableValue"),
        (
            takes_an_unknown_type,
            "parameter 'what' names 'Unknown', which is not known where the function is defined",
        ),
        (takes_an_opaque_class, "takes_an_opaque_class: .*Opaque"),
        (yields_an_opaque_class, "yields_an_opaque_class: .*Opaque"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_what_cannot_be_an_action_is_told_why(written: Callable[..., object], message: str) -> None:
    with pytest.raises(InvalidAction, match=f"(?s){message}"):
        inspect_action(written)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf"])
def test_a_number_that_json_cannot_carry_is_not_an_input(text: str) -> None:
    async def act(amount: float) -> None: ...

    with pytest.raises(ValidationFailed):
        inspect_action(act).validate({"amount": text})
