"""Describes the requests for runs in OpenAPI: they are the same for every action.

A test compares `OPERATIONS` with the routes of `yieldwire.asgi.routes`.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from yieldwire.describe.component import parameter, use
from yieldwire.describe.eventschema import STATUS, fields, json_text, stream_of
from yieldwire.describe.runschema import (
    ANSWERED,
    CANCELLED,
    CHANGES,
    LINK_ANSWERED,
    LINKED,
    NEW_FILES,
    PAGE,
    PLACE,
    SENT,
    SNAPSHOT,
)
from yieldwire.errors import Json


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
        "responses": {**responses, "default": use("Error", "responses")},
    }


_QUESTION_ID: Final = parameter("question", "The question's id.", place="path")
_LINK: Final = parameter("link", "What the action's link has signed.", place="path")
_KEY: Final = parameter(
    "Idempotency-Key", "Makes a repeat of the request the same message.", place="header"
)
_ACTION: Final = parameter("action", "The action's name.", place="path")
_START_KEY: Final[Json] = {
    **parameter("Idempotency-Key", "The key of the start.", place="header"),
    "required": True,
}
_FILTERS: Final = [
    parameter("status", "Only runs with this status.", STATUS),
    parameter("action", "Only runs of this action."),
    parameter("label", "Only runs with this label."),
    parameter("parent", "Only runs that were started by the action of this run."),
    parameter("limit", "The maximum number of runs.", {"type": "integer", "maximum": 200}),
    parameter("watch", "Keep the list current: as a stream of such pages.", {"type": "boolean"}),
    parameter(
        "details", "Whether those that have not ended say how far they are.", {"type": "boolean"}
    ),
    parameter("before", "The `next` of the previous page."),
]
_STREAM: Final[Json] = {
    "200": {
        "description": "The events after the cursor, past and future.",
        "content": stream_of({}, {}),
    },
    "204": {"description": "The run has ended, and there are no events after the cursor."},
}
_LISTED: Final[Json] = {
    "200": {
        "description": "A page of runs.",
        "content": {
            "application/json": {"schema": PAGE},
            "text/event-stream": {
                "schema": CHANGES,
                "itemSchema": fields({"event": {"const": "runs"}, "data": json_text(CHANGES)}),
            },
            "application/x-ndjson": {"schema": CHANGES, "itemSchema": CHANGES},
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
            _json(SNAPSHOT, "The run's state; with `after` also the events after the cursor."),
            [
                use("id"),
                use("after"),
                parameter("wait", "How many seconds to wait for news.", {"type": "number"}),
                use("times"),
                parameter("input", "Whether the run's owner gets its input.", {"type": "boolean"}),
            ],
        ),
        "delete": _operation(
            "delete",
            "Delete a run that has ended, and its log.",
            {"204": {"description": "It is deleted."}},
            [use("id")],
        ),
    },
    "/runs/{id}/events": {
        "get": _operation(
            "events",
            "Stream a run's events from a cursor, or from the start of its log.",
            _STREAM,
            [
                use("id"),
                use("after"),
                use("Last-Event-ID"),
                use("times"),
            ],
        )
    },
    "/runs/{id}/cancel": {
        "post": _operation(
            "cancel",
            "Ask a run to stop; asking twice is asking once.",
            _json(SNAPSHOT, "The run's state at that moment."),
            [use("id")],
        )
    },
    "/runs/{id}/questions/{question}": {
        "post": _operation(
            "answer",
            "Answer a question of a run; the first answer counts.",
            _json(ANSWERED, "The answer is kept, and the action gets it."),
            [use("id"), _QUESTION_ID, _KEY],
            takes="The answer, which matches the question's `schema`.",
        )
    },
    "/runs/{id}/inbox": {
        "post": _operation(
            "send",
            "Send a message to the action of a run.",
            _json(SENT, "The message is kept, and the action gets it."),
            [use("id"), _KEY],
            takes="The message, which matches the `inbox` of the action.",
        )
    },
    "/answers/{link}": {
        "get": _operation(
            "linked",
            "Return the question of a signed link; this answers nothing.",
            _json(LINKED, "The question."),
            [_LINK],
        ),
        "post": _operation(
            "answerLinked",
            "Answer the question of a signed link.",
            _json(LINK_ANSWERED, "The answer is kept, and the action gets it."),
            [_LINK, _KEY],
            takes="The answer, which matches the question's `schema`.",
        ),
    },
    "/{action}/uploads": {
        "post": {
            **_operation(
                "reservePlace",
                "Return requests that write the files of a start to the object store.",
                _json(PLACE, "The place, which the start names, and a request for each file."),
                [_ACTION, _START_KEY],
            ),
            "requestBody": {
                "required": True,
                "content": {"application/json": {"schema": NEW_FILES}},
            },
        }
    },
    "/{action}/cancel": {
        "post": _operation(
            "cancelStart",
            "Cancel the run that was started with a key; a later start with it is refused.",
            _json(CANCELLED, "The run, or no `runId` if the key had started none."),
            [_ACTION, _START_KEY],
        )
    },
}
