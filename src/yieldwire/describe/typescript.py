"""From a manifest to TypeScript: the types of an application's actions, for its clients.

The same manifest is the same text, byte for byte. What a schema calls by a name becomes a
declaration of its own: definitions, and whole inputs, chunks and results that have a title.
Two that say the same are one declaration; where two of one name differ, the later gets
another name. Outputs come first, so that they keep the plain names.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from typing import Final, TypeAlias

from pydantic_core import to_json

from yieldwire.errors import Json

Schema: TypeAlias = Mapping[str, Json]

_HEADER: Final = """\
// Written by `yieldwire types`; what is changed here is lost when it is written again.
/* eslint-disable */
"""
_TAKEN: Final = frozenset({"Action", "Actions", "Blob", "File"})
"""Names that the text itself uses."""

_DEFINITIONS: Final = "#/$defs/"
_PLAIN: Final = {
    "string": "string",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
_COMBINED: Final = frozenset({"allOf", "anyOf", "oneOf"})
_WIDTH: Final = 100
_LONGEST_DEFAULT: Final = 60
_EXAMPLE: Final = re.compile(r"^\s*Examples?:\s*$", re.MULTILINE)
_LITERAL: Final = re.compile(r"(?<!`)``([^`\n]+)``(?!`)")
"""What reStructuredText writes as code; TSDoc does it with one backtick."""
_WORDS: Final = {"None": "null", "True": "true", "False": "false"}


def typescript(actions: Iterable[Schema]) -> str:
    """Return a TypeScript module with the interface ``Actions``, given a manifest's actions."""
    listed, page = list(actions), _Page()
    outputs = [
        [page.root(one.get(kind), _Place(one["alias"], kind)) for kind in ("chunk", "result")]
        for one in listed
    ]
    inputs = [page.root(one["input"], _Place(one["alias"], "input")) for one in listed]
    members: list[str] = []
    for one, taken, sent in zip(listed, inputs, outputs, strict=True):
        codes = [_literal(error["code"]) for error in one.get("errors", ())]
        arguments = ", ".join([taken, *sent, *([_union(codes)] if codes else [])])
        members += _comment(one["doc"], *_thrown(one), indent="  ")
        members.append(f"  {_key(one['alias'])}: Action<{arguments}>")
    return "\n".join(
        [
            _HEADER,
            *(['import type { Action } from "yieldwire"\n'] if listed else []),
            "\n".join(["export interface Actions {", *members, "}\n"]),
            *(text for _, text in sorted(page.texts.items())),
        ]
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """Which of an action's types is being written."""

    alias: str
    kind: str

    @property
    def is_input(self) -> bool:
        return self.kind == "input"

    def names(self, base: str) -> Iterator[str]:
        """Yield what a definition may be called here, the best first."""
        suffix = "Input" if self.is_input else "Output"
        numbered = (f"{base}{number}" for number in count(2))
        return chain((base, base + suffix, _pascal(self.alias) + base), numbered)


@dataclass(slots=True)
class _Page:
    """The declarations: their names by what they say, and their texts by name."""

    names: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def root(self, schema: Schema | None, place: _Place) -> str:
        """Return the type of a whole input, chunk or result."""
        if schema is None:
            return "never"  # an action that does not stream has no chunks
        scope = _Scope(self, schema.get("$defs", {}), place)
        whole = {key: value for key, value in schema.items() if key != "$defs"}
        title = whole.get("title")
        is_of_use = place.is_input or (place.kind == "chunk" and _COMBINED & whole.keys())
        if not title and is_of_use and "$ref" not in whole:
            title = f"{_pascal(place.alias)}{place.kind.title()}"
        return scope.named(title, whole, scope.meaning(whole)) if title else scope.type_of(whole)


@dataclass(slots=True)
class _Scope:
    """One schema, in whose definitions its references lead."""

    page: _Page
    definitions: Mapping[str, Schema]
    place: _Place
    meanings: dict[str, str] = field(default_factory=dict)

    def meaning(self, schema: Schema) -> str:
        """Return what a schema says, with all that it refers to."""
        return json.dumps([schema, self._behind(schema)], sort_keys=True)

    def named(self, title: str, schema: Schema, meaning: str) -> str:
        """Return the name of a declaration of ``schema``, writing it if there is none."""
        names, texts = self.page.names, self.page.texts
        if meaning not in names:
            free = (
                name
                for name in self.place.names(_pascal(title))
                if name not in _TAKEN and name not in texts
            )
            names[meaning] = name = next(free)
            texts[name] = ""  # it is known before it is written, as it may lead back to itself
            texts[name] = self._declared(name, schema)
        return names[meaning]

    def _behind(self, schema: Schema, *, is_shallow: bool = False) -> dict[str, Schema]:
        """Return the definitions to which references lead from ``schema``, by name."""
        found: dict[str, Schema] = {}
        ahead = [schema]
        while ahead:
            for name in _references(ahead.pop(), is_shallow=is_shallow):
                if name in self.definitions and name not in found:
                    found[name] = self.definitions[name]
                    ahead.append(found[name])
        return found

    def _declared(self, name: str, schema: Schema) -> str:
        head = "\n".join([*_comment(schema.get("description", ""), *_tags(schema)), "export "])
        if _kinds(schema) == ["object"] and schema.get("properties") and _is_alone(schema):
            members = self._members(schema, documented=True)
            return "\n".join([f"{head}interface {name} {{", *members, "}\n"])
        text = self.type_of(schema)
        if isinstance(text, _Union) and len(text) > _WIDTH:
            return f"{head}type {name} =\n" + "".join(f"  | {part}\n" for part in text.parts)
        return f"{head}type {name} = {text}\n"

    def type_of(self, schema: Json) -> str:
        """Return the type that a schema describes."""
        if not isinstance(schema, Mapping):
            return "never" if schema is False else "unknown"
        return _intersection(self._parts(schema))

    def _parts(self, schema: Schema) -> Iterator[str]:
        """Yield types all of which a value has."""
        if "$ref" in schema:
            yield self._reference(schema["$ref"])
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                tag: Schema = schema.get("discriminator", {})
                yield _union(self._option(option, tag) for option in schema[keyword])
        yield from map(self.type_of, schema.get("allOf", ()))
        if "const" in schema or "enum" in schema:
            yield _union(map(_literal, schema.get("enum", [schema.get("const")])))
        elif kinds := _kinds(schema):
            yield _union(self._of_kind(kind, schema) for kind in kinds)

    def _reference(self, reference: str) -> str:
        name = reference.removeprefix(_DEFINITIONS)
        target = self.definitions.get(name)
        # A union that is a member of itself, through others or not, cannot be written.
        if not target or name in self._behind(target, is_shallow=True):
            return "unknown"
        if name not in self.meanings:
            self.meanings[name] = self.meaning(target)
        return self.named(name, target, self.meanings[name])

    def _option(self, option: Json, discriminator: Schema) -> str:
        """Return a member of a union; its tag is required, though it has a default."""
        text, tag = self.type_of(option), discriminator.get("propertyName", "")
        reference = option.get("$ref", "") if isinstance(option, Mapping) else ""
        target = self.definitions.get(reference.removeprefix(_DEFINITIONS), {})
        tags = [
            value for value, one in discriminator.get("mapping", {}).items() if one == reference
        ]
        if not tags or tag in target.get("required", ()):
            return text
        return _intersection([text, f"{{ {_key(tag)}: {_union(map(_literal, tags))} }}"])

    def _of_kind(self, kind: str, schema: Schema) -> str:
        if kind == "object":
            return self._object(schema)
        if kind == "array":
            return self._array(schema)
        if schema.get("format") == "binary":
            return _union(["File", "Blob"])
        return _PLAIN.get(kind, "unknown")

    def _array(self, schema: Schema) -> str:
        rest = schema.get("items", True)
        if "prefixItems" not in schema:
            return _Loose(f"readonly {_grouped(self.type_of(rest))}[]")
        first: Sequence[Json] = schema["prefixItems"]
        items = [
            self.type_of(item)
            if place < schema.get("minItems", 0)
            else f"{_grouped(self.type_of(item))}?"
            for place, item in enumerate(first)
        ]
        if rest is not False and schema.get("maxItems") != len(first):
            items.append(f"...{_grouped(self.type_of(rest))}[]")
        return _Loose(f"readonly [{', '.join(items)}]")

    def _object(self, schema: Schema) -> str:
        if schema.get("properties"):
            return f"{{ {'; '.join(self._members(schema, documented=False))} }}"
        patterns: Schema = schema.get("patternProperties", {})
        extra = schema.get("additionalProperties", "properties" not in schema and not patterns)
        value = _union(map(self.type_of, [*patterns.values(), extra]))
        if keys := self._keys(schema.get("propertyNames")):
            return f"{{ {self._readonly}[key in {keys}]?: {value} }}"
        return f"{{ {self._readonly}[key: string]: {value} }}"

    def _keys(self, schema: Json) -> str:
        """Return what an object's keys are, if only some can be; each is a string."""
        if not isinstance(schema, Mapping):
            return ""
        target = self.definitions.get(schema.get("$ref", "").removeprefix(_DEFINITIONS), schema)
        values = [target["const"]] if "const" in target else target.get("enum", [])
        texts = [value if isinstance(value, str) else json.dumps(value) for value in values]
        return _union(map(_literal, texts)) if texts else ""

    def _members(self, schema: Schema, *, documented: bool) -> list[str]:
        lines: list[str] = []
        indent = "  " if documented else ""
        required = schema.get("required", ())
        for name, each in schema["properties"].items():
            if documented and isinstance(each, Mapping):
                tags = _tags(each, is_optional=name not in required)
                lines += _comment(each.get("description", ""), *tags, indent=indent)
            mark = "" if name in required else "?"
            lines.append(f"{indent}{self._readonly}{_key(name)}{mark}: {self.type_of(each)}")
        if schema.get("additionalProperties", "patternProperties" in schema) is not False:
            lines.append(f"{indent}{self._readonly}[key: string]: unknown")
        return lines

    @property
    def _readonly(self) -> str:
        # What came is shared by all who read it; what is sent is the caller's own.
        return "" if self.place.is_input else "readonly "


class _Loose(str):
    """A type that needs parentheses where it is a part of another, but for a union."""

    __slots__ = ()


class _Union(_Loose):
    """A union, in parts."""

    parts: Sequence[str]


def _union(parts: Iterable[str]) -> str:
    unique = [part for part in dict.fromkeys(parts) if part != "never"]
    if "unknown" in unique or not unique:
        return "unknown" if unique else "never"
    union = _Union(" | ".join(unique))
    union.parts = unique
    return unique[0] if len(unique) == 1 else union


def _intersection(parts: Iterable[str]) -> str:
    unique = [part for part in dict.fromkeys(parts) if part != "unknown"]
    if not unique:
        return "unknown"
    return unique[0] if len(unique) == 1 else _Loose(" & ".join(map(_grouped, unique)))


def _grouped(text: str) -> str:
    return f"({text})" if isinstance(text, _Loose) else text


def _is_alone(schema: Schema) -> bool:
    return not schema.keys() & (_COMBINED | {"$ref", "const", "enum"})


def _kinds(schema: Schema) -> Sequence[str]:
    """Return the JSON types that a schema allows; none where it does not say."""
    said: str | Sequence[str] = schema.get("type", ())
    if said:
        return [said] if isinstance(said, str) else said
    if {"properties", "additionalProperties", "patternProperties"} & schema.keys():
        return ["object"]
    return ["array"] if {"items", "prefixItems"} & schema.keys() else []


def _references(value: Json, *, is_shallow: bool) -> Iterator[str]:
    """Yield the names that a schema refers to; shallow: only where it is of the same values."""
    if isinstance(value, Mapping):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"].removeprefix(_DEFINITIONS)
        value = [each for key, each in value.items() if not is_shallow or key in _COMBINED]
    if isinstance(value, list):
        for each in value:
            yield from _references(each, is_shallow=is_shallow)


def _literal(value: Json) -> str:
    """Return the type that only ``value`` has."""
    if isinstance(value, str):
        # What cannot be seen is escaped: line separators, halves of a pair, marks of direction.
        return json.dumps(value, ensure_ascii=not value.isprintable())
    if isinstance(value, Mapping):
        members = [f"{_key(name)}: {_literal(each)}" for name, each in value.items()]
        return f"{{ {'; '.join(members)} }}" if members else "{ [key: string]: never }"
    if isinstance(value, (list, tuple)):
        return _Loose(f"readonly [{', '.join(map(_literal, value))}]")
    return to_json(value, inf_nan_mode="null").decode()


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_$][A-Za-z0-9_$]*", name) else _literal(name)


