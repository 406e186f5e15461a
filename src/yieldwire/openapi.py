"""From actions to OpenAPI 3.2."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from yieldwire.actions import Action
from yieldwire.errors import Json

_ERROR: Final[Json] = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "statusCode", "retryable"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "statusCode": {"type": "integer"},
                "retryable": {"type": "boolean"},
                "fieldErrors": {
                    "type": ["object", "null"],
                    "additionalProperties": {"type": "array", "items": {"type": "string"}},
                },
                "data": {},
                "runId": {"type": ["string", "null"]},
                "errorId": {"type": ["string", "null"]},
            },
        }
    },
}


def document(actions: Iterable[Action[..., Any, Any]], *, base: str = "") -> dict[str, Json]:
    """Return the OpenAPI document of ``actions``, served under ``base``."""
    schemas: dict[str, Json] = {"Error": _ERROR}
    paths = {f"/{action.name}": _path(action, schemas) for action in actions}
    return {
        "openapi": "3.2.0",
        "info": {"title": "Actions", "version": "1"},
        "servers": [{"url": base or "/"}],
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _path(action: Action[..., Any, Any], schemas: dict[str, Json]) -> dict[str, Json]:
    signature, doc = action.signature, action.doc
    operation: dict[str, Json] = {
        "operationId": action.name,
        "summary": doc.partition("\n")[0],
        "description": doc,
        "responses": _responses(action, schemas),
    }
    schema = _hoisted(action.input_schema, schemas)
    if action.options.method == "GET":
        operation["parameters"] = [
            {
                "name": name,
                "in": "query",
                "required": name in schema.get("required", ()),
                "schema": each,
            }
            for name, each in schema.get("properties", {}).items()
        ]
    else:
        kind = "multipart/form-data" if _has_file(schema) else "application/json"
        operation["requestBody"] = {
            "required": bool(schema.get("required")),
            "content": {kind: {"schema": schema}},
        }
    if not signature.shape.streams:
        operation["description"] = doc
    return {action.options.method.lower(): operation}


def _responses(action: Action[..., Any, Any], schemas: dict[str, Json]) -> dict[str, Json]:
    chunk = action.signature.chunk
    result = _hoisted(action.signature.result.json_schema, schemas)
    answer = {
        "type": "object",
        "required": ["runId", "status", "result", "error"],
        "properties": {
            "runId": {"type": "string"},
            "status": {"type": "string"},
            "result": result or {},
            "error": {"anyOf": [_ERROR["properties"]["error"], {"type": "null"}]},
        },
    }
    content: dict[str, Json] = {"application/json": {"schema": answer}}
    if chunk is not None:
        item = _hoisted(chunk.json_schema, schemas)
        # Both keywords: generators read `schema`, newer ones `itemSchema`.
        content["text/event-stream"] = {"schema": item, "itemSchema": item}
        line = {"type": "object", "properties": {"seq": {"type": "integer"}, "data": item}}
        content["application/x-ndjson"] = {"schema": line, "itemSchema": line}
        content["text/plain"] = {"schema": {"type": "string"}}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "200": {"description": "The run, as it goes or when it has ended.", "content": content},
        "202": {"description": "The run goes on; poll its Location."},
        "default": {"description": "An error, before the first event.", "content": error},
    }


def _hoisted(schema: Mapping[str, Json], schemas: dict[str, Json]) -> dict[str, Json]:
    """Return ``schema`` with its definitions moved to the document's components."""
    moved = {name: value for name, value in schema.items() if name != "$defs"}
    for name, definition in schema.get("$defs", {}).items():
        schemas[name] = _referring(definition)
    referring: dict[str, Json] = _referring(moved)
    return referring


def _referring(value: Json) -> Json:
    if isinstance(value, dict):
        return {
            key: each.replace("#/$defs/", "#/components/schemas/")
            if key == "$ref" and isinstance(each, str)
            else _referring(each)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_referring(each) for each in value]
    return value


def _has_file(schema: Mapping[str, Json]) -> bool:
    return '"format": "binary"' in str(schema).replace("'", '"')
