"""The shape of an action's function, and the types that it emits."""

import collections.abc
import inspect
import types
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Final, Union, get_args, get_origin

from yieldwire.actions.marker import parts_of
from yieldwire.errors import InvalidAction
from yieldwire.log.chunks import Append, Result, Value
from yieldwire.setting import shown


class Shape(StrEnum):
    """The kind of function."""

    ASYNC_GENERATOR = "async generator"
    GENERATOR = "generator"
    STREAM = "stream"
    VALUE = "value"
    ASYNC_FUNCTION = "async function"
    FUNCTION = "function"

    @cached_property
    def is_blocking(self) -> bool:
        """Whether the function runs in its own thread."""
        return self in _IN_THREADS

    @cached_property
    def streams(self) -> bool:
        """Whether the action has chunks."""
        return self not in _WITHOUT_CHUNKS

    @property
    def yields(self) -> bool:
        """Whether the function has a ``yield``."""
        return self in {Shape.ASYNC_GENERATOR, Shape.GENERATOR}


# Outside of the class, where they would be enum members.
_IN_THREADS: Final = frozenset({Shape.GENERATOR, Shape.FUNCTION})
_WITHOUT_CHUNKS: Final = frozenset({Shape.ASYNC_FUNCTION, Shape.FUNCTION})
_ASYNC: Final = (
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.AsyncGenerator,
)
_BLOCKING: Final = (
    collections.abc.Iterator,
    collections.abc.Iterable,
    collections.abc.Generator,
)
_RETURN: Final = 2  # of Generator[Y, S, R]
_BINARY: Final = (bytes, bytearray, memoryview)
_UNIONS: Final = (Union, types.UnionType)


def shape_of(name: str, function: Callable[..., object], carries: str | None) -> Shape:
    """Return the shape of ``function``; ``carries`` is its `Stream` or `StreamableValue`.

    Raises:
        InvalidAction: If such a parameter does not match the rest.
    """
    if inspect.isasyncgenfunction(function):
        shape = Shape.ASYNC_GENERATOR
    elif inspect.isgeneratorfunction(function):
        shape = Shape.GENERATOR
    elif inspect.iscoroutinefunction(function):
        shape = {None: Shape.ASYNC_FUNCTION, "stream": Shape.STREAM, "value": Shape.VALUE}[carries]
    else:
        shape = Shape.FUNCTION
        _check_not_hidden(name, function)
    if carries is not None and shape not in {Shape.STREAM, Shape.VALUE}:
        raise InvalidAction(
            f"{name}: a Stream or a StreamableValue needs an `async def` without `yield`."
        )
    return shape


def _check_not_hidden(name: str, function: Callable[..., object]) -> None:
    inner = inspect.unwrap(function)
    if inspect.iscoroutinefunction(inner):
        raise InvalidAction(
            f"{name}: a decorator hides its `async def`; write @actions.action directly above the "
            "function, or let the decorator return an `async def`."
        )
    if inspect.isasyncgenfunction(inner) or inspect.isgeneratorfunction(inner):
        raise InvalidAction(
            f"{name}: a decorator hides its `yield`; write @actions.action directly above the "
            "function, or let the decorator return a generator function."
        )


def outputs_of(name: str, shape: Shape, returned: object, emits: object) -> tuple[Any, Any]:
    """Return the types of an action's chunks and of its result.

    Args:
        name: The function's name, for messages.
        shape: Its shape.
        returned: Its return annotation; ``Any`` if it has none.
        emits: What its `Stream` or `StreamableValue` carries.

    Raises:
        InvalidAction: If the annotation does not match the shape, or chunks are not JSON.
    """
    returned = None if returned is types.NoneType else returned
    meant = _meant(returned)
    _check_returned(name, shape, meant)
    if shape is Shape.STREAM:
        chunk, result = emits, returned
    elif shape is Shape.VALUE:
        _check_chunk(name, emits)
        chunk, result = Union[Value[emits], Append], emits  # type: ignore[valid-type]  # noqa: UP007
    elif shape.yields:
        chunk, result = _of_generator(meant)
    else:
        chunk, result = None, returned
    if not shape.yields and any(map(_is_result, [*_members(chunk), *_members(result)])):
        raise InvalidAction(
            f"{name}: Result is for the last value of a generator; annotate and return the value."
        )
    _check_chunk(name, chunk)
    return chunk, result


