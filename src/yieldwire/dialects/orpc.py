"""oRPC: procedures that return a value or an event iterator, for `@orpc/client`.

As the published package 1.16 sends and reads it over HTTP. It takes the end of a body between two
events for the end of the iterator, so a stream that ends before its run is broken off. An event
without an ``id`` does not move the place at which its `ClientRetryPlugin` resumes: ends and errors
have none, so that they are told again after a resume.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar, Final

from pydantic_core import to_json

from yieldwire import errors
from yieldwire.asgi import Actions, BoundAction
from yieldwire.asgi.websocket.socket import Speech
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.orpcsocket import ORPCChannel, read_orpc
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import (
    ErrorObject,
    Json,
    ParseError,
    UnsupportedMediaType,
    YieldwireError,
)
from yieldwire.log.cursor import Cursor, parse_cursor
from yieldwire.log.events import Event, one_line

_ENVELOPE_DEPTH: Final = 1
"""How much deeper the input is than its own JSON."""
_MAP: Final = 7
"""The type of a `Map`, which is sent as a list of pairs."""
_CODES: Final = {
    "FORBIDDEN": "FORBIDDEN",
    "INTERNAL_ERROR": "INTERNAL_SERVER_ERROR",
    "METHOD_NOT_ALLOWED": "METHOD_NOT_SUPPORTED",
    "NOT_FOUND": "NOT_FOUND",
    "PARSE_ERROR": "BAD_REQUEST",
    "PAYLOAD_TOO_LARGE": "PAYLOAD_TOO_LARGE",
    "RATE_LIMITED": "TOO_MANY_REQUESTS",
    "REQUEST_TIMEOUT": "TIMEOUT",
    "UNAUTHORIZED": "UNAUTHORIZED",
    "UNAVAILABLE": "SERVICE_UNAVAILABLE",
    "UNSUPPORTED_MEDIA_TYPE": "UNSUPPORTED_MEDIA_TYPE",
    "VALIDATION_ERROR": "BAD_REQUEST",
}
"""The client's own codes for errors that are not an action's, as far as it has some."""
_NOT_DEFINED: Final = {
    each.code
    for each in vars(errors).values()
    if isinstance(each, type) and issubclass(each, YieldwireError) and hasattr(each, "code")
}
"""The codes of errors that are not an action's."""


