"""A list of runs that stays current: the runs that match, and then each that changes.

The store is asked again every second: it answers lists anyway, and need not know who watches. A
run that changes more often than that is told once a second.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from typing import Final

from pydantic_core import to_json

from yieldwire.asgi.disconnect import check_connected
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.negotiation import NDJSON, SSE, Format, Formats, flag
from yieldwire.asgi.site import Site
from yieldwire.asgi.streaming import retry_ms, stream_head
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.codecs.sse import SSEEncoder
from yieldwire.errors import Json, NotFound, StoreError, YieldwireError
from yieldwire.log.events import one_line
from yieldwire.log.run import RunRecord
from yieldwire.log.snapshot import summary
from yieldwire.runs.access import Caller
from yieldwire.stores import Query

EVERY: Final = 1.0
"""Seconds between two looks at the store."""
_FORMATS: Final = Formats([SSE, NDJSON])


_DETAILS: Final = ("progress", "questions", "waiting", "cancelRequested")
"""What the query ``details`` adds to the entries of runs that have not ended."""


async def entries_of(
    site: Site, exchange: Exchange, runs: Sequence[RunRecord]
) -> Sequence[dict[str, Json]]:
    """Return the entries of runs in a list, with the details that the request asks for."""
    if not flag(exchange.request.query_params.get("details")):
        return [summary(run) for run in runs]
    return [await _detailed(site, run) for run in runs]


async def _detailed(site: Site, run: RunRecord) -> dict[str, Json]:
    entry = summary(run)
    if not run.status.is_terminal:
        # Without them, a run that was deleted or cannot be read would take the whole list with it.
        with suppress(NotFound, StoreError):
            snapshot = await site.app.snapshot(run.id, with_text=False)
            entry = {name: snapshot[name] for name in (*entry, *_DETAILS)}
    return entry


async def watch_runs(site: Site, exchange: Exchange, caller: Caller, query: Query) -> None:
    """Stream the runs that match ``query``, and then those of them that change, as they do.

    Raises:
        NotAcceptable: If no stream of lines or events is accepted.
        RateLimited: If the caller has too many streams.
    """
    wanted = _FORMATS.choose(exchange.headers.get("accept"), SSE)
    with site.slot(caller), site.watch(exchange):
        await _stream(site, exchange, caller, query, wanted)


async def _stream(
    site: Site, exchange: Exchange, caller: Caller, query: Query, wanted: Format
) -> None:
    encoder = NDJSONEncoder() if wanted is NDJSON else SSEEncoder()
    await exchange.send_head(200, stream_head(encoder))
    quiet, keepalive = 0.0, site.app.timing.keepalive
    is_first = True
    async with aclosing(changes(site, exchange, caller, query)) as every:
        async for runs in every:
            quiet += EVERY
            if runs or is_first:
                quiet, is_first = 0.0, False
                told = one_line(to_json({"runs": await entries_of(site, exchange, runs)}))
                body = told + b"\n" if wanted is NDJSON else b"event: runs\ndata: %b\n\n" % told
            elif quiet >= keepalive:
                check_connected(exchange.receive)
                quiet, body = 0.0, encoder.keepalive()
            else:
                continue
            await exchange.within_time(exchange.send_body(body, more=True))
    await exchange.send_body(encoder.farewell(retry_ms()))


async def changes(
    site: Site, exchange: Exchange, caller: Caller, query: Query
) -> AsyncGenerator[Sequence[RunRecord], None]:
    """Yield the runs that match, then, at each look, those that are new or have changed.

    It ends when the server stops, or the caller's access does: the client asks again.
    """
    seen = dict[str, RunRecord]()
    asked_at, every = site.app.clock.monotonic(), site.app.timing.reauthorize
    while not site.app.is_closing and _has_access(site, caller):
        found = {run.id: run for run in await site.app.find(query)}
        left = [await _now(site, run_id) for run_id in seen.keys() - found.keys()]
        told = [*found.values(), *(run for run in left if run is not None)]
        yield [run for run in told if _is_news(run, seen.get(run.id))]
        seen = found
        await asyncio.sleep(EVERY)
        if every is not None and site.app.clock.monotonic() - asked_at >= every:
            asked_at = site.app.clock.monotonic()
            if not await _is_still(site, exchange, caller):
                return


def _is_news(run: RunRecord, known: RunRecord | None) -> bool:
    return known is None or summary(run) != summary(known)


async def _now(site: Site, run_id: str) -> RunRecord | None:
    """Return a run that does not match any more, or ``None`` if it is gone."""
    try:
        return await site.app.store.get(run_id)
    except NotFound:
        return None


def _has_access(site: Site, caller: Caller) -> bool:
    return not (caller.has_expired or site.sign_outs.has(caller))


async def _is_still(site: Site, exchange: Exchange, caller: Caller) -> bool:
    try:
        return (await site.caller(exchange)).owner == caller.owner
    except YieldwireError:
        return False
