"""Describes the events of a run as JSON Schemas: as server-sent events, as lines, and their data.

OpenAPI 3.2 has ``itemSchema`` for one item of a stream, and its item of an event stream is an
object of the event's fields, in which the data is text. Generators that do not read it take
``schema`` for the type of what their clients yield, which is the data of each event, read as JSON.
So both are there.
"""

from collections.abc import Mapping
from typing import Final

from yieldwire.describe.schema import Schema
from yieldwire.errors import Json
from yieldwire.log.events import TERMINAL_EVENTS, EventType
from yieldwire.log.run import Status

TEXT: Final[Json] = {"type": "string"}
TEXT_OR_NULL: Final[Json] = {"type": ["string", "null"]}
COUNT: Final[Json] = {"type": "integer", "minimum": 0}
STATUS: Final[Json] = {"type": "string", "enum": [status.value for status in Status]}
OBJECT_OR_NULL: Final[Json] = {"type": ["object", "null"]}


def fields(properties: Mapping[str, Json], *optional: str) -> dict[str, Json]:
    """Return the schema of an object, whose members are required unless they are ``optional``."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": dict(properties)}


def refer(name: str) -> dict[str, Json]:
    """Return a reference to a schema among the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


_DATA: Final[Mapping[str, str]] = {
    "run": "runs.Opening",
    "reset": "runs.Reset",
    EventType.QUESTION: "runs.Question",
    EventType.ANSWER: "runs.Answer",
    EventType.RESTARTED: "runs.Restarted",
    EventType.ERROR: "runs.Failure",
    EventType.CANCELLED: "runs.Failure",
}
"""The schemas for the data of the events that every action can have."""

TERMINAL: Final = sorted(kind.value for kind in TERMINAL_EVENTS)
"""The events that end a stream; a stream that ends without one was cut."""


def json_text(schema: Json) -> dict[str, Json]:
    """Return the schema of a text that is JSON, as the data of a server-sent event is."""
    return {"type": "string", "contentMediaType": "application/json", "contentSchema": schema}


def _frame(name: str, data: Json) -> dict[str, Json]:
    described = fields({"id": TEXT, "event": {"const": name}, "data": json_text(data)})
    described["title"] = name
    if name == "message":  # what an event without this field is
        described["required"] = ["id", "data"]
    return described


def _line(name: str, data: Json) -> dict[str, Json]:
    members = {"seq": COUNT, "type": {"const": name}, "data": data, "mark": TEXT, "atMs": COUNT}
    # These two are not events of the log, so they have no place in it.
    optional = ["mark", "atMs", *(["seq"] if name in {"run", "reset"} else [])]
    return {"title": name, **fields(members, *optional)}


SCHEMAS: Final[Mapping[str, Json]] = {
    "runs.Failure": {
        "description": "What went wrong. `code` never changes its meaning.",
        **fields(
            {
                "code": TEXT,
                "message": TEXT,
                "statusCode": {"type": "integer"},
                "retryable": {"type": "boolean"},
                "fieldErrors": {
                    "type": ["object", "null"],
                    "additionalProperties": {"type": "array", "items": TEXT},
                },
                "data": {},
                "runId": TEXT_OR_NULL,
                "errorId": TEXT_OR_NULL,
            },
            *("fieldErrors", "data", "runId", "errorId"),
        ),
    },
    "runs.Opening": {
        "description": "The run, at the start of a stream and while it waits.",
        **fields(
            {"id": TEXT, "status": STATUS, "firstSeq": COUNT, "waiting": OBJECT_OR_NULL},
            *("firstSeq", "waiting"),
        ),
    },
    "runs.Reset": {
        "description": "The log starts later than the place that was asked for.",
        **fields({"firstSeq": COUNT}),
    },
    "runs.Question": {
        "description": "What the action asks. `schema` is that of the answer.",
        **fields(
            {
                "id": TEXT,
                "prompt": TEXT,
                "name": TEXT,
                "schema": {"type": "object"},
                "detail": {},
                "expiresAt": TEXT,
            },
            *("detail", "expiresAt"),
        ),
    },
    "runs.Answer": {
        "description": "The answer to a question, or that nobody answered in time.",
        **fields(
            {"id": TEXT, "value": {}, "by": TEXT_OR_NULL, "timedOut": {"type": "boolean"}},
            *("value", "by", "timedOut"),
        ),
    },
    "runs.Restarted": {
        "description": "Another attempt starts. Chunks after the seq in `keep` no longer count.",
        **fields({"attempt": COUNT, "keep": COUNT}, "keep"),
    },
    "runs.Frame": {
        "description": "A server-sent event that every action can have.",
        "oneOf": [_frame(name, refer(data)) for name, data in _DATA.items()],
    },
    "runs.Line": {
        "description": "A line of JSON that every action can have.",
        "oneOf": [_line(name, refer(data)) for name, data in _DATA.items()],
    },
}
"""Their names have a dot, so that no model of the application has the same."""


def done_with(result: Schema, *, is_nullable: bool) -> dict[str, Json]:
    """Return the schema for the data of ``done``, which has no result if that is null."""
    if result.get("type") == "null":
        return {"type": "object", "additionalProperties": False}
    return fields({"result": result}, *(["result"] if is_nullable else []))


def stream_of(chunk: Json, done: Json) -> dict[str, Json]:
    """Return the content of an answer that streams: server-sent events, lines, or text."""
    others = [refer(name) for name in dict.fromkeys(_DATA.values())]
    line = _any(_line("chunk", chunk), _line("done", done), refer("runs.Line"))
    return {
        "text/event-stream": {
            "schema": _any(chunk, done, *others),
            "itemSchema": _any(_frame("message", chunk), _frame("done", done), refer("runs.Frame")),
        },
        "application/x-ndjson": {"schema": line, "itemSchema": line},
        "text/plain": {"schema": TEXT},
    }


def _any(*schemas: Json) -> dict[str, Json]:
    return {"anyOf": list(schemas)}
