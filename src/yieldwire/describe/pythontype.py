"""The types of a manifest in Python: of what callers send, and of what they get."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from yieldwire.describe.declaration import Declarations, Part, Scope, is_alone
from yieldwire.describe.pythontext import (
    described,
    docstring,
    identifier,
    literal,
    quoted,
    shown_default,
    union,
    words_in,
)
from yieldwire.describe.schema import Schema, definition_name, is_file, kinds
from yieldwire.errors import Json

INDENT: Final = " " * 4
_PLAIN: Final[Mapping[str, str]] = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}
_FORMATS: Final[Mapping[str, str]] = {
    "date": "dt.date",
    "date-time": "dt.datetime",
    "decimal": "Decimal",
    "duration": "dt.timedelta",
    "time": "dt.time",
    "uuid": "UUID",
}
_MOST_LENGTHS: Final = 4
"""How many lengths of a tuple are told apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A field of an object: its name in JSON and in Python, its type and its schema."""

    name: str
    own: str
    type: str
    schema: Json
    is_required: bool


@dataclass(slots=True)
class Types:
    """The types that are declared: classes, and names for other types."""

    declarations: Declarations
    aliases: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Types and descriptions by the names for them."""
    used: set[str] = field(default_factory=set)
    """The names that the texts use."""

    def root(self, schema: Schema | None, part: Part) -> str:
        """Return the type of a whole input, chunk, result, answer or message."""
        if schema is None:
            return "Never"  # an action that does not stream has no chunks
        return TypeScope(self, schema, part).root(schema)


