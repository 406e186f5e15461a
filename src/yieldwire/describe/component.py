"""The reusable parts of an OpenAPI document: parameters, headers and responses."""

from collections.abc import Mapping
from typing import Final

from yieldwire.describe.eventschema import TEXT, fields, refer
from yieldwire.describe.runschema import SNAPSHOT, UNFINISHED
from yieldwire.errors import Json


def parameter(
    name: str, description: str, schema: Json = TEXT, *, place: str = "query"
) -> dict[str, Json]:
    """Return a parameter; one in the path is required."""
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": description,
        "schema": schema,
    }


def use(name: str, kind: str = "parameters") -> dict[str, Json]:
    """Return a reference to one of the components."""
    return {"$ref": f"#/components/{kind}/{name}"}


PARAMETERS: Final[Mapping[str, Json]] = {
    each["name"]: each
    for each in (
        parameter(
            "Idempotency-Key",
            "A start that is repeated with the same key does not start a second run.",
            place="header",
        ),
        parameter(
            "Last-Event-ID",
            "The id of the last event that arrived. Nothing is started: the stream of that "
            "event's run continues after it. Send it to resume a stream that ended without "
            "`done`, `error` or `cancelled`.",
            place="header",
        ),
        {
            **parameter(
                "Prefer",
                "`wait=60` waits that many seconds for the end. `respond-async` does not wait, "
                "and the run keeps running without readers.",
                place="header",
            ),
            "example": "wait=60",
        },
        parameter(
            "Webhook-URL",
            "A URL that is told about the run, if you are allowed to name it.",
            {"type": "string", "format": "uri"},
            place="header",
        ),
        parameter("id", "The run's id.", place="path"),
        parameter("after", "A cursor of the run, or a seq."),
        parameter("times", "Whether each event has its time.", {"type": "boolean"}),
    )
}

HEADERS: Final[Mapping[str, Json]] = {
    "Run-Id": {"description": "The run's id.", "schema": TEXT},
    "Location": {
        "description": "The run's URL.",
        "schema": {"type": "string", "format": "uri-reference"},
    },
}
RUN_HEADERS: Final[Mapping[str, Json]] = {name: use(name, "headers") for name in HEADERS}
"""What every answer to a start says of its run."""

ERROR: Final[Json] = fields({"error": refer("runs.Failure")})
ERROR_CONTENT: Final[Json] = {
    "application/json": {
        "schema": refer("Error"),
        "example": {
            "error": {
                "code": "VALIDATION_ERROR",
                "message": "The input is not valid.",
                "statusCode": 422,
                "retryable": False,
                "fieldErrors": {"to": ["Input should be a valid integer"]},
                "data": None,
                "runId": None,
                "errorId": None,
            }
        },
    }
}

RESPONSES: Final[Mapping[str, Json]] = {
    "Error": {"description": "An error.", "content": ERROR_CONTENT},
    "runs.Accepted": {
        "description": "The run has not ended; poll its `Location`.",
        "headers": RUN_HEADERS,
        "content": {"application/json": {"schema": {"anyOf": [UNFINISHED, SNAPSHOT]}}},
    },
    "runs.Page": {
        "description": "The page of the run, if `text/html` is accepted.",
        "headers": RUN_HEADERS,
    },
}
