"""Durable Streams: runs and feeds as streams, for `@durable-streams/client`.

As the published package 0.2 sends and reads them. A stream is closed when its run is completed. A
run that failed is a stream that never closes: where it ends, its error is the answer, with a status
that the client does not retry. If the application's executor leaves runs to others, a stream is a
run that its writers append to.
"""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import ClassVar, Final

from pydantic_core import to_json

from yieldwire.app.appending import Appending
from yieldwire.asgi import Actions, BoundAction
from yieldwire.dialects.call import ForeignCall
from yieldwire.dialects.dialect import Dialect
from yieldwire.dialects.durablelog import AppendHead, StreamLog, StreamProducer, Verdict
from yieldwire.dialects.durablestream import (
    JSON,
    DurableEncoder,
    StreamContent,
    StreamPart,
    cursor_of,
    offset_of,
    run_of,
    seq_of,
    tail_of,
)
from yieldwire.dialects.head import Head, Reply
from yieldwire.dialects.input import AnyAction
from yieldwire.errors import (
    AppendConflict,
    Conflict,
    ErrorObject,
    ForeignCursor,
    Json,
    KeyReused,
    MethodNotAllowed,
    NotFound,
    ParseError,
    RunCancelled,
    UsageError,
)
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.runs.start import ANONYMOUS_KEY_LENGTH

RUNS: Final = "runs"
"""The first part of the path of a run, by its id."""
_OWN: Final = ("offset", "live", "cursor")
"""Parameters of the query that are the protocol's."""
_FAILED: Final = 422
"""The status of a run's error, if the client would retry its own forever."""
_RETRIED: Final = 429
_SERVERS: Final = 500
_ASKED: Final = ("ttl", "expires-at", "forked-from", "fork-offset", "fork-sub-offset")
_UNKNOWN: Final = tuple(f"stream-{each}" for each in _ASKED)
"""Headers that ask for what a run cannot do."""
_BYTES: Final = "application/octet-stream"
_DONE: Final = (EventType.DONE, b"{}")
_LOGS: Final = 1000
"""Of how many streams a process remembers the producers, which it reads from the log otherwise."""
_EXPOSED: Final = (
    "Stream-Next-Offset, Stream-Up-To-Date, Stream-Closed, Stream-Cursor, "
    "Stream-SSE-Data-Encoding, Producer-Epoch, Producer-Seq, Producer-Expected-Seq, "
    "Producer-Received-Seq"
)


