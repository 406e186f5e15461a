"""Converts actions to OpenAPI 3.2."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from yieldwire.actions.action import Action
from yieldwire.describe.runoperation import OPERATIONS, SCHEMAS
from yieldwire.describe.schema import definitions_of, properties_of, with_references
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


_WEBHOOK: Final[Json] = {
    "name": "Webhook-URL",
    "in": "header",
    "description": "A URL that is told about the run, if you are allowed to name it.",
    "schema": {"type": "string", "format": "uri"},
}


def document(
    actions: Iterable[Action[..., Any, Any]], *, base: str = "", names_webhooks: bool = False
) -> dict[str, Json]:
    """Return the OpenAPI document of ``actions``, served under ``base``.

    With ``names_webhooks`` a start can name a webhook.
    """
    schemas: dict[str, Json] = {"Error": _ERROR, **SCHEMAS}
    paths = {
        f"/{action.name}": _path(
            action, schemas, [_WEBHOOK] if names_webhooks and not action.options.shared else []
        )
        for action in actions
    }
    return {
        "openapi": "3.2.0",
        "info": {"title": "Actions", "version": "1"},
        "servers": [{"url": base or "/"}],
        "paths": {**paths, **OPERATIONS},
        "components": {"schemas": schemas},
    }


def _path(
    action: Action[..., Any, Any], schemas: dict[str, Json], headers: Sequence[Json]
) -> dict[str, Json]:
    doc = action.doc
    operation: dict[str, Json] = {
        "operationId": action.name,
        "summary": doc.partition("\n")[0],
        "description": doc,
        "responses": _responses(action, schemas),
    }
    schema = _hoisted(action.input_schema, schemas, f"{action.name}.input")
    if action.method == "GET":
        operation["parameters"] = [*_query(schema), *headers]
    else:
        operation |= {"parameters": [*headers]} if headers else {}
        kind = "multipart/form-data" if action.takes_files else "application/json"
        operation["requestBody"] = {
            "required": bool(schema.get("required")),
            "content": {kind: {"schema": schema}},
        }
    if asks := action.asks:
        operation["x-asks"] = {
            name: _hoisted(kind.json_schema, schemas, f"{action.name}.asks.{name}")
            for name, kind in asks.items()
        }
    if action.inbox is not None:
        place = f"{action.name}.inbox"
        operation["x-inbox"] = _hoisted(action.inbox.json_schema, schemas, place)
    return {action.method.lower(): operation}


def _query(schema: Mapping[str, Json]) -> Iterable[Json]:
    return [
        {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "schema": each,
        }
        for name, each in properties_of(schema).items()
    ]


def _responses(action: Action[..., Any, Any], schemas: dict[str, Json]) -> dict[str, Json]:
    chunk = action.signature.chunk
    result = _hoisted(action.signature.result.json_schema, schemas, f"{action.name}.result")
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
        item = _hoisted(chunk.json_schema, schemas, f"{action.name}.chunk")
        # Both keywords: older generators read `schema`, newer ones `itemSchema`.
        content["text/event-stream"] = {"schema": item, "itemSchema": item}
        line = {"type": "object", "properties": {"seq": {"type": "integer"}, "data": item}}
        content["application/x-ndjson"] = {"schema": line, "itemSchema": line}
        content["text/plain"] = {"schema": {"type": "string"}}
    return {
        "200": {"description": "The run, live or when it has ended.", "content": content},
        "202": {"description": "The run has not ended; poll its Location."},
        "303": {"description": "The page of the run, if `text/html` is accepted."},
        **_errors(action),
    }


def _errors(action: Action[..., Any, Any]) -> dict[str, Json]:
    """Return the error answers: the declared ones by status, then all others."""
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    codes: dict[str, list[str]] = {"default": ["An error, before the first event."]}
    for error in action.declared_errors:
        status = "default" if error["status"] is None else str(error["status"])
        codes.setdefault(status, []).append(f"`{error['code']}` {error['doc']}".rstrip())
    return {
        status: {"description": "\n\n".join(told), "content": content}
        for status, told in sorted(codes.items())
    }


def _hoisted(schema: Mapping[str, Json], schemas: dict[str, Json], place: str) -> dict[str, Json]:
    """Return ``schema`` with its definitions moved to the document's components.

    If a name is already used for another schema, the definitions get ``place`` as a prefix:
    two models with one name are two schemas.
    """
    definitions = definitions_of(schema)
    names = {name: name for name in definitions}
    if any(
        name in schemas and schemas[name] != _referring(definition, names)
        for name, definition in definitions.items()
    ):
        names = {name: f"{place}.{name}" for name in definitions}
    for name, definition in definitions.items():
        schemas[names[name]] = _referring(definition, names)
    moved = {name: value for name, value in schema.items() if name != "$defs"}
    referring: dict[str, Json] = _referring(moved, names)
    return referring


def _referring(value: Json, names: Mapping[str, str]) -> Json:
    return with_references(value, lambda name: f"#/components/schemas/{names[name]}")
