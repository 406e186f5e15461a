"""The arguments after an action's name on the command line: its input, field by field.

``key=value`` is read according to the action's schema: if a string is allowed it is one, and
otherwise it is JSON, where ``yes`` is ``true`` and ``no`` is ``false``. ``key:=json`` is JSON
whatever the schema says, and ``key=@path`` is a file: sent as a file if the action takes uploads,
otherwise its content is sent. A list field can be given several times.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic_core import from_json, to_json

from yieldwire.cli.output import note
from yieldwire.describe.schema import (
    Definitions,
    Field,
    Schema,
    alternatives,
    definitions_of,
    is_file,
    kinds,
    properties_of,
)
from yieldwire.errors import Json, UsageError

_ARGUMENT: Final = re.compile(r"([^=:@]+)(:=|=@|=)(.*)", re.DOTALL)
_SEVERAL: Final = re.compile(r"[^\s,]+(,[^\s,]+)+")
"""A text that is more likely several items than a sentence with a comma: ``a,b``."""

_YES_OR_NO: Final = {"yes": True, "y": True, "no": False, "n": False}

LONGEST_DEFAULT: Final = 30
"""The maximum length of a default in a list of parameters."""


def read_arguments(arguments: Sequence[str], schema: Schema) -> dict[str, object]:
    """Return the input object for the arguments.

    Raises:
        UsageError: If one is invalid; the message says what to write instead.
    """
    values: dict[str, list[object]] = {}
    properties, definitions = properties_of(schema), definitions_of(schema)
    fields = {name: Field.of(one, definitions) for name, one in properties.items()}
    unknown = Field.of({}, definitions)
    for argument in arguments:
        match = _ARGUMENT.fullmatch(argument)
        if match is None:
            raise UsageError(
                f"{argument!r} is not an argument; write key=value, key:=json or key=@path."
            )
        name, kind, text = match.groups()
        found = _Argument(name, fields.get(name, unknown)).read(kind, text)
        values.setdefault(name, []).extend(found)
    return {name: _whole(name, fields.get(name, unknown), found) for name, found in values.items()}


def read_value(words: Sequence[str], schema: Schema) -> object:
    """Return the value for the words on a command line: an object's fields, or the value itself.

    An object can also be one word of JSON.

    Raises:
        UsageError: If a word is invalid; the message says what to write instead.
    """
    field, is_json = Field.of(schema, definitions_of(schema)), len(words) == 1
    takes_object = field.takes_anything or "object" in field.kinds
    if is_json and takes_object and words[0].startswith("{"):
        return read_text("value", words[0], field)
    if takes_object and all(map(_ARGUMENT.fullmatch, words)):
        return read_arguments(words, schema)
    if field.kinds == {"object"}:
        return read_arguments(words, schema)  # which says what is wrong
    found = [each for word in words for each in _Argument("value", field).read_word(word)]
    return _whole("value", field, found)


def is_field(word: str) -> bool:
    """Whether a word on a command line is a field with its value, or a whole value.

    A whole value is written as JSON, or as ``@path`` if it is a file.
    """
    return _ARGUMENT.fullmatch(word) is not None or word.startswith(("{", "[", "@"))


def read_text(name: str, text: str, field: Field) -> object:
    """Return the value of a field for a text that a person wrote; of a file, its path.

    Raises:
        UsageError: If it is invalid; the message says what to write instead.
    """
    if field.takes_file and not field.takes_text:
        path = text.strip().removeprefix("@")
        return _whole(name, field, _Argument(name, field).read("=@", path))
    return _whole(name, field, _Argument(name, field).read("=", text))


def parameters_of(schema: Schema) -> str:
    """Return an action's parameters on one line, with their types and defaults."""
    required, definitions = schema.get("required", []), definitions_of(schema)
    told: list[str] = []
    for name, field in properties_of(schema).items():
        text = to_json(field.get("default")).decode()
        shown = text if len(text) <= LONGEST_DEFAULT else f"{text[:LONGEST_DEFAULT]}…"
        default = "" if name in required else f" = {shown}"
        told.append(f"{name}: {kind_of(field, definitions)}{default}")
    return ", ".join(told)


def kind_of(schema: Schema, definitions: Definitions) -> str:
    """Return a field's type in a few words: ``string``, ``"a" | "b"``, ``list of file``."""
    found = [_kind_of_one(one, definitions) for one in alternatives(schema, definitions)]
    return " | ".join(dict.fromkeys(kind for kind in found if kind != "null"))


