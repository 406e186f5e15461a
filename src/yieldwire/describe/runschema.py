"""Describes runs as JSON Schemas: their states, and what is answered about them."""

from collections.abc import Mapping
from typing import Final

from yieldwire.describe.eventschema import (
    COUNT,
    OBJECT_OR_NULL,
    STATUS,
    TEXT,
    TEXT_OR_NULL,
    fields,
    refer,
)
from yieldwire.errors import Json

_INFO: Final[Mapping[str, Json]] = {
    "id": TEXT,
    "action": TEXT,
    "parent": TEXT_OR_NULL,
    "status": STATUS,
    "labels": {"type": "array", "items": TEXT},
    "attempt": COUNT,
    "seq": COUNT,
    "createdAt": TEXT,
    "startedAt": TEXT_OR_NULL,
    "endedAt": TEXT_OR_NULL,
}
_QUESTION: Final[Json] = refer("runs.Question")
_DETAILS: Final[Mapping[str, Json]] = {
    "progress": OBJECT_OR_NULL,
    "questions": {"type": "array", "items": _QUESTION},
    "cancelRequested": {"type": "boolean"},
    "waiting": OBJECT_OR_NULL,
}
EVENT: Final[Json] = fields({"seq": COUNT, "type": TEXT, "data": {}, "atMs": COUNT}, "atMs")

SCHEMAS: Final[Mapping[str, Json]] = {
    "runs.Info": fields({**_INFO, **_DETAILS}, *_DETAILS),
    "runs.Snapshot": fields(
        {
            **_INFO,
            **_DETAILS,
            "firstSeq": COUNT,
            "text": TEXT_OR_NULL,
            "chunk": {},
            "result": {},
            "error": {"anyOf": [refer("runs.Failure"), {"type": "null"}]},
            "detached": {"type": "boolean"},
            "retryAfterMs": {"type": ["integer", "null"]},
            "events": {"type": "array", "items": EVENT},
            "cursor": TEXT,
            "input": {"type": "object"},
        },
        "text",
        "events",
        "cursor",
        "input",
    ),
    "runs.Unfinished": fields(
        {
            "runId": TEXT,
            "status": {"type": "string", "enum": ["pending", "running"]},
            "result": {"type": "null"},
            "error": {"type": "null"},
            "questions": {"type": "array", "items": _QUESTION},
        },
        "questions",
    ),
}
"""Their names have a dot, so that no model of the application has the same."""

SNAPSHOT: Final[Json] = refer("runs.Snapshot")
UNFINISHED: Final[Json] = refer("runs.Unfinished")
_RUNS: Final[Json] = {"type": "array", "items": refer("runs.Info")}
PAGE: Final = fields({"runs": _RUNS, "next": TEXT_OR_NULL})
CHANGES: Final = fields({"runs": _RUNS})
CANCELLED: Final = fields({"runId": TEXT_OR_NULL, "status": STATUS})
ANSWERED: Final = fields({"runId": TEXT, "question": TEXT, "number": COUNT})
SENT: Final = fields({"runId": TEXT, "number": COUNT})
PLACE: Final = fields(
    {
        "place": TEXT,
        "uploads": {
            "type": "array",
            "items": fields({"method": TEXT, "url": TEXT, "headers": {"type": "object"}}),
        },
    }
)
_NEW_FILE: Final = fields({"sha256": TEXT, "size": COUNT, "contentType": TEXT})
NEW_FILES: Final = fields({"files": {"type": "array", "items": _NEW_FILE}})
LINKED: Final = fields({"question": _QUESTION})
LINK_ANSWERED: Final = fields({"question": TEXT})
