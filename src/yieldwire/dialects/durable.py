"""Durable Streams: runs and feeds as streams, for `@durable-streams/client`.

As the published package 0.2 sends and reads them. A message is a chunk, as JSON; the last one is
the result, if there is one. A stream is closed when its run is completed. A run that failed is a
stream that never closes: where it ends, its error is the answer, with a status that the client does
not retry. An offset is the run's id and a seq, so that one of a run that was replaced is refused.
"""

import random
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from time import time  # noqa: TID251 - cursors are of the wall clock, as the protocol has them
from typing import ClassVar, Final

from pydantic_core import to_json

from yieldwire.asgi import Actions, BoundAction
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import (
    ErrorObject,
    ForeignCursor,
    Json,
    KeyReused,
    MethodNotAllowed,
    NotFound,
    ParseError,
    RunInterrupted,
    UsageError,
)
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.run import RunRecord, Status

JSON: Final = "application/json"
RUNS: Final = "runs"
"""The first part of the path of a run, by its id."""
_OWN: Final = ("offset", "live", "cursor")
"""Parameters of the query that are the protocol's."""
_OFFSET: Final = re.compile(r"([A-Za-z0-9_~-]{1,64})\.([0-9]{15})", re.ASCII)
_EPOCH: Final = 1_728_432_000
"""2024-10-09, from which cursors are counted, in seconds since the epoch."""
_INTERVAL: Final = 20
"""Seconds of a cursor."""
_MOST_AHEAD: Final = 180
"""How many intervals at most a cursor advances that is not behind the time."""
_FAILED: Final = 422
"""The status of a run's error, if the client would retry its own forever."""
_RETRIED: Final = 429
_SERVERS: Final = 500
_EXPOSED: Final = (
    "Stream-Next-Offset, Stream-Up-To-Date, Stream-Closed, Stream-Cursor, Stream-TTL, "
    "Stream-Expires-At, Stream-SSE-Data-Encoding"
)


