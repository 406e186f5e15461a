"""What stands behind an action's name on the command line: its input, field by field.

``key=value`` is read as the action's schema says: where a string may stand it is one, and
anything else is JSON. ``key:=json`` is JSON whatever the schema says, and ``key=@path`` is a
file: sent as one where the action takes uploads, its content elsewhere. A field that takes a
list may be given more than once.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from pydantic_core import from_json, to_json

from yieldwire.errors import Json, UsageError

_ARGUMENT: Final = re.compile(r"([^=:@]+)(:=|=@|=)(.*)", re.DOTALL)

LONGEST_DEFAULT: Final = 30
"""Characters of a default that a list of parameters has room for."""

Schema = Mapping[str, Json]


def read_arguments(arguments: Sequence[str], schema: Schema) -> dict[str, object]:
    """Return the input object that arguments stand for.

    Raises:
        UsageError: If one cannot be read; the message says what to write instead.
    """
    values: dict[str, list[object]] = {}
    fields: Mapping[str, Schema] = schema.get("properties", {})
    for argument in arguments:
        match = _ARGUMENT.fullmatch(argument)
        if match is None:
            raise UsageError(
                f"{argument!r} is no argument; write key=value, key:=json or key=@path."
            )
        name, kind, text = match.groups()
        field = _Field(name, fields.get(name, {}), schema.get("$defs", {}))
        values.setdefault(name, []).extend(field.read(kind, text))
    return {
        name: _Field(name, fields.get(name, {}), schema.get("$defs", {})).whole(found)
        for name, found in values.items()
    }


def parameters_of(schema: Schema) -> str:
    """Return an action's parameters on one line, with their types and defaults."""
    required, definitions = schema.get("required", []), schema.get("$defs", {})
    told: list[str] = []
    for name, field in schema.get("properties", {}).items():
        text = to_json(field.get("default")).decode()
        shown = text if len(text) <= LONGEST_DEFAULT else f"{text[:LONGEST_DEFAULT]}…"
        default = "" if name in required else f" = {shown}"
        told.append(f"{name}: {kind_of(field, definitions)}{default}")
    return ", ".join(told)


def kind_of(schema: Schema, definitions: Mapping[str, Schema]) -> str:
    """Return a field's type in a few words: ``string``, ``"a" | "b"``, ``list of file``."""
    kinds = [_kind_of_one(one, definitions) for one in _alternatives(schema, definitions)]
    return " | ".join(dict.fromkeys(kind for kind in kinds if kind != "null"))


def _kind_of_one(one: Schema, definitions: Mapping[str, Schema]) -> str:
    if "enum" in one or "const" in one:
        return " | ".join(map(repr, one.get("enum", [one.get("const")])))
    if one.get("format") == "binary":
        return "file"
    if one.get("type") == "array":
        return f"list of {kind_of(one.get('items', {}), definitions)}"
    return str(one.get("type", "anything"))


class _Field:
    """One field of the input, and what may stand in it."""

    def __init__(self, name: str, schema: Schema, definitions: Mapping[str, Schema]) -> None:
        self._name = name
        self._every = _alternatives(schema, definitions)
        lists = [one for one in self._every if one.get("type") == "array"]
        items = lists[0].get("items", {}) if lists else {}
        self._is_list = bool(lists)
        self._items = _alternatives(items, definitions)

    def read(self, kind: str, text: str) -> list[object]:
        """Return the values that one argument adds: several for a list that is given whole."""
        if kind == ":=":
            value = self._json(text)
        elif kind == "=@":
            return [self._file(Path(text).expanduser())]
        elif self._is_list and text.startswith("["):
            value = self._json(text)
        else:
            return [self._value(text)]
        return value if self._is_list and isinstance(value, list) else [value]

    def whole(self, values: Sequence[object]) -> object:
        """Return the field's value.

        Raises:
            UsageError: If it was given more than once and takes one value.
        """
        if self._is_list:
            is_absent = len(values) == 1 and values[0] is None
            return None if is_absent else list(values)
        if len(values) > 1:
            raise UsageError(f"{self._name} is given {len(values)} times and takes one value.")
        return values[0]

    def _value(self, text: str) -> object:
        choices = self._items if self._is_list else self._every
        if any(one.get("format") == "binary" for one in choices):
            raise UsageError(f"{self._name} is a file: write {self._name}=@{text or 'path'}.")
        if any(map(_may_be_text, choices)):
            return text
        if not any(map(_is_known, choices)):
            return _json_or_text(text)
        return self._json(text)

    def _file(self, path: Path) -> object:
        if not path.is_file():
            raise UsageError(
                f"{self._name}: there is no file {path}; a value that begins with @ is written "
                f"{self._name}:='\"@…\"'."
            )
        choices = self._items if self._is_list else self._every
        if not any(map(_is_known, choices)) or any(map(_is_file, choices)):
            return path
        return self._value(path.read_text("utf-8"))

    def _json(self, text: str) -> Json:
        try:
            return from_json(text)
        except ValueError:
            kinds = [str(one["type"]) for one in self._every if "type" in one]
            wanted = f" as {' or '.join(kinds)}" if kinds else ""
            raise UsageError(f"{self._name}: {text!r} cannot be read{wanted}.") from None


def _alternatives(schema: Schema, definitions: Mapping[str, Schema]) -> list[Schema]:
    """Return the schemas of which one holds, without references."""
    if "$ref" in schema:
        return _alternatives(definitions.get(schema["$ref"].rpartition("/")[2], {}), definitions)
    for word in ("anyOf", "oneOf"):
        if word in schema:
            return [found for one in schema[word] for found in _alternatives(one, definitions)]
    if len(schema.get("allOf", ())) == 1:
        return _alternatives(schema["allOf"][0], definitions)
    return [schema]


def _may_be_text(one: Schema) -> bool:
    if "enum" in one or "const" in one:
        return any(isinstance(value, str) for value in one.get("enum", [one.get("const")]))
    return one.get("type") == "string"


def _is_file(one: Schema) -> bool:
    return one.get("format") == "binary"


def _is_known(one: Schema) -> bool:
    return bool(one.keys() & {"type", "enum", "const"})


def _json_or_text(text: str) -> object:
    try:
        return from_json(text)
    except ValueError:
        return text
