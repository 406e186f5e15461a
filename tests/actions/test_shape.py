"""How an action is written, and that its annotations say the same."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from functools import wraps
from typing import Annotated, Any, TypeAlias, TypeVar

import pytest
from pydantic import Base64Bytes, PlainSerializer
from typing_extensions import TypeAliasType

from yieldwire.actions.shape import Shape, outputs_of, shape_of
from yieldwire.errors import InvalidAction
from yieldwire.log.chunks import Append, Result, Text, Value

T = TypeVar("T")
Texts: TypeAlias = AsyncIterator[Text]
Numbers = TypeAliasType("Numbers", AsyncIterator[int])
Many = TypeAliasType("Many", AsyncIterator[T | Result[str]], type_params=(T,))

Rows = TypeAliasType("Rows", list[dict[str, T]], type_params=(T,))
Piece = TypeAliasType("Piece", Text | int | Result[str])
Last = TypeAliasType("Last", Result[str])
Plain = TypeAliasType("Plain", Text | int)

GENERATORS = [Shape.ASYNC_GENERATOR, Shape.GENERATOR]
ONE_ANSWER = [Shape.ASYNC_FUNCTION, Shape.FUNCTION]


@pytest.mark.parametrize(
    ("shape", "returned", "chunk", "result"),
    [
        (Shape.ASYNC_GENERATOR, AsyncIterator[int], int, None),
        (Shape.ASYNC_GENERATOR, AsyncIterable[int | Result[str]], int, str),
        (Shape.ASYNC_GENERATOR, AsyncGenerator[int, None], int, None),
        (Shape.ASYNC_GENERATOR, AsyncIterator, Any, Any),
        (Shape.ASYNC_GENERATOR, Any, Any, Any),
        (Shape.ASYNC_GENERATOR, object, Any, Any),
        (Shape.ASYNC_GENERATOR, Texts, Text, None),
        (Shape.ASYNC_GENERATOR, Numbers, int, None),
        (Shape.ASYNC_GENERATOR, Many[int], int, str),
        (Shape.ASYNC_GENERATOR, Annotated[AsyncIterator[int], "counted"], int, None),
        (Shape.ASYNC_GENERATOR, AsyncIterator[Text | Result[int] | Result[str]], Text, int | str),
        (Shape.ASYNC_GENERATOR, AsyncIterator[Piece], Text | int, str),
        (Shape.ASYNC_GENERATOR, AsyncIterator[Text | Last], Text, str),
        (Shape.ASYNC_GENERATOR, AsyncIterator[Plain], Plain, None),
        (Shape.ASYNC_GENERATOR, AsyncIterator[Base64Bytes], Base64Bytes, None),
        (Shape.GENERATOR, Iterator[int], int, None),
        (Shape.GENERATOR, Iterable[int], int, None),
        (Shape.GENERATOR, Generator[int, None, str], int, str),
        (Shape.ASYNC_FUNCTION, list[int], None, list[int]),
        (Shape.FUNCTION, bytes, None, bytes),
    ],
)
def test_chunks_and_result_are_read_from_the_return_type(
    shape: Shape, returned: object, chunk: object, result: object
) -> None:
    assert outputs_of("act", shape, returned, None) == (chunk, result)


def test_what_is_pushed_is_read_from_the_parameter() -> None:
    assert outputs_of("act", Shape.STREAM, int, Text) == (Text, int)
    assert outputs_of("act", Shape.VALUE, None, str) == (Value[str] | Append, str)


@pytest.mark.parametrize("shape", GENERATORS)
@pytest.mark.parametrize("returned", [int, None, list[int], Result[int]])
def test_what_yields_must_not_say_that_it_returns(shape: Shape, returned: object) -> None:
    with pytest.raises(InvalidAction, match=r"act: its return type is .* and it has a `yield`"):
        outputs_of("act", shape, returned, None)


@pytest.mark.parametrize("shape", [*ONE_ANSWER, Shape.STREAM, Shape.VALUE])
@pytest.mark.parametrize(
    "returned",
    [AsyncIterator[int], AsyncIterable, Iterator[int], Iterable[int], Numbers, Many[int]],
)
def test_what_does_not_yield_must_not_say_that_it_does(shape: Shape, returned: object) -> None:
    with pytest.raises(InvalidAction, match=r"act: its return type is .* and it has no `yield`"):
        outputs_of("act", shape, returned, int)


@pytest.mark.parametrize(
    ("shape", "returned", "mend"),
    [
        (Shape.ASYNC_GENERATOR, Iterator[int], "-> AsyncIterator"),
        (Shape.ASYNC_GENERATOR, Generator[int, None, None], "-> AsyncIterator"),
        (Shape.GENERATOR, AsyncIterator[int], "-> Iterator"),
        (Shape.GENERATOR, AsyncGenerator[int, None], "-> Iterator"),
    ],
)
def test_async_and_blocking_iterators_are_not_mixed(
    shape: Shape, returned: object, mend: str
) -> None:
    with pytest.raises(InvalidAction, match=f"act: .* `{mend}"):
        outputs_of("act", shape, returned, None)


@pytest.mark.parametrize("binary", [bytes, bytearray, memoryview, bytes | str, str | bytearray])
def test_chunks_are_not_binary(binary: Any) -> None:  # noqa: ANN401 - a type
    for shape, returned, emits in [
        (Shape.ASYNC_GENERATOR, AsyncIterator[binary], None),
        (Shape.GENERATOR, Iterator[binary], None),
        (Shape.STREAM, None, binary),
        (Shape.VALUE, None, binary),
    ]:
        with pytest.raises(
            InvalidAction, match=r"act: its chunks are .*, which JSON does not have"
        ):
            outputs_of("act", shape, returned, emits)


@pytest.mark.parametrize(
    "binary", [list[bytes], dict[str, bytes | None], tuple[int, list[bytearray]], Rows[bytes]]
)
def test_chunks_are_not_made_of_what_is_binary(binary: Any) -> None:  # noqa: ANN401 - a type
    with pytest.raises(InvalidAction, match=r"act: its chunks are made of byte.*, which JSON does"):
        outputs_of("act", Shape.ASYNC_GENERATOR, AsyncIterator[binary], None)


@pytest.mark.parametrize("shape", [*ONE_ANSWER, Shape.STREAM])
def test_a_result_keeps_what_says_how_it_is_written(shape: Shape) -> None:
    price = Annotated[float, PlainSerializer("{:.2f}".format)]

    assert outputs_of("act", shape, price, Text)[1] is price


@pytest.mark.parametrize("encoded", [Base64Bytes, list[Base64Bytes], dict[str, Base64Bytes]])
def test_bytes_that_are_encoded_are_sent(encoded: Any) -> None:  # noqa: ANN401 - a type
    assert outputs_of("act", Shape.FUNCTION, encoded, None) == (None, encoded)
    assert outputs_of("act", Shape.GENERATOR, Iterator[encoded], None) == (encoded, None)


@pytest.mark.parametrize(
    ("shape", "returned", "emits"),
    [
        (Shape.ASYNC_FUNCTION, Result[int], None),
        (Shape.FUNCTION, int | Result[int], None),
        (Shape.STREAM, None, Text | Result[int]),
        (Shape.STREAM, Last, Text),
    ],
)
def test_a_result_is_a_generators(shape: Shape, returned: object, emits: object) -> None:
    with pytest.raises(InvalidAction, match="act: Result is for the last value of a generator"):
        outputs_of("act", shape, returned, emits)


def hiding(function: Callable[[], object]) -> Callable[[], object]:
    @wraps(function)
    def call() -> object:
        return function()

    return call


async def trickles() -> AsyncIterator[int]:
    yield 1


def blocks() -> Iterator[int]:
    yield 1


async def answers() -> int:
    return 1


@pytest.mark.parametrize("function", [trickles, blocks])
def test_a_yield_is_not_hidden_by_a_decorator(function: Callable[[], object]) -> None:
    with pytest.raises(InvalidAction, match="act: a decorator hides its `yield`"):
        shape_of("act", hiding(function), None)


@pytest.mark.parametrize("function", [trickles, blocks, len])
def test_a_stream_goes_with_an_async_function_alone(function: Callable[..., object]) -> None:
    with pytest.raises(InvalidAction, match="needs an `async def` without `yield`"):
        shape_of("act", function, "stream")


def test_a_shape_knows_whether_it_yields() -> None:
    assert shape_of("act", trickles, None).yields
    assert shape_of("act", blocks, None).yields
    assert not shape_of("act", answers, "value").yields
