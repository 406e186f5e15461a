"""From the strings of a form or a query to an input object, by the action's schema.

A form has only text. If a field's type cannot be text, its text is read as JSON. A field that
can be repeated becomes an array, and an empty control counts as not sent unless its field takes
empty text. An unticked box, which sends nothing, is ``false``.
"""

from collections.abc import Sequence
from typing import Any

from yieldwire.actions.upload import Upload
from yieldwire.asgi.jsontext import parse_json
from yieldwire.describe.schema import VALUE, Field, Schema, definitions_of, form_of, resolved
from yieldwire.errors import Json, ParseError
from yieldwire.runs.start import close_uploads

Pairs = Sequence[tuple[str, str | Upload]]


def coerce(pairs: Pairs, schema: Schema, *, max_depth: int) -> Json:
    """Return the value for a form's fields, to be validated next.

    It is an object, unless the schema is that of another value: then it is the field ``value``.
    A file that is not used, because nothing was chosen or a later one counts, is closed.
    """
    form = form_of(schema)
    data = _object(pairs, form, max_depth)
    return data if form is schema else data.get(VALUE)


def _object(pairs: Pairs, schema: Schema, max_depth: int) -> dict[str, Any]:
    definitions = definitions_of(schema)
    schema = resolved(schema, definitions)
    properties = schema.get("properties", {})
    sent: dict[str, list[str | Upload]] = {}
    for name, value in pairs:
        sent.setdefault(name, []).append(value)
    data: dict[str, Any] = {}
    for name, values in sent.items():
        field = Field.of(properties.get(name, {}), definitions)
        types = field.kinds
        kept = [value for value in values if not _is_empty(value, field)]
        close_uploads([value for value in values if _is_empty(value, field)])
        if "array" in types and not (len(kept) == 1 and _looks_like(kept[0], "[")):
            data[name] = list(kept)
        elif kept:
            data[name] = _read(kept[-1], types, max_depth)
            close_uploads(kept[:-1])
    for name in schema.get("required", ()):
        if name not in data and Field.of(properties[name], definitions).kinds == {"boolean"}:
            data[name] = False
    return data


def _is_empty(value: str | Upload, field: Field) -> bool:
    if isinstance(value, Upload):
        # A browser sends an empty part for a file control with nothing chosen.
        return value.size == 0 and value.filename == "upload"
    return value == "" and not field.takes_empty_text


def _looks_like(value: str | Upload, *starts: str) -> bool:
    return isinstance(value, str) and value.lstrip().startswith(starts)


def _read(value: str | Upload, types: frozenset[str], max_depth: int) -> Json:
    if not isinstance(value, str) or "string" in types:
        return value
    if value == "null" and "null" in types:
        return None
    if types & {"object", "array"} and _looks_like(value, "{", "["):
        try:
            return parse_json(value.encode(), max_depth)
        except ParseError:
            return value  # validation reports what is wrong with it
    if types == {"boolean"} and value == "on":
        return True  # a ticked box without a value sends this
    return value
