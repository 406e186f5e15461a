"""Starts a run, or resumes one by a repeated request, and answers in any format."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import aclosing, closing, nullcontext, suppress
from functools import partial
from typing import Any, Final

from pydantic_core import to_json

from yieldwire.actions.action import Action
from yieldwire.asgi.exchange import PIECE_BYTES, Exchange, run_headers
from yieldwire.asgi.followpage import posted_form
from yieldwire.asgi.negotiation import HTML, JSON, SSE, Format, Preferences, flag, preferences
from yieldwire.asgi.requestlimits import Allowance
from yieldwire.asgi.route import Rest
from yieldwire.asgi.site import OpenStream, Site
from yieldwire.asgi.startrequest import reading, request_of
from yieldwire.asgi.streaming import Streaming, stream_head
from yieldwire.codecs import Encoder
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.codecs.sse import SSEEncoder
from yieldwire.errors import (
    ErrorObject,
    ForeignCursor,
    Json,
    MethodNotAllowed,
    PayloadTooLarge,
    Unauthorized,
)
from yieldwire.log.cursor import Cursor, check_within, parse_cursor
from yieldwire.log.events import Block, EventType
from yieldwire.log.question import Questions
from yieldwire.log.run import RunRecord, Status, advance
from yieldwire.log.snapshot import Fold
from yieldwire.runs.access import Caller
from yieldwire.runs.reader import PAGE_BYTES, Reader
from yieldwire.runs.standing import FollowedRun, Standing

_NOTHING: Final = nullcontext()


async def call_action(site: Site, exchange: Exchange, caller: Caller, name: str) -> Rest | None:
    """Answer ``POST {base}/{action}``, or GET of a feed."""
    action = site.app.registry.action_named(name)
    if exchange.method == "HEAD" and action.method == "GET":
        await exchange.answer(200, media_type=SSEEncoder.media_type)
        return None
    if exchange.method != action.method:
        raise MethodNotAllowed(exchange.method, [action.method, "OPTIONS"])
    default = SSE if action.signature.shape.streams else JSON
    wanted = site.formats.choose(exchange.headers.get("accept"), default)
    text = _cursor(exchange)
    prefer = preferences(exchange.headers.get("prefer"))
    if text is not None:
        cursor = parse_cursor(text)
        run = await site.app.get(cursor.run_id, caller)
        if run.action != action.name:
            raise ForeignCursor("The cursor belongs to a run of another action.")
        check_within(cursor.seq, run.seq)
        with site.slot(caller) as slot:
            if wanted is JSON:
                reader = site.reader_for(caller, run, is_needed=False)
                await reader.check_place(cursor.seq, cursor.mark)
                await _answer_when_ended(site, exchange, caller, run, prefer)
                return None
            return await stream_run(site, exchange, slot, run, cursor, wanted=wanted)
    if wanted is HTML and not prefer.respond_async:
        await _start_by_form(site, exchange, caller, action)
        return None
    # A caller with too many streams is refused before a run starts that it could not read.
    own_slot = None if prefer.respond_async else site.slot(caller)
    with own_slot or _NOTHING:
        run = await _start(site, exchange, caller, action, detached=prefer.respond_async)
        if own_slot is None:
            await _answer_accepted(site, exchange, run)
        elif wanted is JSON:
            await _answer_when_ended(site, exchange, caller, run, prefer)
        else:
            return await stream_run(site, exchange, own_slot, run, None, wanted=wanted)
    return None


async def _start(
    site: Site, exchange: Exchange, caller: Caller, action: Action[..., Any, Any], *, detached: bool
) -> RunRecord:
    request = request_of(site, exchange, caller, action)
    request.read, request.detached = reading(site, exchange, request), detached
    return await site.app.begin(request)


def _cursor(exchange: Exchange) -> str | None:
    # A header takes precedence over the query, which is for EventSource's first connection.
    cursor = exchange.headers.get("last-event-id")
    if cursor is None and exchange.method == "GET":
        cursor = exchange.request.query_params.get("lastEventId")
    return cursor or None


async def _start_by_form(
    site: Site, exchange: Exchange, caller: Caller, action: Action[..., Any, Any]
) -> None:
    """Start a run, and send the browser to its page; a form that is refused is shown again."""
    request = request_of(site, exchange, caller, action)
    links, read = exchange.links(), reading(site, exchange, request)
    form = exchange.form = posted_form(exchange, action, links)
    request.read = read if form is None else partial(form.fill, read)
    run = await site.app.begin(request)
    await exchange.answer(303, headers=run_headers(run.id, exchange.base, links.query))


async def _answer_accepted(site: Site, exchange: Exchange, run: RunRecord) -> None:
    headers = [*run_headers(run.id, exchange.base), (b"preference-applied", b"respond-async")]
    await exchange.answer_json(202, await site.app.snapshot(run.id), headers)


async def _answer_when_ended(
    site: Site, exchange: Exchange, caller: Caller, run: RunRecord, prefer: Preferences
) -> None:
    wait = min(
        site.app.timing.wait if prefer.wait is None else prefer.wait, site.app.timing.max_wait
    )
    asked = flag(exchange.request.query_params.get("events"))
    most = site.request_limits.answer_bytes if asked else None
    fold = Fold(keeps_text=False, shows_debug=site.app.debug)
    with closing(_Heard(most, site.answers, fold)) as heard:
        async with site.reader_for(caller, run) as reader:
            with site.attend(exchange, reader):
                await _read_to_pause(reader, heard, wait, site.app.timing.keepalive)
            reader.check()
        await _answer_heard(site, exchange, run, heard)


async def _answer_heard(site: Site, exchange: Exchange, run: RunRecord, heard: "_Heard") -> None:
    headers = run_headers(run.id, exchange.base)
    if heard.fault is not None:
        error = _too_large(run.id, exchange.base, heard.fault)
        await exchange.answer_error_object(error, headers)
        return
    end, outcome = heard.end, heard.outcome()
    status = advance(Status.RUNNING, end) if end else (await site.app.store.get(run.id)).status
    code = 202 if end is None else 200
    if outcome["error"] is not None:
        code = ErrorObject.from_dict(outcome["error"]).status
    questions = {"questions": heard.questions.listed()} if len(heard.questions) else {}
    body = to_json({"runId": run.id, "status": status.value, **outcome, **questions})
    if heard.has_events:
        body = b'%b,"events":[%b]}' % (body[:-1], heard.take_events())
    await exchange.answer(code, body, media_type="application/json", headers=headers)


def _too_large(run_id: str, base: str, fault: str) -> ErrorObject:
    error = PayloadTooLarge(
        f"The run's events are over the {fault}; stream them from {base}/runs/{run_id}/events."
    )
    return error.error_object(run_id)


class _Heard:
    """What an answer needs of a log: its end or its open questions, and its events if requested.

    From the blocks that were read, not from the store: there the run can be past its retention.
    It holds at most ``most_bytes`` of events, or ``None`` if they are not requested. Everything
    above one piece of an answer is taken from the shared ``allowance``, until this is closed.
    """

    def __init__(self, most_bytes: int | None, allowance: Allowance, fold: Fold) -> None:
        self.has_events: Final = most_bytes is not None
        self._encoder = NDJSONEncoder()
        self._lines: list[bytes] = []
        self._most, self._size = most_bytes or 0, 0
        self._allowance, self._taken = allowance, 0
        self._fold = fold
        self.questions: Final[Questions] = fold.questions
        self.end: EventType | None = None
        self.fault: str | None = None
        """The limit that the events exceed, if they do."""

    def take(self, block: Block) -> None:
        """Take what is needed from a block."""
        if block.has(EventType.QUESTION) or block.has(EventType.ANSWER):
            for event in block.events():
                self.questions.take(event)
        if block.end is not None:
            self.end = block.end
            self._fold.add(block.newest())
        if not self.has_events or self.fault is not None:
            return
        lines = self._encoder.encode(block)
        self._size += len(lines)
        shared = max(0, self._size - PIECE_BYTES)
        if self._size > self._most:
            self.fault = f"{self._most} bytes of one answer"
        elif not self._allowance.take(shared - self._taken):
            self.fault = "bytes that all answers can hold together"
        else:
            self._taken = shared
            self._lines.append(lines)
            return
        self._lines.clear()
        self.close()

    def close(self) -> None:
        """Release what is held of the allowance."""
        self._allowance.give_back(self._taken)
        self._taken = 0

    def outcome(self) -> dict[str, Json]:
        """Return how the run ended."""
        return self._fold.outcome()

    def take_events(self) -> bytes:
        """Return the events as the inside of a JSON array, and release them."""
        lines, self._lines = b"".join(self._lines), []
        return lines.removesuffix(b"\n").replace(b"\n", b",")


async def _read_to_pause(reader: Reader, heard: _Heard, wait: float, tick: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(wait), aclosing(reader.pages(0, tick=tick)) as pages:
            async for page in pages:
                if reader.caller.has_expired:
                    break
                for block in page:
                    heard.take(block)
                if len(heard.questions):
                    break  # the caller can answer them


async def stream_run(
    site: Site,
    exchange: Exchange,
    slot: OpenStream,
    run: RunRecord,
    cursor: Cursor | None,
    *,
    wanted: Format,
) -> Rest | None:
    """Begin to stream a run: from the start (without a cursor) or from a cursor.

    The caller of this function has entered the slot. It must await what this returns, which sends
    what is still to come, at once after it has left the slot: nobody is counted in between.

    Raises:
        ForeignCursor: If the log does not have the cursor's event.
    """
    store, page = site.app.store, None
    encoder = wanted.encoder_for(store.reach)
    if cursor is None and encoder.carries_end and _is_cheap_to_look(site, run):
        await asyncio.sleep(0)  # most runs have something by then, and some have ended
        page = await store.read(run.id, 0, max_bytes=PAGE_BYTES)
        if page and page[-1].end is not None and not site.is_shut_out(slot.caller):
            # Most short runs: nothing is left to wait for, so no reader is needed.
            await _answer_whole(site, exchange, run.id, page, encoder)
            return None
    return await stream_in(site, exchange, slot, run, cursor, lambda _: encoder, page=page)


def _is_cheap_to_look(site: Site, run: RunRecord) -> bool:
    """Whether others can have a turn, and the log be read, before the run has a reader."""
    app = site.app
    waits = run.linger is None or run.linger >= 2 * app.timing.keepalive
    return waits and app.store.reach == "process" and not app.watch.has_readers


async def _answer_whole(
    site: Site, exchange: Exchange, run_id: str, page: Sequence[Block], encoder: Encoder
) -> None:
    """Stream the whole log of a run that is over."""
    if not site.app.debug:
        page = [block.without_debug() for block in page]
    headers, error = exchange.naming(run_id), _early_error(page)
    if error is not None:
        await exchange.answer_error_object(error, headers)
        return
    first_seq = page[0].first
    opening = encoder.opening(
        Cursor(run_id, first_seq - 1), _state(run_id, _status_after(page), first_seq, None)
    )
    body = b"".join([opening, *map(encoder.encode, page)])
    await exchange.send_head(200, stream_head(encoder, headers))
    await exchange.within_time(exchange.send_body(body))


async def stream_in(  # noqa: PLR0913 - what a stream is made of
    site: Site,
    exchange: Exchange,
    slot: OpenStream,
    run: RunRecord,
    cursor: Cursor | None,
    encoder_for: Callable[[Reader], Encoder],
    *,
    page: Sequence[Block] | None = None,
) -> Rest | None:
    """Stream a run with the encoder that is made for its reader, as `stream_run` does.

    Without a cursor, ``page`` is what was already read, if something was.
    """
    reader, rest = site.reader_for(slot.caller, run).open(), None
    try:
        encoder = encoder_for(reader)
        streaming = await _begin(site, exchange, reader, run, cursor, encoder, page=page)
        if streaming is not None:
            rest = _stream_on(site, exchange, reader, streaming, slot)
    finally:
        if rest is None:
            await reader.close()
    return rest


async def _stream_on(
    site: Site, exchange: Exchange, reader: Reader, streaming: Streaming, slot: OpenStream
) -> None:
    try:
        with slot, streaming.followed or _NOTHING, site.attend(exchange, reader):
            await streaming.follow()
    finally:
        streaming.close()
        await reader.close()


async def _begin(  # noqa: PLR0913 - as above
    site: Site,
    exchange: Exchange,
    reader: Reader,
    run: RunRecord,
    cursor: Cursor | None,
    encoder: Encoder,
    *,
    page: Sequence[Block] | None,
) -> Streaming | None:
    """Send what there is, and return what sends the rest; ``None`` if that is all."""
    headers = exchange.naming(run.id)
    if cursor is not None:
        page = ()
        check_within(cursor.seq, run.seq)
        await reader.check_place(cursor.seq, cursor.mark)
        if cursor.seq == run.seq and run.status.is_terminal:
            await exchange.answer(204, headers=headers)
            return None
    else:
        timing = site.app.timing
        page = await reader.first(timing.head_wait, page, tick=timing.keepalive, linger=run.linger)
        if reader.is_revoked:
            raise Unauthorized
        error = _early_error(page)
        if error is not None:
            await exchange.answer_error_object(error, headers)
            return None
    if page:
        status, first_seq, last = _status_after(page), page[0].first, page[-1].last
    else:
        run = run if cursor is not None else await site.app.store.get(run.id)
        status, first_seq, last = run.status, run.first_seq, run.seq
    place = cursor or Cursor(run.id, first_seq - 1)
    standing = None if page else await site.app.standings.of(run)
    state = _state(run.id, status, first_seq, standing)
    opening = encoder.opening(place, state)
    if standing is not None and not opening:
        opening = encoder.state(place, state)
    streaming = Streaming(exchange, reader, encoder, site.app.timing)
    if run.queue is not None or standing is not None:
        streaming.followed = FollowedRun(site.app.standings, run, standing, reader.interrupt)
    is_over = await streaming.begin(place, opening, headers, page=page, has_news=last > place.seq)
    return None if is_over else streaming


def _status_after(page: Sequence[Block]) -> Status:
    """Return a run's status at the end of its log's first page."""
    end = page[-1].end
    return Status.RUNNING if end is None else advance(Status.RUNNING, end)


def _state(run_id: str, status: Status, first_seq: int, standing: Standing | None) -> bytes:
    state: dict[str, Json] = {"id": run_id, "status": str(status)}
    if standing is not None:
        state["waiting"] = standing.to_json()
    if first_seq > 1:
        state["firstSeq"] = first_seq  # before the first event, if the log was trimmed
    return to_json(state)


def _early_error(page: Sequence[Block]) -> ErrorObject | None:
    """Return the error of a run that ended before it had any other event."""
    if len(page) != 1 or page[0].end in {None, EventType.DONE} or page[0].first != page[0].last:
        return None
    if page[0].first != 1:
        return None
    (event,) = page[0].events()
    return ErrorObject.from_dict(event.value)
