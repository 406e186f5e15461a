"""Pieces of Python text: names, literals, unions, docstrings."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from keyword import iskeyword
from math import isfinite
from textwrap import wrap
from typing import Final
from unicodedata import normalize

from yieldwire.describe.declaration import prose
from yieldwire.describe.schema import Schema
from yieldwire.errors import Json

WIDTH: Final = 100
_LONGEST_DEFAULT: Final = 60
_LARGEST: Final = 2**63 - 1
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_WORD: Final = re.compile(r"(?<![\w.])[^\W\d]\w*")
_LIMITS: Final[Mapping[str, str]] = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "exclusiveMaximum": "< {}",
    "multipleOf": "a multiple of {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches ``{}``",
}


def words_in(text: str) -> set[str]:
    """Return the names that a type uses."""
    return set(_WORD.findall(_STRING.sub("", text)))


def identifier(name: str, taken: Collection[str]) -> str:
    """Return ``name`` as a name that Python allows and that is not ``taken``."""
    text = "".join(char if f"a{char}".isidentifier() else "_" for char in name)
    text = normalize("NFKC", text).lstrip("_")
    if not text.isidentifier():
        text = f"field_{text}".rstrip("_")
    while iskeyword(text) or text in taken:
        text += "_"
    return text


def quoted(text: str) -> str:
    """Return a string in Python; what cannot be seen is escaped."""
    return '"' + "".join(map(_char, text)) + '"'


def _char(char: str) -> str:
    if char in {'"', "\\"}:
        return f"\\{char}"
    return char if char.isprintable() else char.encode("unicode_escape").decode()


def literal(values: Sequence[Json]) -> str:
    """Return the type that only these values have, as far as Python can say that."""
    exact = dict.fromkeys(_text(value) for value in values if _is_exact(value))
    parts = [f"Literal[{', '.join(exact)}]"] if exact else []
    others = (_PLAIN.get(type(value), "Any") for value in values if not _is_exact(value))
    return union([*parts, *others] or ["Any"])


def _is_exact(value: Json) -> bool:
    if isinstance(value, int):
        return abs(value) <= _LARGEST  # mypy knows no larger ones
    return isinstance(value, str)


_PLAIN: Final[Mapping[type, str]] = {
    type(None): "None",
    int: "int",
    float: "float",
    list: "list[Any]",
    dict: "dict[str, Any]",
}


def _text(value: Json) -> str:
    return quoted(value) if isinstance(value, str) else repr(value)


def union(parts: Iterable[str]) -> str:
    """Return the type of a value that has one of these types; of none, if there are none."""
    unique = list(dict.fromkeys(parts))
    if "Any" in unique or not unique:
        return "Any" if unique else "Never"
    return " | ".join(unique)


def members_of(text: str) -> list[str]:
    """Return the types of which a type is a union."""
    hidden, depth, ends = _STRING.sub(lambda found: "_" * len(found[0]), text), 0, [-3]
    for place, char in enumerate(hidden):
        depth += (char == "[") - (char == "]")
        if char == "|" and not depth:
            ends.append(place - 1)
    return [text[start + 3 : end] for start, end in pairwise([*ends, len(text)])]


def parameter_default(schema: Json) -> str:
    """Return the default value of a parameter, which is not sent."""
    return f"default({_default(schema)})"


def shown_default(schema: Json) -> str:
    """Return a sentence about a field's default; empty if it is long, or not known."""
    text = _default(schema)
    return f"Default: ``{text}``." if text else ""


def _default(schema: Json) -> str:
    if not isinstance(schema, Mapping) or "default" not in schema:
        return ""
    text = _value(schema["default"])
    return text if len(text) <= _LONGEST_DEFAULT else ""


def _value(value: Json) -> str:
    if isinstance(value, dict):
        return f"{{{', '.join(f'{quoted(name)}: {_value(each)}' for name, each in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, float) and not isfinite(value):
        return f'float("{value}")'
    return _text(value)


def described(schema: Json, *, limited: bool) -> str:
    """Return what a field's schema says about its values, as one line.

    Args:
        schema: The field's schema.
        limited: Whether its limits are of interest: to those who set it.
    """
    if not isinstance(schema, Mapping):
        return ""
    text = " ".join(prose(schema.get("description", "")).split())
    limits = ", ".join(_limits(schema)) if limited else ""
    sentence = f"{limits[0].upper()}{limits[1:]}." if limits else ""
    return " ".join(filter(None, [text, sentence, "Deprecated." * bool(schema.get("deprecated"))]))


def _limits(schema: Schema) -> Iterator[str]:
    for one in (schema, *schema.get("anyOf", ())):
        if isinstance(one, Mapping) and "prefixItems" not in one:
            for keyword, words in _LIMITS.items():
                if isinstance(limit := one.get(keyword), (str, int, float)):
                    told = words.format(limit)
                    yield told.removesuffix("s") if limit == 1 else told


def docstring(text: str, sections: Mapping[str, Sequence[str]], indent: str) -> list[str]:
    """Return a docstring's lines; none if there is nothing to say."""
    lines = prose(text).splitlines()
    for title, entries in sections.items():
        if entries and f"{title}:" not in map(str.strip, lines):
            told = (line for entry in entries for line in _wrapped(entry, len(indent)))
            lines += ["", f"{title}:", *told]
    safe = [_harmless(line) for line in lines]
    if not safe:
        return []
    if len(safe) == 1:
        return [f'{indent}"""{safe[0]}"""']
    middle = [f"{indent}{line}".rstrip() for line in safe[1:]]
    return [f'{indent}"""{safe[0]}', *middle, f'{indent}"""']


def _wrapped(entry: str, used: int) -> list[str]:
    return wrap(
        entry,
        WIDTH - used,
        initial_indent=" " * 4,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _harmless(line: str) -> str:
    seen = "".join(char if char.isprintable() else " " for char in line.rstrip())
    safe = seen.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    return f'{safe[:-1]}\\"' if safe.endswith('"') else safe


def listed(opening: str, items: Sequence[str], closing: str, indent: str) -> list[str]:
    """Return the lines of items in brackets: one, if it is short enough."""
    line = f"{indent}{opening}{', '.join(items)}{closing}"
    if len(line) <= WIDTH:
        return [line]
    return [f"{indent}{opening}", *(f"{indent}    {item}," for item in items), f"{indent}{closing}"]
