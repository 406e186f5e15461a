"""tRPC: subscriptions over server-sent events, queries, mutations and batches, for `@trpc/client`.

As the published package 11.25 sends and reads them. A subscription reconnects by itself after a
cut, with the id of the last event: so even the first frame has one, and no cut starts a second run.
The client takes some numeric codes, such as that of an internal error, for a reason to connect
again: an error of a run never has one of those.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import ClassVar, Final

from pydantic_core import to_json

from yieldwire.asgi.websocket.socket import Speech
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.dialects.trpcsocket import TRPCChannel, read_trpc
from yieldwire.errors import (
    ErrorObject,
    Json,
    ParseError,
    PayloadTooLarge,
    UnsupportedMediaType,
)
from yieldwire.log.cursor import Cursor, parse_cursor
from yieldwire.log.events import Event, one_line

MOST_CALLS: Final = 50
"""The most calls in one batch."""
_SSE: Final = "text/event-stream"
_PLACES: Final = ("lastEventId", "Last-Event-Id")
_CODES: Final[Mapping[int, tuple[int, str]]] = {
    400: (-32600, "BAD_REQUEST"),
    401: (-32001, "UNAUTHORIZED"),
    403: (-32003, "FORBIDDEN"),
    404: (-32004, "NOT_FOUND"),
    405: (-32005, "METHOD_NOT_SUPPORTED"),
    408: (-32008, "TIMEOUT"),
    409: (-32009, "CONFLICT"),
    413: (-32013, "PAYLOAD_TOO_LARGE"),
    415: (-32015, "UNSUPPORTED_MEDIA_TYPE"),
    422: (-32022, "UNPROCESSABLE_CONTENT"),
    429: (-32029, "TOO_MANY_REQUESTS"),
    499: (-32099, "CLIENT_CLOSED_REQUEST"),
}
"""The client's codes by status."""
_SERVERS: Final = 500
"""From which status on an error is the server's."""
_OTHER: Final = (-32600, "BAD_REQUEST")
_INTERNAL: Final = (-32000, "INTERNAL_SERVER_ERROR")
"""Not tRPC's own -32603, after which a subscription would start again."""


class TRPCEncoder(DialectEncoder):
    """A subscription: each chunk is tracked, with its place as its id."""

    media_type: ClassVar[str] = _SSE
    greeting: bytes = b"retry: 1000\nevent: connected\ndata: {}\n\n\n"

    def __init__(self, path: str) -> None:
        self._path = path
        self._run_id = ""

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Return a frame that only sets the id, so that a cut before the first chunk is one too."""
        self._run_id = run_id
        return [b"event: restore-id\ndata: \nid: %b\n\n\n" % self._cursor(0)]

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return the chunk, tracked."""
        return [b"data: %b\nid: %b\n\n\n" % (event.data, self._cursor(event.seq))]

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the frame at which the client completes; subscriptions have no result."""
        return [b"event: return\ndata: \n\n\n"]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return the error with which the subscription ends."""
        return [_error_frame(error, self._path)]

    def keepalive(self) -> bytes:
        """Return a ping: the client counts comments as inactivity."""
        return b"event: ping\ndata: \n\n\n"

    def _cursor(self, seq: int) -> bytes:
        return str(Cursor(self._run_id, seq)).encode()