class TypeScope(Scope):
    """One schema of a manifest."""

    unknown = "Any"

    def __init__(self, types: Types, schema: Schema, part: Part) -> None:
        super().__init__(types.declarations, schema, part)
        self._types = types

    def meaning(self, schema: Schema) -> str:
        """Return the content of a schema; only plain values are the same when sent and when got."""
        is_plain = "enum" in schema or "const" in schema
        return f"{is_plain or self.part.is_input} {super().meaning(schema)}"

    def declared(self, name: str, schema: Schema) -> str:
        """Return a class; keep the type if it is not one."""
        if not is_class(schema):
            self._types.aliases[name] = (self.type_of(schema), schema.get("description", ""))
            return ""
        fields = self.fields(schema)
        if self.part.is_input:
            fields = [one for one in fields if one.name]  # type checkers know no empty name
        self._types.used |= set[str]().union(*(words_in(one.type) for one in fields))
        if self.part.is_input:
            return self._typed_dict(name, schema, fields)
        return self._dataclass(name, schema, fields)

    def fields(self, schema: Schema, taken: Collection[str] = ()) -> list[Member]:
        """Return an object's fields, with names that hide nothing that their types use."""
        types = {name: self.type_of(each) for name, each in schema["properties"].items()}
        used = set(taken).union(*map(words_in, types.values()))
        fields: list[Member] = []
        for name, each in schema["properties"].items():
            own = identifier(name, used)
            used.add(own)
            is_required = name in schema.get("required", ()) or self._is_tag(each)
            fields.append(
                Member(name=name, own=own, type=types[name], schema=each, is_required=is_required)
            )
        return fields

    def _is_tag(self, schema: Json) -> bool:
        """Whether a field tells the members of a union apart: the server needs it there."""
        return self.part.is_input and isinstance(schema, Mapping) and "const" in schema

    def _dataclass(self, name: str, schema: Schema, fields: list[Member]) -> str:
        is_open = _is_open(schema)
        slots = "" if is_open else "slots=True, "
        self._types.used.add("dataclass")
        head = [f"@dataclass(frozen=True, {slots}kw_only=True)", f"class {name}:"]
        body = docstring(schema.get("description", ""), {}, INDENT)
        body += [""] if body and (fields or is_open) else []
        body += [f'{INDENT}__pydantic_config__ = {{"extra": "allow"}}'] if is_open else []
        for one in fields:
            kind = one.type if one.is_required else union([one.type, "None"])
            if one.own != one.name:
                self._types.used |= {"Annotated", "Field"}
                kind = f"Annotated[{kind}, Field(alias={quoted(one.name)})]"
            body.append(f"{INDENT}{one.own}: {kind}{'' if one.is_required else ' = None'}")
            body += docstring(described(one.schema, limited=False), {}, INDENT)
        return "\n".join([*head, *(body or [f"{INDENT}pass"]), ""])

    def _typed_dict(self, name: str, schema: Schema, fields: list[Member]) -> str:
        self._types.used.add("TypedDict")
        kinds_ = [one.type if one.is_required else f"NotRequired[{one.type}]" for one in fields]
        self._types.used |= {"NotRequired" for one in fields if not one.is_required}
        text = schema.get("description", "")
        if any(one.own != one.name for one in fields):
            lines = [f"{name} = TypedDict(", f"{INDENT}{quoted(name)},", f"{INDENT}{{"]
            for one, kind in zip(fields, kinds_, strict=True):
                lines.append(f"{INDENT * 2}{quoted(one.name)}: {quoted(kind)},")
            return "\n".join([*lines, f"{INDENT}}},", ")", *docstring(text, {}, ""), ""])
        body = docstring(text, {}, INDENT)
        body += [""] if body and fields else []
        for one, kind in zip(fields, kinds_, strict=True):
            body.append(f"{INDENT}{one.own}: {kind}")
            told = [described(one.schema, limited=True), shown_default(one.schema)]
            body += docstring(" ".join(filter(None, told)), {}, INDENT)
        return "\n".join([f"class {name}(TypedDict):", *(body or [f"{INDENT}pass"]), ""])

    def type_of(self, schema: Json) -> str:
        """Return the type that a schema describes."""
        if not isinstance(schema, Mapping):
            return "Any"
        parts = [part for part in dict.fromkeys(self._parts(schema)) if part != "Any"]
        return parts[0] if len(parts) == 1 else "Any"  # Python has no type for both

    def _parts(self, schema: Schema) -> Iterator[str]:
        """Yield the types that a value has all at once."""
        if "$ref" in schema:
            yield self.reference(schema["$ref"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                yield union(map(self.type_of, schema[keyword]))
        yield from map(self.type_of, schema.get("allOf", ()))
        if "const" in schema or "enum" in schema:
            yield literal(schema.get("enum", [schema.get("const")]))
        elif found := kinds(schema):
            yield union(self._of_kind(kind, schema) for kind in found)

    def _of_kind(self, kind: str, schema: Schema) -> str:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if is_file(schema) and self.part.is_input:
            return "FileLike"
        plain = _PLAIN.get(kind, "Any")
        exact = _FORMATS.get(schema.get("format", ""), plain) if kind == "string" else plain
        # Callers often have the text itself.
        return union([exact, plain]) if self.part.is_input else exact

    def _array(self, schema: Schema) -> str:
        rest = schema.get("items", True)
        first = schema.get("prefixItems", [])
        if not first:
            item = self.type_of(rest)
            many = "Collection" if schema.get("uniqueItems") else "Sequence"
            return f"{many}[{item}]" if self.part.is_input else f"list[{item}]"
        items = list(map(self.type_of, first))
        least = schema.get("minItems", 0)
        is_closed = rest is False or schema.get("maxItems") == len(first)
        lengths = range(least, len(first) + 1)
        if is_closed and 0 < len(lengths) <= _MOST_LENGTHS:
            return union(f"tuple[{', '.join(items[:length]) or '()'}]" for length in lengths)
        item = union(items if is_closed else [*items, self.type_of(rest)])
        return f"Sequence[{item}]" if self.part.is_input else f"list[{item}]"

    def _object(self, schema: Schema) -> str:
        if "properties" in schema:
            own = {
                "type": "object",
                **{key: each for key, each in schema.items() if key in _OBJECT},
            }
            return self.named(schema.get("title") or "Item", own, self.meaning(own))
        patterns: Schema = schema.get("patternProperties", {})
        extra = schema.get("additionalProperties", not patterns)
        values = [*patterns.values(), *([] if extra is False and patterns else [extra])]
        value = union(map(self.type_of, values))
        key = self._keys(schema.get("propertyNames"))
        return f"Mapping[{key}, {value}]" if self.part.is_input else f"dict[{key}, {value}]"

    def _keys(self, schema: Json) -> str:
        """Return the type of an object's keys; each key is a string."""
        if not isinstance(schema, Mapping):
            return "str"
        target = self.definitions.get(definition_name(schema.get("$ref", "")), schema)
        values = [target["const"]] if "const" in target else target.get("enum", [])
        is_text = values and all(isinstance(value, str) for value in values)
        return literal(values) if is_text else "str"


_OBJECT: Final = frozenset(
    {"additionalProperties", "description", "patternProperties", "properties", "required", "title"}
)
"""The keywords of an object with fields."""


def is_class(schema: Schema) -> bool:
    """Whether a schema is that of an object with fields."""
    return kinds(schema) == ["object"] and "properties" in schema and is_alone(schema)


def _is_open(schema: Schema) -> bool:
    return schema.get("additionalProperties", "patternProperties" in schema) is not False
