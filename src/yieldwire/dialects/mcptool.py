"""Actions as tools of the Model Context Protocol, and questions as its forms."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from pydantic_core import from_json, to_json

from yieldwire.actions.action import Action
from yieldwire.describe.schema import (
    VALUE,
    Schema,
    alternatives,
    definitions_of,
    form_of,
    has_file,
    kinds,
    properties_of,
    resolved,
)
from yieldwire.errors import Json

_PLAIN: Final = frozenset({"string", "number", "integer", "boolean"})
_KEPT: Final = (
    "title",
    "description",
    "default",
    "enum",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
)
_FORMATS: Final = frozenset({"email", "uri", "date", "date-time"})


def is_callable(action: Action[..., Any, Any]) -> bool:
    """Whether an action can be a tool: it needs no file."""
    schema = action.input_schema
    fields = properties_of(schema)
    required = schema.get("required", ())
    return not any(_needs_file(fields[name], schema) for name in required if name in fields)


def is_tool(action: Action[..., Any, Any]) -> bool:
    """Whether an action is a tool if nobody says which are: a feed can last forever."""
    return is_callable(action) and not action.options.is_feed


def _needs_file(field: Schema, schema: Schema) -> bool:
    return all(map(has_file, alternatives(field, definitions_of(schema))))


def tool_of(action: Action[..., Any, Any], *, has_tasks: bool) -> dict[str, Json]:
    """Return the tool that an action is; ``has_tasks``: for clients that ask for tasks by tool."""
    told: dict[str, Json] = {
        "name": action.name,
        "description": action.doc,
        "inputSchema": input_schema(action),
    }
    if (output := output_schema(action)) is not None:
        told["outputSchema"] = output
    if action.options.is_feed:
        told["annotations"] = {"readOnlyHint": True}
    if has_tasks:
        told["execution"] = {"taskSupport": "optional"}
    return told


def input_schema(action: Action[..., Any, Any]) -> dict[str, Json]:
    """Return the schema of a tool's arguments: the action's input, without files."""
    schema = action.input_schema
    fields = properties_of(schema)
    kept = {name: each for name, each in fields.items() if not _takes_file(each, schema)}
    return {**schema, "type": "object", "properties": kept}


def _takes_file(field: Schema, schema: Schema) -> bool:
    return any(map(has_file, alternatives(field, definitions_of(schema))))


def output_schema(action: Action[..., Any, Any]) -> dict[str, Json] | None:
    """Return the schema of a tool's structured content: an object, in all versions."""
    schema = action.signature.result.json_schema
    if not schema or kinds(schema) == ["null"]:
        return None
    form = form_of(schema)
    definitions = definitions_of(form)
    found = resolved(form, definitions)
    if kinds(found) != ["object"]:  # one of several objects, which is not the protocol's form
        found = {"properties": {VALUE: without_definitions(form)}, "required": [VALUE]}
    shared = {"$defs": dict(definitions)} if definitions else {}
    return {**without_definitions(found), "type": "object", **shared}


def structured(action: Action[..., Any, Any], result: Json) -> dict[str, Json] | None:
    """Return a result as the output schema has it."""
    output = output_schema(action)
    if output is None:
        return result if isinstance(result, dict) else None
    schema = action.signature.result.json_schema
    is_same = kinds(resolved(schema, definitions_of(schema))) == ["object"]
    return result if is_same and isinstance(result, dict) else {VALUE: result}


def without_definitions(schema: Schema) -> dict[str, Json]:
    """Return a schema without its definitions."""
    return {name: part for name, part in schema.items() if name != "$defs"}


# Questions.


def elicitation(question: Mapping[str, Json]) -> dict[str, Json]:
    """Return what puts a question to a person: a message, and a form of plain fields."""
    schema: Schema = question.get("schema") or {}
    fields = _fields(schema)
    if fields is None:
        wanted = to_json(schema).decode()
        told = {"type": "string", "description": f"JSON that matches the schema {wanted}"}
        form: dict[str, Json] = {"properties": {VALUE: told}, "required": [VALUE]}
    else:
        whole = form_of(schema)
        required = resolved(whole, definitions_of(whole)).get("required", ())
        form = {"properties": fields, "required": list(required)}
    return {
        "mode": "form",
        "message": "\n\n".join(filter(None, [question.get("prompt"), _detail_of(question)])),
        "requestedSchema": {"type": "object", **form},
    }


def _detail_of(question: Mapping[str, Json]) -> str:
    """Return what a question is about, in words or as JSON."""
    detail = question.get("detail")
    if detail is None or isinstance(detail, str):
        return detail or ""
    return to_json(detail, indent=2).decode()


def _fields(schema: Schema) -> dict[str, Json] | None:
    """Return the fields of a form for a value; ``None`` if a field is more than one value."""
    form = form_of(schema)
    plain: dict[str, Json] = {}
    for name, field in properties_of(form).items():
        options = alternatives(field, definitions_of(form))
        values = [one for one in options if kinds(one) != ["null"]]
        if len(values) != 1 or len(kinds(values[0])) != 1 or kinds(values[0])[0] not in _PLAIN:
            return None
        (found,) = values
        both = {**found, **{key: part for key, part in field.items() if key in _KEPT}}
        plain[name] = {"type": kinds(found)[0], **{key: both[key] for key in _KEPT if key in both}}
        if "const" in found:
            plain[name]["enum"] = [found["const"]]
        if found.get("format") in _FORMATS:
            plain[name]["format"] = found["format"]
        if plain[name].get("default", "") is None:
            del plain[name]["default"]
    return plain or None


def value_of(question: Mapping[str, Json], content: Json) -> Json:
    """Return the answer that a form's content is."""
    schema: Schema = question.get("schema") or {}
    fields = content if isinstance(content, dict) else {}
    if _fields(schema) is None:
        value = fields.get(VALUE)
        with suppress(ValueError):
            return from_json(value) if isinstance(value, str) else value
        return value  # text that is not JSON, which the question's type can refuse
    return fields if form_of(schema) is schema else fields.get(VALUE)
