"""Finds files in an input: in mappings, lists, models and dataclasses."""

import io
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol, runtime_checkable

from pydantic import BaseModel, RootModel
from pydantic_core import to_jsonable_python

from yieldwire.errors import UsageError

_SCALARS: Final = frozenset({type(None), bool, int, float, str, bytes})


@runtime_checkable
class UploadLike(Protocol):
    """A file with its name for the sender; `yieldwire.Upload` is one."""

    file: BinaryIO
    filename: str
    content_type: str


TakeFile = Callable[[object, str], str]
"""Takes a file and its place, as a JSON pointer (RFC 6901), and returns the file's name."""


def has_files(value: object) -> bool:
    """Whether ``value`` is a file, or contains one.

    Raises:
        UsageError: If a file is open in text mode.
    """
    waiting, seen = [value], set[int]()
    while waiting:
        each = waiting.pop()
        if is_file(each):
            return True
        if id(each) not in seen:
            seen.add(id(each))
            waiting += [part for part in _parts(each) if type(part) not in _SCALARS]
    return False


def without_files(value: object, take: TakeFile, place: str = "") -> object:
    """Return ``value`` with a name in the place of each file.

    Parts without files do not change, so that they give the same JSON.

    Raises:
        UsageError: If a file is open in text mode, or something contains itself.
    """
    try:
        return _without_files(value, take, place)
    except RecursionError:
        raise UsageError("The input contains itself, or nests too deep.") from None


def _without_files(value: object, take: TakeFile, place: str) -> object:
    if is_file(value):
        return take(value, place)
    if not has_files(value):
        return value
    if isinstance(value, RootModel):
        return _without_files(value.root, take, place)
    if isinstance(value, Mapping):
        named = {_key(key): item for key, item in value.items()}
    elif isinstance(value, BaseModel) or hasattr(value, "__pydantic_fields__"):
        return _model_without_files(value, take, place)
    elif is_dataclass(value):
        named = {field.name: getattr(value, field.name) for field in fields(value)}
    else:
        items = enumerate(_parts(value))
        return [_without_files(item, take, f"{place}/{number}") for number, item in items]
    return {key: _without_files(item, take, _below(place, key)) for key, item in named.items()}


def _model_without_files(model: Any, take: TakeFile, place: str) -> object:  # noqa: ANN401 - a model, or a dataclass of Pydantic's
    """Return the JSON of a model as it serializes itself, except where its fields have files."""
    declared = type(model).__pydantic_fields__
    held = {**vars(model), **(getattr(model, "__pydantic_extra__", None) or {})}
    held = {name: item for name, item in held.items() if has_files(item)}
    dumped = model.__pydantic_serializer__.to_python(
        model, mode="json", by_alias=True, exclude=set(held)
    )
    for name, item in held.items():
        field = declared.get(name)
        if field is None or not field.exclude:
            key = (field and field.serialization_alias) or name
            dumped[key] = _without_files(item, take, _below(place, key))
    return dumped


def is_file(value: object) -> bool:
    """Whether ``value`` is a path, an upload or an open file.

    Raises:
        UsageError: If it is a file that is open in text mode.
    """
    if isinstance(value, io.TextIOBase):
        raise UsageError("A file to be sent is opened in binary mode: open(path, 'rb').")
    if isinstance(value, Path) or _is_open(value):
        return True
    return isinstance(value, UploadLike) and _is_open(value.file)


def _is_open(value: object) -> bool:
    return hasattr(value, "read") and hasattr(value, "seek")


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return value.values()
    if isinstance(value, (list, tuple, AbstractSet, deque)):
        return value
    if isinstance(value, BaseModel):
        return [*vars(value).values(), *(value.__pydantic_extra__ or {}).values()]
    if is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in fields(value)]
    return ()


def _key(key: object) -> str:
    """Return a mapping's key as JSON has it."""
    if isinstance(key, str):
        return key
    (text,) = to_jsonable_python({key: None})
    return str(text)


def _below(place: str, key: str) -> str:
    return f"{place}/{key.replace('~', '~0').replace('/', '~1')}"
