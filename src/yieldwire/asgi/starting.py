"""Starts a run, or resumes one by a repeated request, and answers in any format."""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any, Final

from pydantic_core import to_json

from yieldwire.actions.action import Action
from yieldwire.asgi.exchange import Exchange, Headers, run_headers
from yieldwire.asgi.followpage import posted_form
from yieldwire.asgi.jsonanswer import answer_when_ended
from yieldwire.asgi.negotiation import HTML, JSON, SSE, Format, preferences
from yieldwire.asgi.route import Rest
from yieldwire.asgi.site import OpenStream, Site
from yieldwire.asgi.startrequest import reading, request_of
from yieldwire.asgi.streaming import Streaming, stream_head
from yieldwire.codecs import Encoder
from yieldwire.codecs.sse import SSEEncoder
from yieldwire.errors import (
    ErrorObject,
    ForeignCursor,
    Json,
    MethodNotAllowed,
    Unauthorized,
)
from yieldwire.log.cursor import Cursor, check_within, parse_cursor
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status, advance
from yieldwire.runs.access import Caller
from yieldwire.runs.reader import Reader
from yieldwire.runs.standing import FollowedRun, Standing

_NOTHING: Final = nullcontext()
# Once for all answers: an enum finds its members slowly before Python 3.12.
_RUNNING: Final = Status.RUNNING
_DONE: Final = EventType.DONE


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
                await answer_when_ended(site, exchange, caller, run, prefer)
                return None
            return await stream_run(site, exchange, slot, run, cursor, wanted=wanted)
    if wanted is HTML and not prefer.respond_async:
        await _start_by_form(site, exchange, caller, action)
        return None
    # A caller with too many streams is refused before a run starts that it could not read.
    own_slot = None if prefer.respond_async else site.slot(caller)
    with own_slot or _NOTHING:
        request = request_of(site, exchange, caller, action)
        request.read, request.detached = reading(site, exchange, request), prefer.respond_async
        run = await site.app.begin(request)
        if own_slot is None:
            await _answer_accepted(site, exchange, run)
        elif wanted is JSON:
            await answer_when_ended(site, exchange, caller, run, prefer)
        else:
            return await stream_run(site, exchange, own_slot, run, None, wanted=wanted)
    return None


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
    encoder = wanted.encoder_for(site.app.store.reach)
    head_wait, look_wait = site.app.timing.head_wait, site.look_wait
    page = await site.look(slot.caller, run, wait=look_wait) if cursor is None else None
    if page and page[-1].end is not None and encoder.carries_end:
        await _answer_whole(exchange, run.id, page, encoder)
        return None
    if page is not None:
        head_wait -= look_wait
    return await stream_in(
        site, exchange, slot, run, cursor, lambda _: encoder, page=page, head_wait=head_wait
    )


async def _answer_whole(
    exchange: Exchange, run_id: str, page: Sequence[Block], encoder: Encoder
) -> None:
    """Stream the whole log of a run that is over."""
    headers, error = exchange.naming(run_id), _early_error(page)
    if error is not None:
        await exchange.answer_error_object(error, headers)
        return
    first_seq = page[0].first
    opening = encoder.opening(
        Cursor(run_id, first_seq - 1), _state(run_id, _status_after(page), first_seq, None)
    )
    body = b"".join([opening, *map(encoder.encode, page)])
    starting = exchange.send_start(200, stream_head(encoder, headers), body)
    await exchange.within_time(starting)


async def stream_in(  # noqa: PLR0913 - what a stream is made of
    site: Site,
    exchange: Exchange,
    slot: OpenStream,
    run: RunRecord,
    cursor: Cursor | None,
    encoder_for: Callable[[Reader], Encoder],
    *,
    page: Sequence[Block] | None = None,
    head_wait: float | None = None,
) -> Rest | None:
    """Stream a run with the encoder that is made for its reader, as `stream_run` does.

    Without a cursor, ``page`` is what was already read, if something was, and ``head_wait`` how
    long the head still waits for the first event; ``None``: as long as the application says.
    """
    wait = site.app.timing.head_wait if head_wait is None else head_wait
    reader, rest = site.reader_for(slot.caller, run).open(), None
    try:
        encoder = encoder_for(reader)
        streaming = await _begin(site, exchange, reader, run, cursor, encoder, page=page, wait=wait)
        if streaming is not None:
            rest = streaming.follow(slot, site.attend(exchange, reader))
    finally:
        if rest is None:
            await reader.close()
    return rest


async def _begin(  # noqa: PLR0913 - as above
    site: Site,
    exchange: Exchange,
    reader: Reader,
    run: RunRecord,
    cursor: Cursor | None,
    encoder: Encoder,
    *,
    page: Sequence[Block] | None,
    wait: float,
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
        tick = site.app.timing.keepalive
        page = await reader.first(wait, page, tick=tick, linger=run.linger)
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
    head = stream_head(encoder, headers)
    if exchange.method == "HEAD":
        await exchange.send_start(200, head, b"")
        return None
    opening = await _send_head(exchange, head, opening, has_news=last > place.seq)
    followed = None
    if run.queue is not None or standing is not None:
        followed = FollowedRun(site.app.standings, run, standing, reader.interrupt)
    streaming = Streaming(exchange, reader, encoder, place, site.app.timing.keepalive, followed)
    is_over = await streaming.begin(opening, page)
    return None if is_over else streaming


async def _send_head(exchange: Exchange, head: Headers, opening: bytes, *, has_news: bool) -> bytes:
    """Send the head, with ``opening`` unless events are there; return what is not sent yet."""
    if has_news or not opening:
        await exchange.send_head(200, head)
        return opening
    await exchange.within_time(exchange.send_start(200, head, opening, more=True))
    return b""


def _status_after(page: Sequence[Block]) -> Status:
    """Return a run's status at the end of its log's first page."""
    end = page[-1].end
    return _RUNNING if end is None else advance(_RUNNING, end)


def _state(run_id: str, status: Status, first_seq: int, standing: Standing | None) -> bytes:
    if standing is None and first_seq == 1:
        # Nothing in an id needs an escape: it is a part of URLs and of cursors.
        return b'{"id":"%b","status":"%b"}' % (run_id.encode(), status.encode())
    state: dict[str, Json] = {"id": run_id, "status": str(status)}
    if standing is not None:
        state["waiting"] = standing.to_json()
    if first_seq > 1:
        state["firstSeq"] = first_seq  # before the first event, if the log was trimmed
    return to_json(state)


def _early_error(page: Sequence[Block]) -> ErrorObject | None:
    """Return the error of a run that ended before it had any other event."""
    end = page[-1].end if len(page) == 1 else None
    if end is None or end is _DONE or page[0].last != 1:
        return None
    (event,) = page[0].events()
    return ErrorObject.from_dict(event.value)
