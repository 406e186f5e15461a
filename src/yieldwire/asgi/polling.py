"""A run as one object, for clients that cannot hold a stream open; and lists of runs."""

import hashlib
import re
from dataclasses import replace
from typing import Final

from pydantic_core import from_json, to_json

from yieldwire.asgi.exchange import Exchange, Headers, run_headers
from yieldwire.asgi.followpage import answer_page
from yieldwire.asgi.negotiation import SSE, choose_timed, flag, seconds
from yieldwire.asgi.route import Rest
from yieldwire.asgi.site import Site
from yieldwire.asgi.starting import stream_run
from yieldwire.asgi.startrequest import key_of
from yieldwire.asgi.watching import entries_of, watch_runs
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.errors import NotFound, ParseError, Unauthorized
from yieldwire.log.cursor import Cursor, check_within, cursor_in, mark_of
from yieldwire.log.run import RunRecord, Status
from yieldwire.runs.access import Caller
from yieldwire.runs.standing import FollowedRun, Standing
from yieldwire.stores import Query

_RUN_ID: Final = re.compile(r"[A-Za-z0-9_~-]{1,64}", re.ASCII)
PRIVATE: Final[Headers] = (
    (b"cache-control", b"private, no-cache"),
    (b"vary", b"Cookie, Authorization, Accept"),
)
MAX_LISTED: Final = 200


async def get_run(site: Site, exchange: Exchange, caller: Caller, run_id: str) -> None:
    """Answer ``GET {base}/runs/{id}``: the snapshot, or for a browser the page that follows it."""
    run = await _run(site, caller, run_id)
    query = exchange.request.query_params
    await site.polls.note(run)  # a poll is a reader that comes and goes
    if exchange.wants_page and "after" not in query:
        await answer_page(site, exchange, run)
        return
    after = cursor_in(query["after"], run.id) if query.get("after") else None
    if after is not None:
        check_within(after.seq, run.seq)
    wait = seconds(query.get("wait"), site.app.timing.max_wait)
    if wait and not run.status.is_terminal:
        if after is not None:
            knows_all = after.seq == run.seq
        else:
            knows_all = _fits(exchange, _etag(run, await site.app.standings.of(run)))
        if knows_all:
            with site.slot(caller):
                await _wait_for_news(site, exchange, caller, run, wait)
    await _answer_snapshot(site, exchange, caller, run, after)


async def _wait_for_news(
    site: Site, exchange: Exchange, caller: Caller, run: RunRecord, wait: float
) -> None:
    reader = site.reader_for(caller, run, is_needed=False)
    standing = await site.app.standings.of(run)
    followed = FollowedRun(site.app.standings, run, standing, reader.interrupt)
    async with site.polls.waiting(run, wait), reader:
        with followed, site.attend(exchange, reader):
            await reader.news(run.seq, wait)
        reader.check()


async def _answer_snapshot(
    site: Site, exchange: Exchange, caller: Caller, run: RunRecord, after: Cursor | None
) -> None:
    # Of the state before the body is built: a newer one would hide changes in between.
    known = await site.app.store.get(run.id)
    etag = _etag(known, await site.app.standings.of(known))
    headers = [*PRIVATE, *run_headers(run.id, exchange.base), (b"etag", etag.encode())]
    if after is None and _fits(exchange, etag):
        await exchange.answer(304, headers=headers)
        return
    lines: list[bytes] = []
    read = after
    if after is not None:
        encoder = NDJSONEncoder(times=flag(exchange.request.query_params.get("times")))
        page = await site.app.store.read(run.id, after.seq)
        await site.reader_for(caller, run, is_needed=False).check_place(after.seq, after.mark)
        for block in page:
            told = block if site.app.debug else block.without_debug()
            lines += encoder.encode(told).splitlines()
        if page:
            mark = None if site.app.store.reach == "process" else mark_of(page[-1].newest_at)
            read = Cursor(run.id, page[-1].last, mark)
    snapshot = await site.app.snapshot(run.id, with_text=after is None)
    if flag(exchange.request.query_params.get("input")) and _knows_input(site, caller, run):
        snapshot["input"] = from_json(run.input)
    if read is not None:
        snapshot["cursor"] = str(read)
        if read.seq < snapshot["seq"]:
            snapshot["retryAfterMs"] = 0
    body = to_json(snapshot)
    if after is not None:
        body = b'%b,"events":[%b]}' % (body[:-1], b",".join(lines))
    await exchange.answer(200, body, media_type="application/json", headers=headers)


def _knows_input(site: Site, caller: Caller, run: RunRecord) -> bool:
    """Whether the caller can see what the run was started with; a signed link does not show it."""
    return site.app.debug or (run.owner is not None and caller.owner == run.owner)


def _etag(run: RunRecord, standing: Standing | None) -> str:
    state = f"{run.id} {run.seq} {run.first_seq} {run.status} {run.attempt} {run.cancel_reason}"
    if standing is not None:
        state += f" {standing.before} {standing.not_before}"
    return f'"{hashlib.sha256(state.encode()).hexdigest()[:22]}"'