class TRPC(Dialect):
    """Answers the links of ``@trpc/client`` 11: for subscriptions, calls, batches and WebSocket.

    An action answers at its name, and a nested procedure at the path of its parts: ``post_list`` is
    ``client.post.list``. Any action can be a subscription; as a query or a mutation it answers with
    its result. A run waits for its subscription to come back for as long as its action says. A
    batch is answered when all of its calls are. Files and transformers of data are not supported.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET", "POST")

    def spoken(self) -> Speech:
        """Return what `wsLink` speaks."""
        return self.speech(read_trpc, TRPCChannel)

    async def answer(self, call: ForeignCall) -> None:
        """Start the runs of the path's actions, or resume one, and answer."""
        query = dict(call.head.query)
        if _subscribes(call.head):
            await self._subscribe(call, query)
        elif query.get("batch") == "1":
            await self._answer_batch(call, query)
        else:
            value = await _sent(call, query)
            told = await self._outcome(call, call.head.path, value)
            await call.reply(_whole(_status(told), told))

    async def _subscribe(self, call: ForeignCall, query: Mapping[str, str]) -> None:
        action, value = _action(call, call.head.path), _parsed(call, query)
        place = _place(call.head, query, value)
        encoder = TRPCEncoder(call.head.path)
        if place is None:
            await call.stream(await call.start(action, partial(_given, value)), encoder)
            return
        await call.stream(await call.run_at(place, action), encoder, after=place.seq)

    async def _answer_batch(self, call: ForeignCall, query: Mapping[str, str]) -> None:
        paths = call.head.path.split(",")
        if len(paths) > MOST_CALLS:
            raise PayloadTooLarge(f"A batch has at most {MOST_CALLS} calls.")
        values = await _sent(call, query)
        if not isinstance(values, dict):
            raise ParseError("The input of a batch is an object with a member for each call.")
        told = [
            await self._outcome(call, path, values.get(str(number), {}))
            for number, path in enumerate(paths)
        ]
        if _reads_lines(call.head):
            await call.reply(_line(200, told))
            return
        statuses = {_status(each) for each in told}
        await call.reply(_whole(statuses.pop() if len(statuses) == 1 else 207, told))

    async def _outcome(self, call: ForeignCall, path: str, value: Json) -> dict[str, Json]:
        """Return the answer of one call: its result, or the error with which it ended."""
        try:
            run = await call.start(_action(call, path), partial(_given, value), linger=0.0)
            outcome = await call.outcome(run)
        except Exception as exc:  # noqa: BLE001 - the other calls of a batch have their answers
            return {"error": _told(call.explain(exc), path)}
        if outcome.error is not None:
            return {"error": _told(outcome.error, path)}
        return {"result": {"data": outcome.result}}

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return the error; of a subscription with the status 200, as its client needs it.

        A batch has one for all of its calls, or a bounded number: a line of commas must not become
        a large answer.
        """
        if _subscribes(head):
            body = TRPCEncoder.greeting + _error_frame(error, head.path)
            return Reply(body=body, media_type=_SSE)
        if _reads_lines(head):
            calls = head.path.split(",", MOST_CALLS)[:MOST_CALLS]
            return _line(error.status, [{"error": _told(error, path)} for path in calls])
        return _whole(error.status, {"error": _told(error, head.path)})


def _subscribes(head: Head) -> bool:
    return head.method == "GET" and head.headers.get("accept", "").startswith(_SSE)


def _reads_lines(head: Head) -> bool:
    """Whether the request is one of `httpBatchStreamLink`."""
    return head.headers.get("trpc-accept") == "application/jsonl"


def _line(status: int, told: Sequence[dict[str, Json]]) -> Reply:
    """Return the answers of a batch as the first line of its stream, which has all of them."""
    head = {str(number): [[each]] for number, each in enumerate(told)}
    return Reply(status=status, body=to_json(head) + b"\n", media_type="application/json")


def _action(call: ForeignCall, path: str) -> AnyAction:
    return call.action(path.replace(".", "_").replace("/", "_"))


async def _given(value: Json) -> Json:
    return value


async def _sent(call: ForeignCall, query: Mapping[str, str]) -> Json:
    """Return the input of a request: from the body, or from the query of a GET."""
    if call.head.method == "GET":
        return _parsed(call, query)
    kind = call.head.headers.get("content-type", "application/json")
    if not kind.startswith("application/json"):
        raise UnsupportedMediaType("Only JSON is supported over tRPC: send files to the action.")
    return await call.json()


def _parsed(call: ForeignCall, query: Mapping[str, str]) -> Json:
    return call.parse(query["input"].encode()) if query.get("input") else {}


def _place(head: Head, query: Mapping[str, str], value: Json) -> Cursor | None:
    """Return where a subscription continues, and take it out of the input.

    Raises:
        ParseError: If the place in the header or in the query cannot be one.
    """
    sent = head.headers.get("last-event-id") or next(filter(None, map(query.get, _PLACES)), None)
    kept = value.get(_PLACES[0]) if isinstance(value, dict) else None
    if isinstance(value, dict) and isinstance(kept, str):
        with suppress(ParseError):  # it can be a parameter of the action
            cursor = parse_cursor(kept)
            del value[_PLACES[0]]
            return cursor if sent is None else parse_cursor(sent)
    return None if sent is None else parse_cursor(sent)


def _whole(status: int, value: Json) -> Reply:
    return Reply(status=status, body=to_json(value), media_type="application/json")


def _status(told: Mapping[str, Json]) -> int:
    error = told.get("error")
    return error["data"]["httpStatus"] if isinstance(error, dict) else 200


def _error_frame(error: ErrorObject, path: str) -> bytes:
    return b"event: serialized-error\ndata: %b\n\n\n" % one_line(to_json(_told(error, path)))


def _told(error: ErrorObject, path: str) -> dict[str, Json]:
    """Return an error as a `TRPCClientError` shows it."""
    number, name = _INTERNAL if error.status >= _SERVERS else _CODES.get(error.status, _OTHER)
    facts: Sequence[tuple[str, Json]] = (
        ("reason", error.code),
        ("data", error.data),
        ("fieldErrors", error.field_errors),
        ("runId", error.run_id),
        ("errorId", error.error_id),
    )
    data = {"code": name, "httpStatus": error.status, "path": path}
    known = {each: value for each, value in facts if value is not None}
    return {"message": error.message, "code": number, "data": {**data, **known}}
