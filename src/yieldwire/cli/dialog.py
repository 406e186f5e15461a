"""Asks a person for a value, as its JSON Schema describes it: field by field, line by line."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from pydantic_core import to_json

from yieldwire.cli.argument import kind_of, read_text
from yieldwire.describe.schema import Field, Schema, definitions_of, properties_of, resolved
from yieldwire.errors import FieldErrors, Json, UsageError

_ABSENT: Final = object()
"""The value of a field that is left to its default."""


class Away(Exception):
    """The person has closed the input, as Ctrl-D does."""


class Person(Protocol):
    """A person who answers line by line."""

    async def ask(self, prompt: str) -> str:
        """Write a prompt, and return the line that the person enters.

        Raises:
            Away: If the person has closed the input.
        """
        ...

    def retract(self) -> None:
        """Remove the prompt whose line is no longer needed."""
        ...

    def tell(self, text: str) -> None:
        """Write a line."""
        ...


class Dialog:
    """The dialog about one value. After an answer that is refused, it asks for what was wrong."""

    def __init__(self, person: Person, schema: Schema) -> None:
        self._person, self._schema = person, schema
        self._definitions, self._fields = definitions_of(schema), properties_of(schema)
        self._given: dict[str, object] = {}

    async def value(self) -> object:
        """Ask for what is not given yet, and return the value.

        Raises:
            Away: If the person has closed the input.
        """
        if not self._fields:
            return await self._ask("answer", self._schema, is_needed=True)
        needed: Sequence[str] = resolved(self._schema, self._definitions).get("required", ())
        for name, schema in self._fields.items():
            if name not in self._given:
                self._given[name] = await self._ask(name, schema, is_needed=name in needed)
        return {name: value for name, value in self._given.items() if value is not _ABSENT}

    def reject(self, errors: FieldErrors) -> None:
        """Tell what is wrong, and forget the fields that are."""
        for path, messages in errors.items():
            head = "" if path == "_root" else f"{path}: "
            for message in messages:
                self._person.tell(f"  {head}{message}")
        wrong = {path.partition(".")[0] for path in errors}
        if not wrong & self._given.keys():
            wrong = set(self._given)
        self._given = {name: one for name, one in self._given.items() if name not in wrong}

    async def _ask(self, name: str, schema: Schema, *, is_needed: bool) -> object:
        field, choices = Field.of(schema, self._definitions), _choices_of(schema, self._definitions)
        if described := schema.get("description"):
            self._person.tell(f"  {described}")
        while True:
            text = await self._person.ask(f"{name}{self._hint(schema, choices)}: ")
            if not text.strip():
                if not is_needed:
                    return _ABSENT
                if not field.takes_empty_text:
                    self._person.tell("A value is needed. Ctrl-D leaves the question open.")
                    continue
            try:
                if choices:
                    return _chosen(text, choices)
                return await asyncio.to_thread(read_text, name, text, field)  # of a file, its path
            except UsageError as exc:
                self._person.tell(str(exc))

    def _hint(self, schema: Schema, choices: Mapping[str, Json]) -> str:
        """Return what can be entered, and the default."""
        kind = kind_of(schema, self._definitions)
        if choices:
            parts = ["/".join(choices)]
        elif kind == "boolean":
            parts = ["y/n"]
        elif Field.of(schema, self._definitions).takes_file:
            parts = ["path of a file"]
        elif {"object", "array"} & Field.of(schema, self._definitions).kinds:
            parts = [f"{kind}, as JSON"]
        else:
            parts = [] if kind == "string" else [kind]
        default = schema.get("default")
        if default is not None and default != "" and not isinstance(default, (dict, list)):
            parts.append(f"default {_text(default)}")
        return f" [{', '.join(parts)}]" if parts else ""


def _choices_of(schema: Schema, definitions: Mapping[str, Schema]) -> Mapping[str, Json]:
    """Return the only values that a schema allows, by the texts for them; empty: any."""
    found: dict[str, Json] = {}
    for one in Field.of(schema, definitions).every:
        if one.get("type") == "null":
            continue
        if "enum" not in one and "const" not in one:
            return {}
        found |= {_text(value): value for value in one.get("enum", [one.get("const")])}
    return found


def _chosen(text: str, choices: Mapping[str, Json]) -> Json:
    """Return the value that a text means: a choice, or the beginning of only one.

    Raises:
        UsageError: If there is no such choice.
    """
    word = text.strip()
    found = [word] if word in choices else [each for each in choices if each.startswith(word)]
    if len(found) == 1:
        return choices[found[0]]
    raise UsageError(f"{word!r} is not one of {', '.join(choices)}.")


def _text(value: Json) -> str:
    return value if isinstance(value, str) else to_json(value).decode()
