"""The types of what a running action is told: answers to its questions, and messages to it.

They are declared with the action, so that any process can validate what a caller sends, and that
clients know it.
"""

import types
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Final, Generic, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json, to_json

from yieldwire.actions.jsonschema import WireSchema, reason_of
from yieldwire.actions.schema import BINARY, ENCODING, field_errors
from yieldwire.actions.upload import Uploads
from yieldwire.errors import InvalidAction, Json, ValidationFailed
from yieldwire.log.events import one_line
from yieldwire.log.jsonvalue import check_readable
from yieldwire.setting import shown

T = TypeVar("T")

_UNNAMED: Final = "Answer"
"""The name of the first type that has none, such as a union; the next is ``Answer2``."""


class MessageType(Generic[T]):
    """One type of value that a running action is told: its name, its schema, and how to read it.

    Raises:
        Exception: Whatever Pydantic raises if it cannot describe the type.
    """

    def __init__(self, name: str, annotation: object) -> None:
        self.name: Final = name
        self.annotation: Final = annotation
        self._adapter: Final = TypeAdapter[T](cast("Any", annotation))

    @cached_property
    def json_schema(self) -> dict[str, Json]:
        """The type as JSON Schema, as callers send it."""
        return self._adapter.json_schema(
            by_alias=True, mode="validation", schema_generator=WireSchema
        )

    @cached_property
    def takes_files(self) -> bool:
        """Whether a value can contain a file, at any depth."""
        return BINARY in to_json(self.json_schema)

    def read(self, value: object) -> T:
        """Return ``value``, plain JSON or of the type already, as a value of the type.

        Raises:
            ValidationFailed: If it does not match, with the messages by field.
        """
        try:
            return self._adapter.validate_python(value)
        except ValidationError as exc:
            raise ValidationFailed(field_errors(exc)) from exc

    def dump(self, value: object) -> bytes:
        """Return a value as JSON in one line, from which the action reads it.

        Raises:
            ValidationFailed: If it does not match, or cannot be read back from its JSON.
        """
        return self.encode(self.read(value))

    def encode(self, value: T, uploads: Uploads | None = None) -> bytes:
        """Do the same with a value of the type, in which ``uploads`` are replaced by records.

        Hashing them blocks.
        """
        again = Uploads(reopen=None if uploads is None else uploads.of_record)
        try:
            data = self._adapter.dump_json(value, **ENCODING)
            check_readable(data)
            with again.collecting():
                self.read(from_json(data))
        except ValidationFailed:
            raise
        except Exception as exc:
            raise ValidationFailed({"_root": [f"The value {reason_of(exc)}."]}) from exc
        return one_line(data)


def answer_types(action: str, declared: object) -> Mapping[str, MessageType[Any]]:
    """Return the types of ``asks=`` by their names.

    Raises:
        InvalidAction: If one cannot be the type of an answer, or two have the same name.
    """
    kinds = list(cast("Any", declared)) if isinstance(declared, (list, tuple)) else [declared]
    found: dict[str, MessageType[Any]] = {}
    unnamed = 0
    for kind in kinds:
        name = _name_of(kind)
        if name is None:
            unnamed += 1
            name = _UNNAMED if unnamed == 1 else f"{_UNNAMED}{unnamed}"
        if name in found:
            raise InvalidAction(f"{action}: asks= has two types called {name}; rename one of them.")
        found[name] = message_type(action, "asks", name, kind)
    return found


def message_type(action: str, option: str, name: str, kind: object) -> MessageType[Any]:
    """Return the type of an option of an action.

    Raises:
        InvalidAction: If it is not the type of a JSON value.
    """
    mistake = f"{action}: {option}={shown(kind)}"
    if isinstance(kind, (str, bytes, bool, int, float, dict)):
        raise InvalidAction(f"{mistake} is a value; write a type, such as {option}=bool.")
    try:
        found = MessageType[Any](name, kind)
        _ = found.json_schema
    except Exception as exc:
        raise InvalidAction(
            f"{mistake} cannot be described: {reason_of(exc)}; write JSON types, or a Pydantic "
            "model, dataclass or TypedDict defined above the action."
        ) from exc
    return found


def _name_of(kind: object) -> str | None:
    """Return the name of a class or of a type alias."""
    has_name = isinstance(kind, type) and not isinstance(kind, types.GenericAlias)
    if has_name or hasattr(kind, "__value__"):
        return str(getattr(kind, "__name__", "")) or None
    return None
