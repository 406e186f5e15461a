"""The shape of the transcripts in ``conformance/``, as Pydantic types.

This command generates ``conformance/schema.json`` from them::

    python -m tests.conformance.transcripts
"""

import json
from pathlib import Path
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict, TypeAdapter

FOLDER: Final = Path(__file__).parent.parent.parent / "conformance"


class Strict(BaseModel):
    """An object that has these fields and no others."""

    model_config = ConfigDict(extra="forbid")


class Event(Strict):
    """An event of a log."""

    seq: int
    type: Literal["chunk", "question", "answer", "restarted", "done", "error", "cancelled"]
    data: Any


class Message(Strict):
    """A message as an event stream dispatches it."""

    id: str
    type: str
    data: str


class SSEDecodeCase(Strict):
    """Bytes to messages, and to events if they are native frames."""

    name: str
    text: list[str]
    messages: list[Message]
    events: list[Event] | None = None
    cursor: str | None = None
    firstSeq: int | None = None  # noqa: N815 - the wire's name
    retryMs: int | None = None  # noqa: N815
    refused: bool = False


class NDJSONDecodeCase(Strict):
    """Bytes to events."""

    name: str
    text: list[str]
    events: list[Event]
    firstSeq: int | None = None  # noqa: N815
    refused: bool = False


class Opening(Strict):
    """The start of a stream."""

    after: int
    state: Any


class Part(Strict):
    """One sent item; exactly one field is set, in addition to ``first``."""

    opening: Opening | None = None
    chunks: list[Any] | None = None
    first: int = 1
    event: Event | None = None
    keepalive: Literal[True] | None = None
    reset: int | None = None
    farewell: int | None = None


class EncodeCase(Strict):
    """Sent items to bytes."""

    name: str
    runId: str  # noqa: N815
    parts: list[Part]
    text: list[str]


class SSE(Strict):
    """``sse.json``."""

    decode: list[SSEDecodeCase]
    encode: list[EncodeCase]


class NDJSON(Strict):
    """``ndjson.json``."""

    decode: list[NDJSONDecodeCase]
    encode: list[EncodeCase]


class PlainText(Strict):
    """``text.json``."""

    encode: list[EncodeCase]


class Cursor(Strict):
    """A cursor, its run, its seq and its event's mark."""

    cursor: str
    runId: str  # noqa: N815
    seq: int
    mark: str | None = None


class Place(Strict):
    """A cursor or a bare seq, read for one run: its seq, or the code of its refusal."""

    text: str
    seq: int | None = None
    code: str | None = None


class Cursors(Strict):
    """``cursors.json``."""

    valid: list[Cursor]
    invalid: list[str]
    within: list[Place]
    withinRunId: str  # noqa: N815


class Code(Strict):
    """A code of the protocol, with its status."""

    code: str
    statusCode: int  # noqa: N815
    retryable: bool


class ErrorCase(Strict):
    """An error object as received, and as read."""

    name: str
    object: dict[str, Any]
    read: dict[str, Any]


class Errors(Strict):
    """``errors.json``."""

    codes: list[Code]
    objects: list[ErrorCase]


class Request(Strict):
    """A request; ``json`` is sent as JSON, ``text`` unchanged, with its pieces joined."""

    method: str
    path: str
    headers: dict[str, str] = {}
    json_: Any = None
    text: list[str] | None = None

    model_config = ConfigDict(extra="forbid", alias_generator=lambda name: name.removesuffix("_"))


class Response(Strict):
    """The expected answer; a header that is ``null`` must be absent."""

    status: int
    headers: dict[str, str | None] = {}
    json_: Any = None
    error: dict[str, Any] | None = None
    text: list[str] | None = None
    ends: Literal["cleanly", "broken"] = "cleanly"

    model_config = ConfigDict(extra="forbid", alias_generator=lambda name: name.removesuffix("_"))


class Step(Strict):
    """A request and its answer."""

    request: Request
    meanwhile: Literal["the server begins to stop"] | None = None
    response: Response


class Story(Strict):
    """Steps on a fresh application, in order."""

    name: str
    steps: list[Step]


class SocketStep(Strict):
    """One thing that happens on a socket; exactly one field is set, in addition to its content.

    ``say`` is a text message, its lines; ``piece`` a binary one for that request, with ``text``;
    ``answer`` what the server answers to that request, ``granted`` that it grants it credit, and
    ``closes`` that it closes the socket with that code.
    """

    say: list[str] | None = None
    piece: int | None = None
    text: list[str] = []
    answer: int | None = None
    response: Response | None = None
    granted: int | None = None
    closes: int | None = None


class SocketStory(Strict):
    """Steps on one socket to a fresh application, unless its handshake is ``refused``."""

    name: str
    headers: dict[str, str] = {}
    protocols: list[str] = []
    selected: str | None = None
    refused: Response | None = None
    steps: list[SocketStep] = []


FILES: Final[dict[str, TypeAdapter[Any]]] = {
    "sse": TypeAdapter(SSE),
    "ndjson": TypeAdapter(NDJSON),
    "text": TypeAdapter(PlainText),
    "cursors": TypeAdapter(Cursors),
    "errors": TypeAdapter(Errors),
    "exchanges": TypeAdapter(list[Story]),
    "websocket": TypeAdapter(list[SocketStory]),
}


def load(name: str) -> Any:  # noqa: ANN401 - as FILES says
    """Read ``conformance/<name>.json``."""
    return FILES[name].validate_json(FOLDER.joinpath(f"{name}.json").read_bytes())


def schema() -> dict[str, Any]:
    """Return the JSON Schema of every file, by the file's name."""
    keys: list[tuple[str, Literal["validation"], TypeAdapter[Any]]]
    keys = [(name, "validation", adapter) for name, adapter in FILES.items()]
    schemas, definitions = TypeAdapter.json_schemas(keys)
    files = {f"{name}.json": schemas[name, "validation"] for name in FILES}
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, "type": "object", "properties": files, **definitions}


if __name__ == "__main__":
    FOLDER.joinpath("schema.json").write_text(json.dumps(schema(), indent=2) + "\n", "utf-8")
