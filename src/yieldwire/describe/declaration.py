"""Names the types of a manifest in generated text: one for each content, never one for two.

A named schema becomes a declaration: definitions, and whole inputs, chunks and results that have
a title. Two with the same content are one declaration; if two with one name differ, the later one
gets another name. Each language says how a type and a declaration are written.
"""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count
from typing import ClassVar, Final

from yieldwire.describe.schema import COMBINED, Schema, definition_name, definitions_of, references
from yieldwire.errors import Json

_EXAMPLE: Final = re.compile(r"^\s*Examples?:\s*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """Which of an action's types is being written."""

    alias: str
    kind: str

    @property
    def is_input(self) -> bool:
        """Whether callers send it."""
        return self.kind in {"input", "answer", "message"}

    def names(self, base: str) -> Iterator[str]:
        """Yield possible names for a definition, the best first."""
        suffix = "Input" if self.is_input else "Output"
        numbered = (f"{base}{number}" for number in count(2))
        return chain((base, base + suffix, pascal(self.alias) + base), numbered)


@dataclass(slots=True)
class Declarations:
    """The declarations: their names by their content, and their texts by name.

    Args:
        taken: Names that the generated text itself uses.
    """

    taken: frozenset[str]
    names: dict[str, str] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)

    def reserve(self, part: Part, base: str) -> str:
        """Return a name that no other declaration has."""
        free = (
            name for name in part.names(base) if name not in self.taken and name not in self.texts
        )
        name = next(free)
        self.texts[name] = ""  # before it is written, as it can refer to itself
        return name


class Scope(ABC):
    """One schema, whose references lead to its definitions."""

    unknown: ClassVar[str]
    """The type of every value."""

    def __init__(self, page: Declarations, schema: Schema, part: Part) -> None:
        self.declarations: Final = page
        self.definitions: Final = definitions_of(schema)
        self.part: Final = part
        self._meanings: dict[str, str] = {}

    @abstractmethod
    def type_of(self, schema: Json) -> str:
        """Return the type that a schema describes."""

    @abstractmethod
    def declared(self, name: str, schema: Schema) -> str:
        """Return the declaration of a schema under a name."""

    def root(self, schema: Schema) -> str:
        """Return the type of a whole input, chunk, result, answer or message."""
        part, whole = self.part, {key: value for key, value in schema.items() if key != "$defs"}
        title = whole.get("title")
        is_of_use = part.kind == "input" or (part.kind == "chunk" and COMBINED & whole.keys())
        if not title and is_of_use and "$ref" not in whole:
            title = f"{pascal(part.alias)}{part.kind.title()}"
        return self.named(title, whole, self.meaning(whole)) if title else self.type_of(whole)

    def meaning(self, schema: Schema) -> str:
        """Return the content of a schema, including all that it refers to."""
        return json.dumps([schema, self._behind(schema)], sort_keys=True)

    def named(self, title: str, schema: Schema, meaning: str) -> str:
        """Return the name of the declaration of ``schema``; write it if there is none."""
        names = self.declarations.names
        if meaning not in names:
            names[meaning] = name = self.declarations.reserve(self.part, pascal(title))
            self.declarations.texts[name] = self.declared(name, schema)
        return names[meaning]

    def reference(self, reference: str) -> str:
        """Return the name of the declaration for a ``$ref``."""
        name = definition_name(reference)
        target = self.definitions.get(name)
        # A union that contains itself, directly or not, cannot be written.
        if not target or name in self._behind(target, is_shallow=True):
            return self.unknown
        if name not in self._meanings:
            self._meanings[name] = self.meaning(target)
        return self.named(name, target, self._meanings[name])

    def _behind(self, schema: Schema, *, is_shallow: bool = False) -> dict[str, Schema]:
        """Return the definitions to which references lead from ``schema``, by name."""
        found: dict[str, Schema] = {}
        ahead = [schema]
        while ahead:
            for name in references(ahead.pop(), is_shallow=is_shallow):
                if name in self.definitions and name not in found:
                    found[name] = self.definitions[name]
                    ahead.append(found[name])
        return found


def is_alone(schema: Schema) -> bool:
    """Whether no other keyword restricts the same value."""
    return not schema.keys() & (COMBINED | {"$ref", "const", "enum"})


def tags_of(option: Json, discriminator: Schema, definitions: Mapping[str, Schema]) -> list[str]:
    """Return the tags of a union's member, if it can lack them by its own schema."""
    reference = option.get("$ref", "") if isinstance(option, Mapping) else ""
    target = definitions.get(definition_name(reference), {})
    if discriminator.get("propertyName", "") in target.get("required", ()):
        return []
    return [value for value, one in discriminator.get("mapping", {}).items() if one == reference]


def prose(text: str) -> str:
    """Return a docstring without its example, which is of no use to a caller."""
    return _EXAMPLE.split(text)[0].strip()


def pascal(name: str) -> str:
    """Return ``name`` as the name of a type, without the separators of its words."""
    readable = "".join(char if f"a{char}".isidentifier() else " " for char in name)
    joined = "".join(part[:1].upper() + part[1:] for part in re.split(r"[ _]+", readable))
    return joined if joined.isidentifier() else f"Type{joined}"
