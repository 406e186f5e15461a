"""Converts actions to OpenAPI 3.2."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias

from yieldwire.actions.action import Action
from yieldwire.describe.component import (
    ERROR,
    ERROR_CONTENT,
    HEADERS,
    PARAMETERS,
    RESPONSES,
    RUN_HEADERS,
    use,
)
from yieldwire.describe.eventschema import SCHEMAS as EVENT_SCHEMAS
from yieldwire.describe.eventschema import TERMINAL, TEXT, done_with, fields, refer, stream_of
from yieldwire.describe.example import RUN, example_of, stream_example
from yieldwire.describe.runoperation import OPERATIONS
from yieldwire.describe.runschema import SCHEMAS as RUN_SCHEMAS
from yieldwire.describe.schema import (
    Schema,
    alternatives,
    definitions_of,
    kinds,
    properties_of,
    with_references,
)
from yieldwire.errors import Json
from yieldwire.setting import Rule, settings

_NAME: Final = re.compile(r"[a-zA-Z0-9._-]+")
_KINDS: Final = frozenset({"apiKey", "http", "mutualTLS", "oauth2", "openIdConnect"})

SecuritySchemes: TypeAlias = Annotated[
    Mapping[str, Mapping[str, Json]],
    Rule(
        lambda value: (
            isinstance(value, Mapping)
            and all(isinstance(name, str) and _NAME.fullmatch(name) for name in value)
            and all(
                isinstance(one, Mapping) and one.get("type") in _KINDS for one in value.values()
            )
        ),
        "a dict of security schemes as OpenAPI writes them",
        lambda _value: 'write {"session": {"type": "apiKey", "in": "cookie", "name": "session"}}',
    ),
]


@settings
@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAPI:
    """What the OpenAPI document says that the actions cannot.

    Attributes:
        title: The application's name.
        version: The version of its actions, as the application counts them.
        description: What it is for, in Markdown.
        security: How callers identify themselves, for ``identify`` to see: security schemes of
            OpenAPI by names that you choose. A request needs one of them. ``None``: it does not
            say.
        page: Whether people can read the document as a page, at ``openapi.html``, which needs the
            extra ``openapi``.
    """

    title: str = "Actions"
    version: str = "1"
    description: str = ""
    security: SecuritySchemes | None = None
    page: bool = False


def document(
    actions: Iterable[Action[..., Any, Any]],
    *,
    base: str = "",
    about: OpenAPI | None = None,
    names_webhooks: bool = False,
) -> dict[str, Json]:
    """Return the OpenAPI document of ``actions``, served under ``base``.

    With ``names_webhooks`` a start can name a webhook.
    """
    about = about or OpenAPI()
    schemas: dict[str, Json] = {"Error": ERROR, **EVENT_SCHEMAS, **RUN_SCHEMAS}
    webhook = [use("Webhook-URL")] if names_webhooks else []
    own = {f"/{action.name}": _path(action, schemas, webhook) for action in actions}
    schemes = dict(about.security or {})
    required: Json = [{name: []} for name in schemes]
    paths = {
        path: {
            method: operation
            if path.startswith("/answers/") or not required
            else {**operation, "security": required}
            for method, operation in operations.items()
        }
        for path, operations in {**own, **OPERATIONS}.items()
    }
    described = {"description": about.description} if about.description else {}
    return {
        "openapi": "3.2.0",
        "info": {"title": about.title, "version": about.version, **described},
        "servers": [{"url": base or "/"}],
        "tags": [
            {"name": "actions", "description": "Starts runs: one operation for each action."},
            {"name": "runs", "description": "Follows, answers and stops runs."},
        ],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "parameters": dict(PARAMETERS),
            "headers": dict(HEADERS),
            "responses": dict(RESPONSES),
            **({"securitySchemes": schemes} if schemes else {}),
        },
    }


def _path(
    action: Action[..., Any, Any], schemas: dict[str, Json], webhook: Sequence[Json]
) -> dict[str, Json]:
    doc, streams = action.doc, action.signature.chunk is not None
    operation: dict[str, Json] = {
        "operationId": action.name,
        "summary": doc.partition("\n")[0],
        "description": doc,
        "tags": ["actions"],
        "parameters": [],
        "responses": _responses(action, schemas),
    }
    schema = _hoisted(action.input_schema, schemas, f"{action.name}.input")
    if action.method == "GET":
        operation["parameters"] += _query(schema)
    else:
        operation["parameters"].append(use("Idempotency-Key"))
        kind = "multipart/form-data" if action.takes_files else "application/json"
        content = {"schema": schema, **_example(action.input_schema)}
        body = {"required": bool(schema.get("required")), "content": {kind: content}}
        operation["requestBody"] = body
    operation["parameters"].append(use("Last-Event-ID" if streams else "Prefer"))
    if not action.options.shared:
        operation["parameters"] += webhook
    if streams:
        operation["x-fern-streaming"] = {"format": "sse", "resumable": True}
        operation["x-stream"] = {"terminalEvents": TERMINAL, "resumeHeader": "Last-Event-ID"}
    if asks := action.asks:
        operation["x-asks"] = {
            name: _hoisted(kind.json_schema, schemas, f"{action.name}.asks.{name}")
            for name, kind in asks.items()
        }
    if action.inbox is not None:
        place = f"{action.name}.inbox"
        operation["x-inbox"] = _hoisted(action.inbox.json_schema, schemas, place)
    return {action.method.lower(): operation}


def _query(schema: Schema) -> Iterable[Json]:
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
    """Return what a request without ``Accept`` is answered, then what it can be instead.

    If there is JSON for a status, generators take that and no stream. So the one answer at the end
    of a stream is described by the range of media types for which it is given.
    """
    chunk, result = action.signature.chunk, action.signature.result.json_schema
    told = _hoisted(result, schemas, f"{action.name}.result")
    answer = _component(f"{action.name}.answer", _answer(told), schemas)
    at_end = {"schema": answer, **_example(result, _ended)}
    if chunk is None:
        return {
            "200": {
                "description": "The result, when the run has completed.",
                "headers": RUN_HEADERS,
                "content": {"application/json": at_end},
            },
            "202": use("runs.Accepted", "responses"),
            "303": use("runs.Page", "responses"),
            **_errors(action),
        }
    item = _hoisted(chunk.json_schema, schemas, f"{action.name}.chunk")
    item = _component(f"{action.name}.chunk", item, schemas)
    content = stream_of(item, done_with(told, is_nullable=_is_nullable(result)))
    if found := example_of(chunk.json_schema):
        text = stream_example(found[0], example_of(result))
        content["text/event-stream"]["examples"] = {"stream": {"serializedValue": text}}
    return {
        "200": {
            "description": _STREAMED,
            "headers": RUN_HEADERS,
            "content": {**content, "application/*": at_end},
        },
        "303": use("runs.Page", "responses"),
        **_errors(action),
    }


_STREAMED: Final = (
    "The run's events. A stream that ends without `done`, `error` or `cancelled` was cut.\n\n"
    "`Accept: application/json` waits for the end instead, and is answered `202` if that takes too "
    "long. `Prefer: respond-async` is answered `202` at once, with the run as `runs.get` has it."
)


def _answer(result: Json) -> dict[str, Json]:
    return fields(
        {
            "runId": TEXT,
            "status": {"const": "completed"},
            "result": result,
            "error": {"type": "null"},
        }
    )


def _ended(result: Json) -> dict[str, Json]:
    return {"runId": RUN, "status": "completed", "result": result, "error": None}


def _example(
    schema: Schema, whole: Callable[[Json], Json] = lambda value: value
) -> dict[str, Json]:
    found = example_of(schema)
    return {"example": whole(found[0])} if found else {}


def _is_nullable(schema: Schema) -> bool:
    every = alternatives(schema, definitions_of(schema))
    return any(not kinds(one) or "null" in kinds(one) for one in every)


def _errors(action: Action[..., Any, Any]) -> dict[str, Json]:
    """Return the error answers: the declared ones by status, then all others."""
    codes: dict[str, list[str]] = {}
    for error in action.declared_errors:
        status = "default" if error["status"] is None else str(error["status"])
        first = ["An error."] if status == "default" else []
        codes.setdefault(status, first).append(f"`{error['code']}` {error['doc']}".rstrip())
    told = {
        status: {"description": "\n\n".join(every), "content": ERROR_CONTENT}
        for status, every in sorted(codes.items())
    }
    return {"default": use("Error", "responses"), **told}


def _component(name: str, schema: Json, schemas: dict[str, Json]) -> dict[str, Json]:
    schemas[name] = schema
    return refer(name)


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