class DurableStreams(Dialect):
    """Answers `stream` and `DurableStream` of ``@durable-streams/client``.

    A run is read at ``runs/<its id>``, and a feed at its name. ``PUT <action>/<name>`` starts a
    run, once, with its body as the input, and it is read at the same path. Mounted for one action,
    the path is the name.

    Args:
        target: One action, or an application. It has URLs of its own.
        long_poll: For how many seconds a long-poll waits.
        appends: Whether callers write their runs by PUT and POST; only for ``executor=leave``.
        waits_for_answers: As in `Dialect`.
    """

    methods: ClassVar[tuple[str, ...]] = ("GET", "HEAD", "PUT", "POST", "DELETE")

    def __init__(
        self,
        target: Actions | BoundAction | None = None,
        *,
        long_poll: float = 20.0,
        appends: bool = False,
        waits_for_answers: bool = False,
    ) -> None:
        super().__init__(target, waits_for_answers=waits_for_answers)
        if not long_poll > 0:
            raise UsageError(f"DurableStreams: long_poll is seconds, not {long_poll!r:.100}.")
        if appends and not (self._actions and Appending(self._actions.app).is_possible):
            raise UsageError(
                "DurableStreams: appends=True is for an application with executor=leave."
            )
        self._appends, self._long_poll = appends, long_poll
        self._logs: Final = OrderedDict[str, StreamLog]()

    def refusal(self, head: Head, error: ErrorObject) -> Reply:
        """Return the error as JSON, with its status."""
        return _told(error, 409 if error.code == KeyReused.code else error.status)

    async def answer(self, call: ForeignCall) -> None:
        """Create, read or delete a stream."""
        call.add_header("cross-origin-resource-policy", "same-origin")
        # A stream can have any type that its writer chose: as a document it gets no origin.
        call.add_header("content-security-policy", "default-src 'none'; sandbox")
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
            await self._delete(call, run)
        elif call.head.method == "POST":
            await self._append(call, run)
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
        if call.head.method in {"POST", "DELETE"}:
            raise MethodNotAllowed(call.head.method, ["GET", "HEAD"])
        if call.head.method == "HEAD":
            await call.reply(Reply(media_type=JSON))
            return
        sent = _sent_offset(call.head)
        if (run_id := run_of(sent)) is not None:
            run = await call.run(run_id)
            if run.action != feed.name:
                raise ForeignCursor
        else:

            async def read() -> Json:
                return await call.fields(feed.input_schema, without=_OWN)

            run = await call.start(feed, read)
        await self._read(call, run)

    # Writing.

    async def _create(self, call: ForeignCall, action: AnyAction | None, name: str) -> None:
        """Start the run of a name, or find the one that it has."""
        if action is None or not name or action.options.shared:
            raise MethodNotAllowed("PUT", ["GET", "HEAD"])
        least = ANONYMOUS_KEY_LENGTH if call.caller.owner is None else 1
        if len(name) < least:  # so that nobody else's can be the same
            raise ParseError(f"An anonymous stream has a random name, {least} characters or more.")
        if unknown := [each for each in _UNKNOWN if each in call.head.headers]:
            raise ParseError(f"{unknown[0]} is not supported: leave it out.")
        before = await call.newest(action, _label(name))
        key = sha256(_label(name).encode()).hexdigest()
        if self._appends:
            run = await self._created(call, action, name, key, before)
        else:
            run = await call.start(action, call.json, key=key, labels=[_label(name)])
        headers = [*_headers(run, tail_of(run)), ("location", call.head.origin + call.head.url)]
        status = 201 if before is None or before.id != run.id else 200
        media_type = StreamContent.of(run).media_type
        await call.reply(Reply(status=status, media_type=media_type, headers=headers))

    async def _created(
        self, call: ForeignCall, action: AnyAction, name: str, key: str, before: RunRecord | None
    ) -> RunRecord:
        """Return the run of a name, with its first messages if it is new.

        Raises:
            Conflict: If it has another type, or only one of both is closed.
        """
        head, body = AppendHead.of(call.head.headers), await call.body()
        content = StreamContent(call.head.headers.get("content-type") or _BYTES)
        if before is not None:
            is_closed = before.status is Status.COMPLETED
            if StreamContent.of(before).name != content.name or is_closed != head.closes:
                raise Conflict("There is another stream with this name.")
            return before
        chunks = content.chunks(body, partial(call.parse, around=1))

        async def nothing() -> Json:
            return {}

        labels = [_label(name), content.label]
        run = await call.start(action, nothing, key=key, labels=labels, detached=True)
        if run.seq:
            return run
        end = _DONE if head.closes else None
        return await call.append(run, [*head.mark(), *chunks], log_bytes=0, end=end)

    async def _append(self, call: ForeignCall, run: RunRecord) -> None:
        """Append messages to a run that is written from outside, close it, or both."""
        if not self._appends:
            raise MethodNotAllowed("POST", ["GET", "HEAD", "PUT", "DELETE"])
        head, body = AppendHead.of(call.head.headers), await call.body()
        content = StreamContent.of(run)
        if not body and not head.closes:
            raise ParseError("An append has a body; only one that closes the stream can be empty.")
        if body:
            sent = StreamContent(call.head.headers.get("content-type", ""))
            if not sent.name:
                raise ParseError("An append has a Content-Type.")
            if sent.name != content.name:
                raise Conflict(f"The stream is of the type {content.name}.")
        chunks = content.chunks(body, partial(call.parse, around=1))
        if not (chunks or head.closes):
            raise ParseError("An append has at least one message.")
        while True:
            run, log = await self._log(call, run)
            verdict = log.judge(head, is_empty=not body)
            if verdict is not None:
                await call.reply(_judged(run, head, log, verdict))
                return
            if run.cancel_reason is not None:
                run = await self._cancel(call, run, log)
                continue
            lines, end = [*head.mark(), *chunks], _DONE if head.closes else None
            with suppress(AppendConflict):  # others have appended meanwhile, perhaps this too
                run = await call.append(run, lines, log_bytes=log.size, end=end)
                break
        await call.reply(_appended(run, head, status=200 if head.producer and body else 204))

    async def _log(self, call: ForeignCall, run: RunRecord) -> tuple[RunRecord, StreamLog]:
        """Return what the log says about its appends, and the run as it was at that place."""
        log = self._logs.pop(run.id, None) or StreamLog()
        self._logs[run.id] = log
        if len(self._logs) > _LOGS:
            self._logs.popitem(last=False)
        while True:
            known = run.changed(seq=max(run.seq, log.seq))
            run, page = await call.page(known, log.seq)
            log.read(page)
            if log.seq >= run.seq:
                return run.changed(seq=log.seq), log

    async def _cancel(self, call: ForeignCall, run: RunRecord, log: StreamLog) -> RunRecord:
        """Write the end of a run that was asked to stop; nobody else does."""
        data = to_json(RunCancelled().error_object(run.id).to_dict())
        end = (EventType.CANCELLED, data)
        with suppress(AppendConflict):
            return await call.append(run, [], log_bytes=log.size, end=end)
        return run

    async def _delete(self, call: ForeignCall, run: RunRecord) -> None:
        while self._appends and run.status is Status.RUNNING:
            run, log = await self._log(call, run)
            if not run.status.is_terminal:
                run = await self._cancel(call, run, log)
        await call.delete(run)
        await call.reply(Reply(status=204))

    # Reading.

    async def _read(self, call: ForeignCall, run: RunRecord) -> None:
        if call.head.method == "HEAD":
            media_type = StreamContent.of(run).media_type
            await call.reply(Reply(media_type=media_type, headers=_headers(run, tail_of(run))))
            return
        query = dict(call.head.query)
        sent, live = _sent_offset(call.head), query.get("live")
        after, cursor = seq_of(sent, run), cursor_of(query)
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
            await call.reply(_caught_up(call.head, run, after, part, is_kept=sent != "now"))