class DurableEncoder(DialectEncoder):
    """A run as server-sent events: each message with a control event that tells the next offset.

    Errors have no event: the stream ends, and the client gets the error where it continues.
    ``after`` is where the client continues, and ``tail`` the last event there was at that moment.
    """

    media_type: ClassVar[str] = "text/event-stream"
    headers: ClassVar[Sequence[tuple[str, str]]] = (("cache-control", "no-cache"),)

    def __init__(self, run: RunRecord, after: int = 0, cursor: str = "0") -> None:
        self._run_id, self._tail, self._cursor = run.id, run.seq, cursor
        if after >= run.seq:
            is_closed = run.status is Status.COMPLETED
            self.greeting: bytes = self._control(after, is_closed=is_closed)

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return the chunk, and the offset behind it."""
        return [_data(event.data) + self._control(event.seq)]

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the result, if there is one, and that nothing follows."""
        result = _result(event)
        data = b"" if result is None else _data(result)
        return [data + self._control(event.seq, is_closed=True)]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return nothing: the client asks again, and is told then."""
        return ()

    def cut(self, error: ErrorObject) -> Iterable[bytes]:
        """Return nothing: the client continues."""
        return ()

    def _control(self, seq: int, *, is_closed: bool = False) -> bytes:
        told: dict[str, Json] = {"streamNextOffset": _offset(self._run_id, seq)}
        if is_closed:
            told["streamClosed"] = True
        else:
            told["streamCursor"] = self._cursor
        if is_closed or seq >= self._tail:
            told["upToDate"] = True
        return b"event: control\ndata:%b\n\n" % to_json(told)


@dataclass(slots=True, kw_only=True)
class _Part:
    """What one request reads of a stream.

    ``seq`` is the last event in it, ``chunk`` the last one that the client has as a message, and
    ``error`` what the client is told in place of the next one.
    """

    seq: int
    chunk: int
    messages: list[bytes] = field(default_factory=list)
    error: ErrorObject | None = None
    is_closed: bool = False

    def read(self, page: Iterable[Block]) -> None:
        """Add the events of a page, up to an error."""
        for block in page:
            for event in block.events():
                self.error = self._error(event)
                if self.error is not None:
                    return
                self._add(event)
                self.seq = event.seq

    def _error(self, event: Event) -> ErrorObject | None:
        if event.type in {EventType.ERROR, EventType.CANCELLED}:
            return ErrorObject.from_dict(event.value)
        if event.type is EventType.RESTARTED and event.value.get("keep", 0) < self.chunk:
            error = RunInterrupted("The run was restarted, which this client cannot show.")
            return error.error_object()
        return None

    def _add(self, event: Event) -> None:
        if event.type is EventType.CHUNK:
            self.chunk = event.seq
            self.messages.append(event.data)
        elif event.type is EventType.DONE:
            self.is_closed = True
            if (result := _result(event)) is not None:
                self.messages.append(result)


class DurableStreams(Dialect):
    """Answers `stream` and `DurableStream` of ``@durable-streams/client``.

    A run is read at ``runs/<its id>``, and a feed at its name. ``PUT <action>/<name>`` starts a
    run, once, with its body as the input, and it is read at the same path. Mounted for one action,
    the path is the name.

    Args:
        target: One action, or an application. It has URLs of its own.
        long_poll: For how many seconds a long-poll waits.
        waits_for_answers: As in `Dialect`.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "PUT", "DELETE")

    def __init__(
        self,
        target: Actions | BoundAction | None = None,
        *,
        long_poll: float = 20.0,
        waits_for_answers: bool = False,
    ) -> None:
        super().__init__(target, waits_for_answers=waits_for_answers)
        if not long_poll > 0:
            raise UsageError(f"DurableStreams: long_poll is seconds, not {long_poll!r:.100}.")
        self._long_poll: Final = long_poll

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return the error as JSON, with its status."""
        return _told(error, 409 if error.code == KeyReused.code else error.status)

    async def answer(self, call: ForeignCall) -> None:
        """Create, read or delete a stream."""
        call.add_header("cross-origin-resource-policy", "same-origin")
        if "origin" in call.head.headers:
            call.add_header("access-control-expose-headers", _EXPOSED)
        action, name = self._place(call)
        if call.head.method == "PUT":
            await self._create(call, action, name)
            return
        if action is not None and not name:
            await self._answer_feed(call, action)
            return
        run = await self._run(call, action, name)
        if call.head.method == "DELETE":
            await call.delete(run)
            await call.reply(Reply(status=204))
        else:
            await self._read(call, run)

    # Which stream.

    def _place(self, call: ForeignCall) -> tuple[AnyAction | None, str]:
        """Return the action and the name of a path; no action, and the id of a run."""
        path = call.head.path
        if self._own is not None:
            return self._own, path
        first, _, rest = path.partition("/")
        return (None, rest) if first == RUNS else (call.action(first), rest)

    async def _run(self, call: ForeignCall, action: AnyAction | None, name: str) -> RunRecord:
        if action is None:
            return await call.run(name)
        run = await call.newest(action, _label(name))
        if run is None:
            raise NotFound(f"There is no stream {name!r:.100}.")
        return run

    async def _answer_feed(self, call: ForeignCall, feed: AnyAction) -> None:
        """Read the feed's run at the offset, or start one."""
        if not feed.options.is_feed:
            raise NotFound(f"{feed.name} is not a feed: a stream is <action>/<name>, by PUT.")
        if call.head.method == "DELETE":
            raise MethodNotAllowed("DELETE", ["GET", "HEAD"])
        if call.head.method == "HEAD":
            await call.reply(Reply(media_type=JSON))
            return
        sent = _sent_offset(call.head)
        if (match := _OFFSET.fullmatch(sent)) is not None:
            run = await call.run(match[1])
            if run.action != feed.name:
                raise ForeignCursor
        else:

            async def read() -> Json:
                return await call.fields(feed.input_schema, without=_OWN)

            run = await call.start(feed, read)
        await self._read(call, run)

    async def _create(self, call: ForeignCall, action: AnyAction | None, name: str) -> None:
        """Start the run of a name, or find the one that it has."""
        if action is None or not name:
            raise MethodNotAllowed("PUT", ["GET", "HEAD"])
        label = _label(name)
        before = await call.newest(action, label)
        key = sha256(label.encode()).hexdigest()
        run = await call.start(action, call.json, key=key, labels=[label])
        headers = [*_headers(run, _tail(run)), ("location", call.head.url)]
        status = 201 if before is None or before.id != run.id else 200
        await call.reply(Reply(status=status, media_type=JSON, headers=headers))

    # Reading.

    async def _read(self, call: ForeignCall, run: RunRecord) -> None:
        if call.head.method == "HEAD":
            await call.reply(Reply(media_type=JSON, headers=_headers(run, _tail(run))))
            return
        query = dict(call.head.query)
        sent, live = _sent_offset(call.head), query.get("live")
        after, cursor = _seq(sent, run), _cursor(query)
        wait = self._long_poll if live == "long-poll" else 0.0
        run, part = await _part(call, run, after, wait)
        if part.error is not None and not part.messages:
            await call.reply(_failed(part.error))
        elif live == "sse":
            at = part.seq if not part.messages else after
            await call.stream(run, DurableEncoder(run, at, cursor), after=at)
        elif live == "long-poll":
            await call.reply(_polled(run, part, cursor))
        else:
            await call.reply(_caught_up(call.head, run, after, part))