def check_result(name: str, result: object) -> None:
    """Return if ``result`` is valid for the option ``result=``.

    Raises:
        InvalidAction: If it is a `Result`.
    """
    if any(map(_is_result, _members(result))):
        raise InvalidAction(
            f"{name}: result={shown(result)} is what is yielded; write the type of its value."
        )


def _meant(annotation: Any) -> Any:  # noqa: ANN401 - a type
    """Return an annotation without its ``Annotated`` and its aliases."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _meant(get_args(annotation)[0])
    if origin is not None and hasattr(origin, "__type_params__") and hasattr(origin, "__value__"):
        return _meant(origin.__value__[get_args(annotation)])
    if hasattr(annotation, "__value__") and not getattr(annotation, "__type_params__", ()):
        return _meant(annotation.__value__)
    return annotation


def _of_generator(returned: object) -> tuple[Any, Any]:
    arguments: tuple[Any, ...] = get_args(returned)
    chunk: Any = arguments[0] if arguments else Any
    members = _members(chunk)
    chunks = [member for member in members if not _is_result(member)]
    results = [next(iter(get_args(member)), Any) for member in members if _is_result(member)]
    result: Any = Union[tuple(results)] if results else None  # noqa: UP007
    if chunk is Any:
        result = Any  # it can yield anything, including a Result
    elif len(arguments) > _RETURN and arguments[_RETURN] not in (None, types.NoneType):
        result = arguments[_RETURN]
    return Union[tuple(chunks)] if chunks else None, result  # noqa: UP007


def _members(annotation: object) -> list[Any]:
    """Return the members of a union; an alias is expanded only if a `Result` is in it."""
    meant = _meant(annotation)
    if _is_result(meant):
        return [meant]
    if get_origin(meant) in _UNIONS:
        members = [each for member in get_args(meant) for each in _members(member)]
        if get_origin(annotation) in _UNIONS or any(map(_is_result, members)):
            return members
    return [annotation]


def _is_result(annotation: object) -> bool:
    return (get_origin(annotation) or annotation) is Result


def _check_returned(name: str, shape: Shape, returned: object) -> None:
    if returned is Any or returned is object:
        return
    said = get_origin(returned) or returned
    is_async, is_blocking = said in _ASYNC, said in _BLOCKING
    what = _shown(returned)
    if not shape.yields:
        if is_async or is_blocking:
            raise InvalidAction(
                f"{name}: its return type is {what} and it has no `yield`; add one, or annotate "
                "what it returns, list[...] for example."
            )
        return
    wanted = "AsyncIterator" if shape is Shape.ASYNC_GENERATOR else "Iterator"
    if is_async if shape is Shape.ASYNC_GENERATOR else is_blocking:
        return
    mend = f"annotate it `-> {wanted}[...]` with the type of what it yields"
    if is_async or is_blocking:
        written = "an `async def`" if shape is Shape.ASYNC_GENERATOR else "a `def`"
        raise InvalidAction(f"{name}: its return type is {what} and it is {written}; {mend}.")
    raise InvalidAction(f"{name}: its return type is {what} and it has a `yield`; {mend}.")


def _check_chunk(name: str, chunk: object) -> None:
    for part in _plain_parts(chunk):
        if part in _BINARY:
            is_inside = all(_meant(member) is not part for member in _members(chunk))
            raise InvalidAction(
                f"{name}: its chunks are {'made of ' if is_inside else ''}{_shown(part)}, which "
                "JSON does not have; send text, or pydantic.Base64Bytes."
            )


def _plain_parts(annotation: object) -> Iterator[Any]:
    """Yield the parts of an annotation, but not of what something in `Annotated` encodes."""
    seen: list[object] = []
    waiting = [annotation]
    while waiting:
        part = waiting.pop()
        if get_origin(part) is not Annotated and not any(part is each for each in seen):
            seen.append(part)
            yield part
            waiting.extend(parts_of(part))


def _shown(annotation: object) -> str:
    return shown(annotation).replace("collections.abc.", "").replace("typing.", "")