def _kind_of_one(one: Schema, definitions: Definitions) -> str:
    if "enum" in one or "const" in one:
        return " | ".join(map(repr, one.get("enum", [one.get("const")])))
    if is_file(one):
        return "file"
    if "array" in kinds(one):
        return f"list of {kind_of(one.get('items', {}), definitions)}"
    return " | ".join(kinds(one)) or "anything"


def _whole(name: str, field: Field, values: Sequence[object]) -> object:
    """Return a field's value.

    Raises:
        UsageError: If it was given several times and takes one value.
    """
    if field.is_list:
        is_absent = len(values) == 1 and values[0] is None
        return None if is_absent else list(values)
    if len(values) > 1:
        raise UsageError(f"{name} is given {len(values)} times but takes one value.")
    return values[0]


@dataclass(frozen=True, slots=True)
class _Argument:
    """What one argument adds to its field."""

    name: str
    field: Field

    def read(self, kind: str, text: str) -> list[object]:
        """Return the values that it adds: several if it is a whole list."""
        if kind == "=@":
            return [self._file(Path(text).expanduser())]
        is_json = kind == ":=" or (self.field.is_list and text.startswith("["))
        value = self._json(text) if is_json else self._value(text)
        return value if is_json and self.field.is_list and isinstance(value, list) else [value]

    def read_word(self, word: str) -> list[object]:
        """Return the values that a word without a name adds."""
        if self.field.takes_file and word.startswith("@"):
            return self.read("=@", word[1:])
        if self.field.takes_file and not self.field.takes_text:
            raise UsageError(f"The value is a file: write @{word or 'path'}.")
        return self.read("=", word)

    def _value(self, text: str) -> object:
        if self.field.takes_file:
            raise UsageError(f"{self.name} is a file: write {self.name}=@{text or 'path'}.")
        if self.field.takes_text:
            if self.field.is_list and _SEVERAL.fullmatch(text):
                note(f"{self.name} has one item, {text!r}. For several, {self._as_list(text)}")
            return text
        return self._json_or_text(text) if self.field.takes_anything else self._json(text)

    def _file(self, path: Path) -> object:
        if not path.is_file():
            how = f"; a value that begins with @ is written {self.name}:='\"@…\"'"
            raise UsageError(
                f"{self.name}: there is no file {path}{'' if self.field.takes_file else how}."
            )
        if self.field.takes_anything or self.field.takes_file:
            return path
        return self._value(path.read_text("utf-8"))

    def _json(self, text: str) -> Json:
        if self.field.kinds - {"null"} == {"boolean"} and text.strip().lower() in _YES_OR_NO:
            return _YES_OR_NO[text.strip().lower()]
        try:
            return from_json(text)
        except ValueError:
            found = sorted(self.field.kinds)
            wanted = f" as {' or '.join(found)}" if found else ""
            raise UsageError(
                f"{self.name}: {text!r} cannot be read{wanted}.{self._instead(text)}"
            ) from None

    def _json_or_text(self, text: str) -> object:
        """Return the value of a text that can mean anything, unless it is JSON that is broken."""
        try:
            return from_json(text)
        except ValueError:
            if text.startswith(("[", "{")):
                quoted = f"{self.name}:={_quoted(to_json(text).decode())}"
                raise UsageError(
                    f"{self.name}: {text!r} is not JSON.{self._instead(text)} "
                    f"A text that begins like this is written {quoted}."
                ) from None
            return text

    def _instead(self, text: str) -> str:
        """Return a sentence that says how to write a text that looks like a list or an object."""
        if text.startswith("{") or self.field.kinds == {"object"}:
            return f" Quote it for the shell: {self.name}:='{{\"name\": 1}}'."
        if text.startswith("[") or (self.field.is_list and "," in text):
            return f" For a list, {self._as_list(text)}"
        return ""

    def _as_list(self, text: str) -> str:
        """Return how to write the list that ``text`` was meant to be."""
        items = [item for each in text.strip("[]").split(",") if (item := each.strip(" '\""))]
        is_text = self.field.takes_text or self.field.takes_anything
        try:
            json = to_json(items if is_text else [from_json(item) for item in items]).decode()
        except ValueError:
            json = "[...]"
        again = f", or {self.name}=... for each item" if self.field.is_list else ""
        return f"write {self.name}:={_quoted(json)}{again}."


def _quoted(json: str) -> str:
    return "'" + json.replace("'", "'\\''") + "'"