async def _part(
    call: ForeignCall, run: RunRecord, after: int, wait: float
) -> tuple[RunRecord, _Part]:
    """Return what a request reads, and the run as it is after that."""
    while True:
        run, page = await call.page(run, after, wait=wait)
        part = _Part(seq=after, chunk=after)
        part.read(page)
        if page or run.seq == after:
            part.is_closed = part.is_closed or (not page and run.status is Status.COMPLETED)
            return run, part


def _polled(run: RunRecord, part: _Part, cursor: str) -> Reply:
    headers = _headers(run, part.seq, part)
    if not part.is_closed:
        headers.append(("stream-cursor", cursor))
    if not part.messages:
        return Reply(status=204, headers=headers)
    return Reply(body=_array(part.messages), media_type=JSON, headers=headers)


def _caught_up(head: Head, run: RunRecord, after: int, part: _Part) -> Reply:
    headers = _headers(run, part.seq, part)
    state = f"{run.id} {after} {part.seq} {part.is_closed} {part.error is None} {run.seq}"
    etag = f'"{sha256(state.encode()).hexdigest()[:22]}"'
    headers += [("etag", etag), ("cache-control", "private, no-cache")]
    if etag in {each.strip() for each in head.headers.get("if-none-match", "").split(",")}:
        return Reply(status=304, headers=headers)
    return Reply(body=_array(part.messages), media_type=JSON, headers=headers)


def _headers(run: RunRecord, seq: int, part: _Part | None = None) -> list[tuple[str, str]]:
    """Return the headers about a stream at ``seq``; ``part`` is what the answer has of it."""
    headers = [("stream-next-offset", _offset(run.id, seq)), ("run-id", run.id)]
    is_closed = run.status is Status.COMPLETED if part is None else part.is_closed
    if is_closed:
        headers.append(("stream-closed", "true"))
    if part is not None and (is_closed or (seq >= run.seq and part.error is None)):
        headers.append(("stream-up-to-date", "true"))
    return headers


def _label(name: str) -> str:
    return f"stream:{name}"


def _offset(run_id: str, seq: int) -> str:
    return f"{run_id}.{seq:015d}"


def _tail(run: RunRecord) -> int:
    """Return the last event that has an offset: the error of a run has none."""
    return run.seq - (run.status in {Status.FAILED, Status.CANCELLED})


def _sent_offset(head: Head) -> str:
    """Return the offset of a request; without one, that of the start.

    Raises:
        ParseError: If there are several, or a live request has none.
    """
    sent = [value for name, value in head.query if name == "offset"]
    if len(sent) > 1:
        raise ParseError("A request has one offset.")
    if not sent and any(name == "live" for name, _ in head.query):
        raise ParseError("A live request needs an offset.")
    return sent[0] if sent else "-1"


def _seq(offset: str, run: RunRecord) -> int:
    """Return the seq after which a request reads.

    Raises:
        ParseError: If it is not an offset.
        ForeignCursor: If it is of another run.
    """
    if offset == "-1":
        return 0
    if offset == "now":
        return _tail(run)
    match = _OFFSET.fullmatch(offset)
    if match is None:
        raise ParseError("The offset cannot be read; send it as it was received.")
    if match[1] != run.id:
        raise ForeignCursor("The offset belongs to another stream.")
    return int(match[2])


def _cursor(query: Mapping[str, str]) -> str:
    """Return the interval of this moment; later than the one that the client has."""
    current, sent = int(time() - _EPOCH) // _INTERVAL, query.get("cursor", "")
    if sent.isascii() and sent.isdigit() and len(sent) < 16 and int(sent) >= current:  # noqa: PLR2004
        return str(int(sent) + random.randint(1, _MOST_AHEAD))  # noqa: S311
    return str(current)


def _array(messages: Sequence[bytes]) -> bytes:
    return b"[%b]" % b",".join(messages)


def _data(message: bytes) -> bytes:
    return b"event: data\ndata:[%b]\n\n" % message


def _result(event: Event) -> bytes | None:
    result = event.value.get("result")
    return None if result is None else to_json({"type": "result", "result": result})


def _failed(error: ErrorObject) -> Reply:
    """Return the error of a run, with a status that the client does not retry."""
    is_final = error.status != _RETRIED and error.status < _SERVERS
    return _told(error, error.status if is_final else _FAILED)


def _told(error: ErrorObject, status: int) -> Reply:
    return Reply(status=status, body=to_json({"error": error.to_dict()}), media_type=JSON)