def _pascal(name: str) -> str:
    """Return ``name`` as the name of a type: what parts its words is left out."""
    readable = "".join(char if f"a{char}".isidentifier() else " " for char in name)
    joined = "".join(part[:1].upper() + part[1:] for part in re.split(r"[ _]+", readable))
    return joined if joined.isidentifier() else f"Type{joined}"


def _tags(schema: Schema, *, is_optional: bool = False) -> Iterator[str]:
    if is_optional and schema.get("default") is not None:
        default = json.dumps(schema["default"], ensure_ascii=False)
        if len(default) <= _LONGEST_DEFAULT:
            yield f"@defaultValue {default}"
    if schema.get("deprecated"):
        yield "@deprecated"


def _thrown(action: Schema) -> Iterator[str]:
    for error in action.get("errors", ()):
        if error.get("doc"):
            yield f"@throws `{error['code']}` {' '.join(error['doc'].split())}"


def _comment(text: str, *tags: str, indent: str = "") -> list[str]:
    """Return a TSDoc comment's lines, or none."""
    told = _EXAMPLE.split(text)[0].strip()  # in Python, so of no use here
    lines = [_harmless(line) for line in [*_LITERAL.sub(_code, told).splitlines(), *tags]]
    if len(lines) == 1:
        return [f"{indent}/** {lines[0]} */"]
    if not lines:
        return []
    middle = [f"{indent} * {line}".rstrip() for line in lines]
    return [f"{indent}/**", *middle, f"{indent} */"]


def _code(match: re.Match[str]) -> str:
    return f"`{_WORDS.get(match[1], match[1])}`"


def _harmless(line: str) -> str:
    seen = "".join(char if char.isprintable() else " " for char in line.rstrip())
    return seen.replace("*/", "*\\/")
