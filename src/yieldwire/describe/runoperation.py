"""Describes the requests for runs in OpenAPI: they are the same for every action.

A test compares `OPERATIONS` with the routes of `yieldwire.asgi.routes`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from yieldwire.errors import Json
from yieldwire.log.run import Status

_TEXT: Final[Json] = {"type": "string"}
_TEXT_OR_NULL: Final[Json] = {"type": ["string", "null"]}
_COUNT: Final[Json] = {"type": "integer", "minimum": 0}
_STATUS: Final[Json] = {"type": "string", "enum": [status.value for status in Status]}
_OBJECT_OR_NULL: Final[Json] = {"type": ["object", "null"]}


def _object(properties: Mapping[str, Json], *optional: str) -> dict[str, Json]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "required": required, "properties": dict(properties)}


_INFO: Final[Mapping[str, Json]] = {
    "id": _TEXT,
    "action": _TEXT,
    "parent": _TEXT_OR_NULL,
    "status": _STATUS,
    "labels": {"type": "array", "items": _TEXT},
    "attempt": _COUNT,
    "seq": _COUNT,
    "createdAt": _TEXT,
    "startedAt": _TEXT_OR_NULL,
    "endedAt": _TEXT_OR_NULL,
}
_QUESTION: Final[Json] = _object(
    {
        "id": _TEXT,
        "prompt": _TEXT,
        "name": _TEXT,
        "schema": {"type": "object"},
        "detail": {},
        "expiresAt": _TEXT,
    },
    "detail",
    "expiresAt",
)
_DETAILS: Final[Mapping[str, Json]] = {
    "progress": _OBJECT_OR_NULL,
    "questions": {"type": "array", "items": _QUESTION},
    "cancelRequested": {"type": "boolean"},
    "waiting": _OBJECT_OR_NULL,
}
_EVENT: Final[Json] = _object({"seq": _COUNT, "type": _TEXT, "data": {}, "atMs": _COUNT}, "atMs")

SCHEMAS: Final[Mapping[str, Json]] = {
    "runs.Info": _object({**_INFO, **_DETAILS}, *_DETAILS),
    "runs.Snapshot": _object(
        {
            **_INFO,
            **_DETAILS,
            "firstSeq": _COUNT,
            "text": _TEXT_OR_NULL,
            "chunk": {},
            "result": {},
            "error": _OBJECT_OR_NULL,
            "detached": {"type": "boolean"},
            "retryAfterMs": {"type": ["integer", "null"]},
            "events": {"type": "array", "items": _EVENT},
            "cursor": _TEXT,
            "input": {"type": "object"},
        },
        "text",
        "events",
        "cursor",
        "input",
    ),
}
"""Their names have a dot, so that no model of the application has the same."""

_SNAPSHOT: Final[Json] = {"$ref": "#/components/schemas/runs.Snapshot"}
_RUNS: Final[Json] = {"type": "array", "items": {"$ref": "#/components/schemas/runs.Info"}}
_PAGE: Final = _object({"runs": _RUNS, "next": _TEXT_OR_NULL})
_CHANGES: Final = _object({"runs": _RUNS})
_CANCELLED: Final = _object({"runId": _TEXT_OR_NULL, "status": _STATUS})
_ANSWERED: Final = _object({"runId": _TEXT, "question": _TEXT, "number": _COUNT})
_SENT: Final = _object({"runId": _TEXT, "number": _COUNT})
_PLACE: Final = _object(
    {
        "place": _TEXT,
        "uploads": {
            "type": "array",
            "items": _object({"method": _TEXT, "url": _TEXT, "headers": {"type": "object"}}),
        },
    }
)
_NEW_FILE: Final = _object({"sha256": _TEXT, "size": _COUNT, "contentType": _TEXT})
_NEW_FILES: Final = _object({"files": {"type": "array", "items": _NEW_FILE}})
_LINKED: Final = _object({"question": _QUESTION})
_LINK_ANSWERED: Final = _object({"question": _TEXT})


def _parameter(
    name: str, description: str, schema: Json, *, place: str = "query"
) -> dict[str, Json]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": schema,
    }


_ID: Final = _parameter("id", "The run's id.", _TEXT, place="path")
_AFTER: Final = _parameter("after", "A cursor of the run, or a seq.", _TEXT)
_INPUT: Final = _parameter("input", "Whether the run's owner gets its input.", {"type": "boolean"})
_TIMES: Final = _parameter("times", "Whether each event has its time.", {"type": "boolean"})


def _json(schema: Json, description: str) -> dict[str, Json]:
    content = {"application/json": {"schema": schema}}
    return {"200": {"description": description, "content": content}}


def _operation(
    name: str,
    summary: str,
    responses: Mapping[str, Json],
    parameters: Sequence[Json] = (),
    *,
    takes: str = "",
) -> dict[str, Json]:
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    # With files, as for the start of an action that takes them.
    kinds = ("application/json", "multipart/form-data")
    content = {kind: {"schema": {"description": takes}} for kind in kinds}
    body = {"requestBody": {"required": True, "content": content}} if takes else {}
    return {
        **body,
        "operationId": f"runs.{name}",
        "summary": summary,
        "tags": ["runs"],
        "parameters": list(parameters),
        "responses": {**responses, "default": {"description": "An error.", "content": error}},
    }


_QUESTION_ID: Final = _parameter("question", "The question's id.", _TEXT, place="path")
_LINK: Final = _parameter("link", "What the action's link has signed.", _TEXT, place="path")
_KEY: Final = _parameter(
    "Idempotency-Key", "Makes a repeat of the request the same message.", _TEXT, place="header"
)
_ACTION: Final = _parameter("action", "The action's name.", _TEXT, place="path")
_START_KEY: Final[Json] = {
    **_parameter("Idempotency-Key", "The key of the start.", _TEXT, place="header"),
    "required": True,
}
_FILTERS: Final = [
    _parameter("status", "Only runs with this status.", _STATUS),
    _parameter("action", "Only runs of this action.", _TEXT),
    _parameter("label", "Only runs with this label.", _TEXT),
    _parameter("parent", "Only runs that were started by the action of this run.", _TEXT),
    _parameter("limit", "The maximum number of runs.", {"type": "integer", "maximum": 200}),
    _parameter("watch", "Keep the list current: as a stream of such pages.", {"type": "boolean"}),
    _parameter(
        "details", "Whether those that have not ended say how far they are.", {"type": "boolean"}
    ),
    _parameter("before", "The `next` of the previous page.", _TEXT),
]
_STREAM: Final[Json] = {
    "200": {
        "description": "The events after the cursor, past and future.",
        "content": {
            "text/event-stream": {"schema": _EVENT, "itemSchema": _EVENT},
            "application/x-ndjson": {"schema": _EVENT, "itemSchema": _EVENT},
            "text/plain": {"schema": _TEXT},
        },
    },
    "204": {"description": "The run has ended, and there are no events after the cursor."},
}
_LISTED: Final[Json] = {
    "200": {
        "description": "A page of runs.",
        "content": {
            "application/json": {"schema": _PAGE},
            "text/event-stream": {"schema": _CHANGES, "itemSchema": _CHANGES},
            "application/x-ndjson": {"schema": _CHANGES, "itemSchema": _CHANGES},
        },
    }
}

OPERATIONS: Final[Mapping[str, dict[str, Json]]] = {
    "/runs": {
        "get": _operation(
            "list",
            "List the caller's own runs, newest first.",
            _LISTED,
            _FILTERS,
        )
    },
    "/runs/{id}": {
        "get": _operation(
            "get",
            "Return a run's state in one object, with its result or error if it has ended.",
            _json(_SNAPSHOT, "The run's state; with `after` also the events after the cursor."),
            [
                _ID,
                _AFTER,
                _parameter("wait", "How many seconds to wait for news.", {"type": "number"}),
                _TIMES,
                _INPUT,
            ],
        ),
        "delete": _operation(
            "delete",
            "Delete a run that has ended, and its log.",
            {"204": {"description": "It is deleted."}},
            [_ID],
        ),
    },
    "/runs/{id}/events": {
        "get": _operation(
            "events",
            "Stream a run's events from a cursor, or from the start of its log.",
            _STREAM,
            [
                _ID,
                _AFTER,
                _parameter("Last-Event-ID", "A cursor of the run.", _TEXT, place="header"),
                _TIMES,
            ],
        )
    },
    "/runs/{id}/cancel": {
        "post": _operation(
            "cancel",
            "Ask a run to stop; asking twice is asking once.",
            _json(_SNAPSHOT, "The run's state at that moment."),
            [_ID],
        )
    },
    "/runs/{id}/questions/{question}": {
        "post": _operation(
            "answer",
            "Answer a question of a run; the first answer counts.",
            _json(_ANSWERED, "The answer is kept, and the action gets it."),
            [_ID, _QUESTION_ID, _KEY],
            takes="The answer, which matches the question's `schema`.",
        )
    },
    "/runs/{id}/inbox": {
        "post": _operation(
            "send",
            "Send a message to the action of a run.",
            _json(_SENT, "The message is kept, and the action gets it."),
            [_ID, _KEY],
            takes="The message, which matches the `inbox` of the action.",
        )
    },
    "/answers/{link}": {
        "get": _operation(
            "linked",
            "Return the question of a signed link; this answers nothing.",
            _json(_LINKED, "The question."),
            [_LINK],
        ),
        "post": _operation(
            "answerLinked",
            "Answer the question of a signed link.",
            _json(_LINK_ANSWERED, "The answer is kept, and the action gets it."),
            [_LINK, _KEY],
            takes="The answer, which matches the question's `schema`.",
        ),
    },
    "/{action}/uploads": {
        "post": {
            **_operation(
                "reservePlace",
                "Return requests that write the files of a start to the object store.",
                _json(_PLACE, "The place, which the start names, and a request for each file."),
                [_ACTION, _START_KEY],
            ),
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": _NEW_FILES}},
            },
        }
    },
    "/{action}/cancel": {
        "post": _operation(
            "cancelStart",
            "Cancel the run that was started with a key; a later start with it is refused.",
            _json(_CANCELLED, "The run, or no `runId` if the key had started none."),
            [_ACTION, _START_KEY],
        )
    },
}