async def _part(
    call: ForeignCall, run: RunRecord, after: int, wait: float
) -> tuple[RunRecord, StreamPart]:
    """Return what a request reads, and the run as it is after that."""
    while True:
        run, page = await call.page(run, after, wait=wait)
        part = StreamPart(content=StreamContent.of(run), seq=after, chunk=after)
        part.read(page)
        if page or run.seq == after:
            part.is_closed = part.is_closed or (not page and run.status is Status.COMPLETED)
            return run, part


def _polled(run: RunRecord, part: StreamPart, cursor: str) -> Reply:
    headers = _headers(run, part.seq, part)
    if not part.is_closed:
        headers.append(("stream-cursor", cursor))
    if not part.messages:
        return Reply(status=204, headers=headers)
    body = part.content.body(part.messages)
    return Reply(body=body, media_type=part.content.media_type, headers=headers)


def _caught_up(head: Head, run: RunRecord, after: int, part: StreamPart, *, is_kept: bool) -> Reply:
    """Return what was read; a client can keep it, if its offset always means the same."""
    headers = _headers(run, part.seq, part)
    state = f"{run.id} {after} {part.seq} {part.is_closed} {part.error is None} {run.seq}"
    etag = f'"{sha256(state.encode()).hexdigest()[:22]}"'
    if is_kept:
        headers += [("etag", etag), ("cache-control", "private, no-cache")]
    if etag in {each.strip() for each in head.headers.get("if-none-match", "").split(",")}:
        return Reply(status=304, headers=headers)
    body = part.content.body(part.messages)
    return Reply(body=body, media_type=part.content.media_type, headers=headers)


def _headers(run: RunRecord, seq: int, part: StreamPart | None = None) -> list[tuple[str, str]]:
    """Return the headers about a stream at ``seq``; ``part`` is what the answer has of it."""
    headers = [("stream-next-offset", offset_of(run.id, seq)), ("run-id", run.id)]
    is_closed = run.status is Status.COMPLETED if part is None else part.is_closed
    if is_closed:
        headers.append(("stream-closed", "true"))
    if part is not None and (is_closed or (seq >= run.seq and part.error is None)):
        headers.append(("stream-up-to-date", "true"))
    return headers


def _appended(run: RunRecord, head: AppendHead, *, status: int) -> Reply:
    numbers = [] if head.producer is None else _numbers(head.producer)
    return Reply(status=status, headers=[*_headers(run, tail_of(run)), *numbers])


def _judged(run: RunRecord, head: AppendHead, log: StreamLog, verdict: Verdict) -> Reply:
    """Return the answer to an append that is a repeat, or is refused."""
    headers = [*dict([*_headers(run, tail_of(run)), *verdict.headers]).items()]
    if verdict.status != 204:  # noqa: PLR2004
        told = _told(Conflict(verdict.message).error_object(), verdict.status)
        return replace(told, headers=headers)
    if head.producer is not None:
        headers += _numbers(log.newest(head.producer))
    return Reply(status=204, headers=headers)


def _numbers(producer: StreamProducer) -> list[tuple[str, str]]:
    return [("producer-epoch", str(producer.epoch)), ("producer-seq", str(producer.seq))]


def _label(name: str) -> str:
    return f"stream:{name}"


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


def _failed(error: ErrorObject) -> Reply:
    """Return the error of a run, with a status that the client does not retry."""
    is_final = error.status != _RETRIED and error.status < _SERVERS
    return _told(error, error.status if is_final else _FAILED)


def _told(error: ErrorObject, status: int) -> Reply:
    return Reply(status=status, body=to_json({"error": error.to_dict()}), media_type=JSON)