def _fits(exchange: Exchange, etag: str) -> bool:
    sent = exchange.headers.get("if-none-match", "")
    return etag in {each.strip().removeprefix("W/") for each in sent.split(",")}


async def get_events(site: Site, exchange: Exchange, caller: Caller, run_id: str) -> Rest | None:
    """Answer ``GET {base}/runs/{id}/events``: the stream, from a cursor or from the start."""
    run = await _run(site, caller, run_id)
    query = exchange.request.query_params
    cursor = exchange.headers.get("last-event-id") or query.get("after") or query.get("lastEventId")
    place = cursor_in(cursor, run.id) if cursor else Cursor(run.id, run.first_seq - 1)
    accept = exchange.headers.get("accept")
    if flag(query.get("times")):
        wanted = choose_timed(accept)
    else:
        wanted = site.formats.choose(accept, SSE, streams=True)
    with site.slot(caller) as slot:
        return await stream_run(site, exchange, slot, run, place, wanted=wanted)


async def cancel_run(site: Site, exchange: Exchange, caller: Caller, run_id: str) -> None:
    """Answer ``POST {base}/runs/{id}/cancel``; it is idempotent."""
    run = await _run(site, caller, run_id, "cancel")
    await site.app.cancel(run.id)
    if exchange.wants_page:
        query = exchange.links().query
        await exchange.answer(303, headers=run_headers(run.id, exchange.base, query))
        return
    headers = run_headers(run.id, exchange.base)
    await exchange.answer_json(200, await site.app.snapshot(run.id), headers)


async def cancel_start(site: Site, exchange: Exchange, caller: Caller, name: str) -> None:
    """Answer ``POST {base}/{action}/cancel``: cancel a start by its key, before or after it."""
    action, key = site.app.registry.action_named(name), key_of(exchange)
    if key is None:
        raise ParseError("Send the Idempotency-Key of the start to cancel.")
    run = await site.app.cancel_start(action, caller, key)
    if run is None:
        await exchange.answer_json(200, {"runId": None, "status": Status.CANCELLED.value})
        return
    headers = run_headers(run.id, exchange.base)
    await exchange.answer_json(200, {"runId": run.id, "status": run.status.value}, headers)


async def delete_run(site: Site, exchange: Exchange, caller: Caller, run_id: str) -> None:
    """Answer ``DELETE {base}/runs/{id}``: delete an ended run and its log."""
    run = await _run(site, caller, run_id, "delete")
    await site.app.delete(run.id)
    await exchange.answer(204)


async def list_runs(site: Site, exchange: Exchange, caller: Caller) -> None:
    """Answer ``GET {base}/runs``: the caller's own, newest first."""
    if caller.owner is None and not site.identifies(exchange):
        raise Unauthorized(
            "This application has no `identify`, so no run has an owner: runs are read by their "
            "ids, and `yieldwire dev` lists them all."
        )
    if caller.owner is None:
        raise Unauthorized("Sign in first: anonymous runs are not listed.")
    await answer_runs(site, exchange, caller, query_of(exchange, owner=caller.owner))


async def answer_runs(site: Site, exchange: Exchange, caller: Caller, query: Query) -> None:
    """Answer with the runs that match ``query``: one page, or a stream that keeps it current."""
    if flag(exchange.request.query_params.get("watch")):
        await watch_runs(site, exchange, caller, query)
        return
    runs = await site.app.find(replace(query, limit=query.limit + 1))
    listed = await entries_of(site, exchange, runs[: query.limit])
    following = runs[query.limit - 1].id if len(runs) > query.limit else None
    await exchange.answer_json(200, {"runs": listed, "next": following}, PRIVATE)


def query_of(exchange: Exchange, *, owner: str | None = None, everyone: bool = False) -> Query:
    """Return which runs the query parameters of a list ask for.

    Raises:
        ParseError: If one has an invalid value.
    """
    query = exchange.request.query_params
    try:
        status = Status(query["status"]) if query.get("status") else None
    except ValueError as exc:
        names = ", ".join(status.value for status in Status)
        raise ParseError(f"status= must be one of {names}.") from exc
    return Query(
        owner=owner,
        everyone=everyone,
        status=status,
        action=query.get("action") or None,
        label=query.get("label") or None,
        parent=query.get("parent") or None,
        before=query.get("before") or None,
        limit=_limit(query.get("limit")),
    )


def _limit(text: str | None) -> int:
    if not text:
        return 50
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_LISTED):
        raise ParseError(f"limit= must be a number from 1 to {MAX_LISTED}.")
    return int(text)


async def _run(site: Site, caller: Caller, run_id: str, verb: str = "read") -> RunRecord:
    if _RUN_ID.fullmatch(run_id) is None:
        raise NotFound("There is no such run.")
    return await site.app.get(run_id, caller, verb)  # type: ignore[arg-type]
