"""Reads JSON Schema: the targets of its references, its alternatives, its JSON types.

Every reader of an action's schemas uses this one module: forms, the command line, OpenAPI, and the
types for clients. It expects schemas as Pydantic writes them, with definitions in ``$defs``.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final, TypeAlias

from yieldwire.errors import Json

Schema: TypeAlias = Mapping[str, Json]
Definitions: TypeAlias = Mapping[str, Schema]

COMBINED: Final = frozenset({"allOf", "anyOf", "oneOf"})
"""The keywords that hold schemas for the same value."""

NEVER_EMPTY: Final = frozenset(
    {"date", "date-time", "decimal", "duration", "email", "ipv4", "ipv6", "time", "uri", "uuid"}
)
"""The formats of JSON Schema that an empty text never has."""

_DEFINITIONS: Final = "#/$defs/"
_OF_VALUES: Final[Mapping[type, str]] = {
    bool: "boolean",
    dict: "object",
    float: "number",
    int: "integer",
    list: "array",
    str: "string",
    type(None): "null",
}


def kind_of(value: Json) -> str:
    """Return the JSON type of a value that was read from JSON."""
    return _OF_VALUES[type(value)]


def definitions_of(schema: Schema) -> Definitions:
    """Return the definitions for the references in a whole schema."""
    found: Definitions = schema.get("$defs", {})
    return found


def properties_of(schema: Schema) -> Mapping[str, Schema]:
    """Return the schemas of an input's fields by their names."""
    found: Mapping[str, Schema] = resolved(schema, definitions_of(schema)).get("properties", {})
    return found


VALUE: Final = "value"
"""The field of a form for a value that is not an object."""


def form_of(schema: Schema) -> Schema:
    """Return the schema of a form's fields for a value: that of an object, or one field."""
    found = alternatives(schema, definitions_of(schema))
    if not any(map(kinds, found)) or any("object" in kinds(one) for one in found):
        return schema
    value = {name: part for name, part in schema.items() if name != "$defs"}
    fields = {"type": "object", "properties": {VALUE: value}, "required": [VALUE]}
    return {**fields, "$defs": definitions_of(schema)}


def definition_name(reference: str) -> str:
    """Return the name of the definition for a ``$ref``."""
    return reference.removeprefix(_DEFINITIONS)


def resolved(schema: Schema, definitions: Definitions) -> Schema:
    """Return the target of a schema that is a reference, or else the schema itself."""
    while "$ref" in schema:
        schema = definitions.get(definition_name(schema["$ref"]), {})
    return schema


def alternatives(schema: Schema, definitions: Definitions) -> list[Schema]:
    """Return the schemas of which a value can match one, without references."""
    schema = resolved(schema, definitions)
    parts = list(chain.from_iterable(schema.get(word, ()) for word in ("anyOf", "oneOf", "allOf")))
    return [found for one in parts for found in alternatives(one, definitions)] or [schema]


def kinds(schema: Schema) -> Sequence[str]:
    """Return the JSON types that a schema allows; empty if it does not say."""
    declared: str | Sequence[str] = schema.get("type", ())
    if declared:
        return [declared] if isinstance(declared, str) else declared
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return list(dict.fromkeys(kind_of(value) for value in values))
    if {"properties", "additionalProperties", "patternProperties"} & schema.keys():
        return ["object"]
    return ["array"] if {"items", "prefixItems"} & schema.keys() else []


def is_file(schema: Json) -> bool:
    """Whether a schema is that of an uploaded file."""
    return isinstance(schema, Mapping) and schema.get("format") == "binary"


def has_file(schema: Json) -> bool:
    """Whether a value can contain an uploaded file, at any depth."""
    within = schema.values() if isinstance(schema, Mapping) else schema
    return is_file(schema) or (isinstance(schema, (Mapping, list)) and any(map(has_file, within)))


def references(value: Json, *, is_shallow: bool = False) -> Iterator[str]:
    """Yield the names that a schema refers to; shallow: only those for the same values."""
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield definition_name(value["$ref"])
        value = [each for key, each in value.items() if not is_shallow or key in COMBINED]
    if isinstance(value, list):
        for each in value:
            yield from references(each, is_shallow=is_shallow)


def with_references(value: Json, refer: Callable[[str], str]) -> Json:
    """Return a schema in which each reference is replaced by ``refer`` of its name."""
    # In `$ref` and in the mapping of a discriminator; no other string starts like this.
    if isinstance(value, str) and value.startswith(_DEFINITIONS):
        return refer(definition_name(value))
    if isinstance(value, dict):
        return {key: with_references(each, refer) for key, each in value.items()}
    if isinstance(value, list):
        return [with_references(each, refer) for each in value]
    return value


@dataclass(frozen=True, slots=True)
class Field:
    """The values of an input's field, for sources that only have text: forms, a command line."""

    every: Sequence[Schema]
    """Its alternatives."""
    items: Sequence[Schema]
    """The alternatives of its items, if it takes a list."""
    kinds: frozenset[str]
    """The JSON types that it allows; empty: any."""

    @classmethod
    def of(cls, schema: Schema, definitions: Definitions) -> "Field":
        """Read a field's schema."""
        every = alternatives(schema, definitions)
        found = frozenset(chain.from_iterable(map(kinds, every)))
        lists = [one for one in every if "array" in kinds(one)]
        items = alternatives(lists[0].get("items", {}), definitions) if lists else []
        return cls(every, items, found)

    @property
    def is_list(self) -> bool:
        """Whether it takes a list."""
        return "array" in self.kinds

    @property
    def choices(self) -> Sequence[Schema]:
        """The alternatives of one value: of an item, if it takes a list."""
        return self.items if self.is_list else self.every

    @property
    def takes_text(self) -> bool:
        """Whether one value can be text, and not a file."""
        return any("string" in kinds(one) and not is_file(one) for one in self.choices)

    @property
    def takes_empty_text(self) -> bool:
        """Whether its value can be an empty text: not that of a choice, a date, an address."""
        return not self.kinds or any(
            "string" in kinds(one)
            and "" in one.get("enum", [one.get("const", "")])
            and one.get("format") not in NEVER_EMPTY
            for one in self.every
        )

    @property
    def takes_file(self) -> bool:
        """Whether one value can be a file."""
        return any(map(is_file, self.choices))

    @property
    def takes_anything(self) -> bool:
        """Whether the schema does not restrict one value."""
        return not any(map(kinds, self.choices))