class ORPCEncoder(DialectEncoder):
    """An event iterator: each chunk is a message, and the result is what it returns."""

    media_type: ClassVar[str] = "text/event-stream"
    greeting: bytes = b": \n\n"
    _run_id = ""

    def begin(self, run_id: str) -> Iterable[bytes]:
        """Keep the run's id, for the ids of messages."""
        self._run_id = run_id
        return ()

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return a message with the chunk, and with the place behind it."""
        cursor = str(Cursor(self._run_id, event.seq)).encode()
        return [b'event: message\nid: %b\ndata: {"json":%b}\n\n' % (cursor, event.data)]

    def done(self, event: Event) -> Iterable[bytes]:
        """Return what the iterator returns: the run's result."""
        return [_frame(b"done", _value(event.value.get("result")))]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return the error that the iterator throws."""
        return [_frame(b"error", {"json": _thrown(error)})]


class ORPC(Dialect):
    """Answers clients that `createORPCClient` makes, over `RPCLink`, by HTTP or WebSocket.

    An action answers at its name, and a nested one at the path of its parts: ``planet_list`` is
    ``client.planet.list``. One that streams returns an event iterator, one that does not a value.
    Files and batches are not supported.

    Args:
        target: One action, an application, or nothing for ``actions.mount(ORPC())``.
        resumable: Whether a run waits for a client to come back, as long as its action says. Then
            `ClientRetryPlugin` continues a stream after a cut; a client that stops reading stops
            the run only after that time. By default it stops at once.
        waits_for_answers: As in `Dialect`.
    """

    methods: ClassVar[tuple[str, ...]] = ("POST", "GET")

    def __init__(
        self,
        target: Actions | BoundAction | None = None,
        *,
        resumable: bool = False,
        waits_for_answers: bool = False,
    ) -> None:
        super().__init__(target, waits_for_answers=waits_for_answers)
        self._resumable: Final = resumable

    def spoken(self) -> Speech:
        """Return what `RPCLink` over a WebSocket speaks."""
        return self.speech(read_orpc, ORPCChannel)

    async def answer(self, call: ForeignCall) -> None:
        """Start the run of the path's action, or resume one, and answer with what it returns."""
        action = call.action(call.head.path.replace("/", "_"))
        place = call.head.headers.get("last-event-id")
        if place:
            cursor = parse_cursor(place)
            run = await call.run_at(cursor, action)
            await call.stream(run, ORPCEncoder(), after=cursor.seq)
            return
        linger = None if self._resumable else 0.0
        run = await call.start(action, partial(_input, call), linger=linger)
        if action.signature.shape.streams:
            await call.stream(run, ORPCEncoder())
            return
        outcome = await call.outcome(run)
        if outcome.error is not None:
            await call.reply(self.refusal(call.head, outcome.error))
        else:
            await call.reply(_whole(200, _value(outcome.result)))

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return the error that the call throws."""
        return _whole(error.status, {"json": _thrown(error)})


async def _input(call: ForeignCall) -> Json:
    """Return the input of a call: from the body, or from the query of a GET."""
    if call.head.headers.get("content-type", "").startswith("multipart/"):
        raise UnsupportedMediaType("Files are not supported over oRPC: send them to the action.")
    if call.head.method == "GET":
        text = dict(call.head.query).get("data", "{}").encode()
    else:
        text = await call.body() or b"{}"
    sent = call.parse(text, around=_ENVELOPE_DEPTH)
    if not isinstance(sent, dict):
        raise ParseError('An oRPC call is {"json": <input>}.')
    return _plain(sent)


def _plain(sent: dict[str, Json]) -> Json:
    """Return the input, with a `Map` as an object; the other types are texts and lists in JSON."""
    value, meta = sent.get("json"), sent.get("meta")
    for each in meta if isinstance(meta, list) else ():
        if not isinstance(each, list) or not each or each[0] != _MAP:
            continue
        try:
            holder: Any = {"": value}
            root = holder
            *above, last = ["", *each[1:]]
            for step in above:
                holder = holder[step]
            holder[last] = _object(holder[last])
            value = root[""]
        except (LookupError, TypeError, ValueError) as exc:
            raise ParseError("The meta of an oRPC call does not fit its JSON.") from exc
    return {} if value is None else value


def _object(pairs: Json) -> dict[str, Json]:
    """Return the pairs of a `Map` as an object, with the JSON of each key that is not text.

    Raises:
        TypeError: If it is not a list, as if it was made an object before: each time would copy
            all of it.
        ValueError: If an element is not a pair, or a key is there twice.
    """
    if not isinstance(pairs, list):
        raise TypeError
    value = dict[str, Json]()
    for pair in pairs:
        if not isinstance(pair, list):
            raise TypeError
        key, each = pair
        if isinstance(key, (list, dict)):
            raise TypeError
        value[key if isinstance(key, str) else to_json(key).decode()] = each
    if len(value) != len(pairs):
        raise ValueError
    return value


def _value(result: Json) -> dict[str, Json]:
    return {} if result is None else {"json": result}


def _whole(status: int, value: Json) -> Reply:
    return Reply(status=status, body=to_json(value), media_type="application/json")


def _frame(name: bytes, value: Json) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name, one_line(to_json(value)))


def _thrown(error: ErrorObject) -> dict[str, Json]:
    """Return an error as an `ORPCError`; an action's own is a defined one, with its own data."""
    facts = {"runId": error.run_id, "errorId": error.error_id, "fieldErrors": error.field_errors}
    known: dict[str, Json] = {name: value for name, value in facts.items() if value is not None}
    if error.field_errors is not None:
        known["issues"] = [
            {"path": path.split("."), "message": message}
            for path, messages in error.field_errors.items()
            for message in messages
        ]
    return {
        "defined": error.code not in _NOT_DEFINED,
        "code": _CODES.get(error.code, error.code),
        "status": error.status,
        "message": error.message,
        "data": error.data if error.data is not None else known or None,
    }
