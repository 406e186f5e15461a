"""A JSON value as HTML for people, shown by its schema: text, tables, lists, images and links.

Nothing in a value is trusted. It becomes text, or an attribute whose form was checked.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic_core import to_json

from yieldwire.asgi.pages.link import site_path
from yieldwire.asgi.pages.markup import Child, Markup, joined, tag
from yieldwire.describe.schema import (
    Definitions,
    Schema,
    alternatives,
    definitions_of,
    kind_of,
    kinds,
)
from yieldwire.errors import Json

MOST_VALUES: Final = 2000
"""How many values one page shows, so that building it does not hold up the event loop."""
MOST_COLUMNS: Final = 100
MOST_CHARACTERS: Final = 500_000
"""How much of one text is shown."""
_DEPTH: Final = 5
_INLINE_CHARACTERS: Final = 2000
_ANYTHING: Final[Schema] = {}
_DATA: Final = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,([A-Za-z0-9+/]+={0,2})", re.ASCII)
_IMAGE: Final = re.compile(r"data:image/[a-z0-9.+-]+[;,][^\s\\]*", re.ASCII)
_MEDIA_TYPE: Final = re.compile(r"[a-z]+/(\*|[a-z0-9.+-]+)", re.ASCII)
_STANDARD: Final = str.maketrans("-_", "+/", "\r\n ")
"""From base 64 as Python writes it for URLs to that of ``data:`` URLs."""
_WEB: Final = re.compile(r"https?://[^\s\"'<>\\^`{|}]+")
_LINKS: Final = frozenset({"uri", "uri-reference", "iri", "iri-reference"})
"""The formats of JSON Schema whose values are shown as links."""
_NONE: Final = "\u2013"
"""A dash, for nothing."""
_CHOICES: Final[Mapping[bool | None, str]] = {True: "Yes", False: "No", None: _NONE}
_THOUSAND: Final = 1000


def shown(value: Json, schema: Schema | None) -> Markup:
    """Return ``value`` as a block of HTML.

    At most `MOST_VALUES` of it are shown, and what is nested too deeply is shown as JSON.
    """
    return _Rendering(schema or _ANYTHING).block(value, schema or _ANYTHING, _DEPTH)


def label_of(name: str, schema: Schema = _ANYTHING) -> str:
    """Return the label of a field: its title if it has one, or its name in words."""
    title: Json = schema.get("title")
    words = name.replace("_", " ")
    # Pydantic gives each field a title that is made of its name.
    if isinstance(title, str) and title and title.lower() != words.lower():
        return title
    return words[:1].upper() + words[1:] or _NONE


class _Rendering:
    def __init__(self, schema: Schema) -> None:
        self._definitions: Final[Definitions] = definitions_of(schema)
        self._known: dict[int, Sequence[tuple[Schema, Sequence[str]]]] = {}
        self._left = MOST_VALUES

    def block(self, value: Json, schema: Schema, depth: int) -> Markup:
        """Return a value as a block, which can be a cell of another."""
        self._left -= 1
        schema = self._fitting(value, schema)
        if isinstance(value, str):
            return _text(value, schema)
        if isinstance(value, bool) or value is None:
            return tag("p", _CHOICES[value])
        if isinstance(value, (int, float)):
            return tag("p", str(value), class_="number")
        return self._container(value, schema, depth)

    def _container(self, value: Json, schema: Schema, depth: int) -> Markup:
        if not value:
            return tag("p", "Nothing", class_="muted")
        if depth == 0:
            return tag("code", _cut(to_json(value).decode(), _INLINE_CHARACTERS))
        if isinstance(value, dict):
            return self._fields(value, schema, depth)
        are_rows = all(isinstance(each, dict) and each for each in value)
        return (self._table if are_rows else self._items)(value, schema, depth)

    def _fitting(self, value: Json, schema: Schema) -> Schema:
        """Return the alternative of ``schema`` that describes the value."""
        kind = kind_of(value)
        for each, allowed in self._alternatives(schema):
            fits = kind in allowed or (kind == "integer" and "number" in allowed)
            if fits and (kind != "object" or _has_form(value, each)):
                return each
        return _ANYTHING

    def _alternatives(self, schema: Schema) -> Sequence[tuple[Schema, Sequence[str]]]:
        found = self._known.get(id(schema))
        if found is None:
            every = alternatives(schema, self._definitions)
            found = self._known[id(schema)] = [(each, kinds(each)) for each in every]
        return found

    def _fields(self, value: Mapping[str, Json], schema: Schema, depth: int) -> Markup:
        parts: list[Child] = []
        for name in _names([value], schema):
            if self._left <= 0:
                parts.append(tag("dt", "…"))
                break
            within = _property(schema, name)
            parts.append(tag("dt", label_of(name, within)))
            parts.append(tag("dd", self.block(value[name], within, depth - 1)))
        return tag("dl", parts)

    def _items(self, value: Sequence[Json], schema: Schema, depth: int) -> Markup:
        items: Schema = schema.get("items") or _ANYTHING
        parts: list[Child] = []
        for each in value:
            if self._left <= 0:
                break
            parts.append(tag("li", self.block(each, items, depth - 1)))
        return joined(tag("ul", parts), _more(len(parts), len(value), "entries"))

    def _table(self, rows: Sequence[Mapping[str, Json]], schema: Schema, depth: int) -> Markup:
        items = self._fitting(rows[0], schema.get("items") or _ANYTHING)
        columns = [
            (name, _property(items, name), _side(rows, name))
            for name in _names(rows[:MOST_VALUES], items)[:MOST_COLUMNS]
        ]
        heads = [
            tag("th", label_of(name, within), scope="col", class_=side)
            for name, within, side in columns
        ]
        lines: list[Child] = []
        for row in rows:
            if self._left <= 0:
                break
            cells = [
                tag("td", self._cell(row, name, within, depth), class_=side)
                for name, within, side in columns
            ]
            lines.append(tag("tr", cells))
        table = tag("table", tag("thead", tag("tr", heads)), tag("tbody", lines))
        # A region that scrolls must be reachable by keyboard.
        scroll = tag("div", table, class_="scroll", role="region", tabindex=0, aria_label="Table")
        return joined(scroll, _more(len(lines), len(rows), "rows"))

    def _cell(self, row: Mapping[str, Json], name: str, schema: Schema, depth: int) -> Child:
        return self.block(row[name], schema, depth - 1) if name in row else None


def _more(some: int, every: int, what: str) -> Markup | None:
    if some == every:
        return None
    return tag("p", f"The first {some:,} of {every:,} {what}.", class_="muted")


def _names(rows: Sequence[Mapping[str, Json]], schema: Schema) -> list[str]:
    """Return the names of fields, in the order of the schema and then as they come."""
    present = dict.fromkeys(name for row in rows for name in row)
    described = [name for name in schema.get("properties", {}) if name in present]
    return list(dict.fromkeys([*described, *present]))


def _side(rows: Sequence[Mapping[str, Json]], name: str) -> str | None:
    numbers = (row.get(name) for row in rows[:20])
    kept = [each for each in numbers if each is not None]
    are_numbers = all(kind_of(each) in {"integer", "number"} for each in kept)
    return "number" if kept and are_numbers else None


def _property(schema: Schema, name: str) -> Schema:
    found: Json = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    return found if isinstance(found, Mapping) else _ANYTHING


def _has_form(value: Mapping[str, Json], schema: Schema) -> bool:
    has_all = all(name in value for name in schema.get("required", ()))
    return has_all and all(
        "const" not in each or value.get(name) == each["const"]
        for name, each in schema.get("properties", {}).items()
    )


# Text, and what text can be.


def _text(text: str, schema: Schema) -> Markup:
    kind = _media_type_of(schema)
    if _IMAGE.fullmatch(text) is not None:
        return _image(text, schema)
    data = _DATA.fullmatch(text)
    if schema.get("contentEncoding") == "base64" and kind and data is None:
        data = _DATA.fullmatch(f"data:{kind};base64,{text.translate(_STANDARD)}")
    if data is not None:
        return _image(data[0], schema) if data[1].startswith("image/") else _file(data[1], data[2])
    is_image = kind.startswith("image/")
    if is_image or schema.get("format") in _LINKS:
        path = site_path(text, "")
        if is_image and path is not None:
            return _image(path, schema)
        target = text if _WEB.fullmatch(text) else path
        if target is not None:
            return tag("a", _cut(text, _INLINE_CHARACTERS), href=target, rel="noopener noreferrer")
    return tag("p", _cut(text, MOST_CHARACTERS), class_="text")


def _media_type_of(schema: Schema) -> str:
    declared: Json = schema.get("contentMediaType")
    kind = declared.partition(";")[0].strip().lower() if isinstance(declared, str) else ""
    return kind if _MEDIA_TYPE.fullmatch(kind) else ""


def _image(source: str, schema: Schema) -> Markup:
    return tag("img", src=source, alt=schema.get("description") or "Image")


def _file(kind: str, data: str) -> Markup:
    ending = kind.rpartition("/")[2].partition("+")[0]
    text = f"Download ({kind}, {_size(len(data) * 3 // 4)})"
    return tag("a", text, href=f"data:{kind};base64,{data}", download=f"result.{ending}")


def _size(count: int) -> str:
    for unit in ("bytes", "kB"):
        if count < _THOUSAND:
            return f"{count} {unit}"
        count //= _THOUSAND
    return f"{count} MB"


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "…"
