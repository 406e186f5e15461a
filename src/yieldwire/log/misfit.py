"""Finds the part of a value that cannot be sent, and its type."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from yieldwire.errors import InvalidOutput
from yieldwire.log.jsonvalue import Unreadable, check_readable

Path: TypeAlias = tuple[str | int, ...]

DEPTH: Final = 64
"""How deep to search; a fault deeper than this is reported by the place above it."""
WIDTH: Final = 10_000
"""How many members of one container are searched."""
NAME_SHOWN: Final = 200
"""The maximum length of a place in a message, in characters: keys can have any length."""


def invalid_output(action: str, what: str, value: object, error: Exception) -> InvalidOutput:
    """Return the error that says what is wrong with ``value``, which ``error`` refused.

    Args:
        action: The action that created the value.
        what: What the value is: ``chunk``, ``result``.
        value: The value.
        error: Raised when it was validated or encoded.
    """
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_context=False, include_input=True)[0]
        place, kind = _place(what, first["loc"]), _kind(first["input"])
        return InvalidOutput(
            f"{action}: {place} does not match its declared type: {first['msg']}. "
            f"Its type is {kind}."
        )
    if isinstance(error, Unreadable):
        path = () if "levels" in str(error) else _misfit(value)[0]
        return InvalidOutput(f"{action}: {_place(what, path)} {error}, which cannot be read back.")
    path, part, reason = _misfit(value)
    return InvalidOutput(f"{action}: {_place(what, path)} {reason.format(_kind(part))}")


def unreadable_output(action: str, what: str, value: object, data: bytes) -> InvalidOutput | None:
    """Return why ``data``, the JSON of ``value``, cannot be read back; ``None`` if it can."""
    try:
        check_readable(data)
    except Unreadable as exc:
        return invalid_output(action, what, value, exc)
    return None


_NOT_JSON: Final = (
    "is of the type {}, which cannot be written as JSON. "
    "Use plain JSON, a dataclass, a TypedDict or a Pydantic model."
)
_BAD_KEY: Final = "has a key of the type {}, which cannot be written as JSON. Use strings."
_CIRCULAR: Final = "is a {} that contains itself, which cannot be written as JSON."
_BAD_TEXT: Final = "is a {} that is not valid in UTF-8, so it cannot be written as JSON."


def _misfit(value: object) -> tuple[Path, object, str]:
    """Return the path of the innermost part that cannot be encoded, the part, and why."""
    path: Path = ()
    parts: list[object] = [value]
    while len(path) < DEPTH:
        for step, member in _members(parts[-1]):
            if any(member is part for part in parts):
                return (*path, step), member, _CIRCULAR
            if not _can_encode(parts[-1], step, member):
                path = (*path, step)
                parts.append(member)
                break
        else:
            break
    part = parts[-1]
    if isinstance(part, Mapping):
        key = next((key for key in part if not _is_json({key: None})), None)
        if key is not None:
            return path, key, _BAD_KEY
    if isinstance(part, AbstractSet):
        member = next((member for member in part if not _is_json(member)), part)
        return (*path, "{…}"), member, _NOT_JSON
    return path, part, _BAD_TEXT if isinstance(part, (str, bytes)) else _NOT_JSON


def _members(value: object) -> Iterator[tuple[str | int, object]]:
    """Yield the parts of a value that JSON would hold one by one, each with its place in it."""
    found: Iterator[tuple[str | int, object]] = iter(())
    if isinstance(value, BaseModel):
        found = ((name, each) for name, each in value)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value)]
        found = ((name, getattr(value, name, None)) for name in names)
    elif isinstance(value, Mapping):
        found = ((key if isinstance(key, int) else str(key), value[key]) for key in value)
    elif isinstance(value, tuple):
        found = zip(getattr(value, "_fields", range(len(value))), value, strict=True)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
        found = enumerate(value)
    for _, member in zip(range(WIDTH), found, strict=False):
        yield member


def _can_encode(parent: object, step: str | int, member: object) -> bool:
    serializer: Any = getattr(type(parent), "__pydantic_serializer__", None)
    if serializer is None:
        return _is_json(member)
    try:  # the way the model itself serializes its field
        check_readable(serializer.to_json(parent, include={step}, by_alias=True, warnings=False))
    except Exception:  # noqa: BLE001 - a serializer of the user's can raise anything
        return False
    return True


def _is_json(value: object) -> bool:
    try:
        check_readable(to_json(value))
    except Exception:  # noqa: BLE001 - as above
        return False
    return True


def _place(what: str, path: Sequence[str | int]) -> str:
    place = what
    for step in path:
        if isinstance(step, str) and (step.isidentifier() or step == "{…}"):
            place += f".{step}" if step.isidentifier() else step
        else:
            place += f"[{step!r}]"
    return place if len(place) <= NAME_SHOWN else f"{place[:NAME_SHOWN]}…"


def _kind(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else _qualified(kind)


def _qualified(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"
