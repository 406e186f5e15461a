"""Every run, of every owner: found by any of its words, shown with its input, and stopped."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydantic_core import from_json

from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.negotiation import flag
from yieldwire.asgi.polling import MAX_LISTED, PRIVATE, query_of
from yieldwire.asgi.site import Site
from yieldwire.devtools.loopwatch import LoopWatch
from yieldwire.errors import Json
from yieldwire.log.run import RunRecord
from yieldwire.log.snapshot import summary
from yieldwire.runs.access import Caller
from yieldwire.stores import Query
from yieldwire.stores.deliveries import Outstanding
from yieldwire.webhooks.destination import shown_url

SCANNED: Final = 2_000
"""The maximum of runs that one search looks at; its ``next`` continues from there."""
INPUT_SHOWN: Final = 300
"""The bytes of a run's input that a list shows."""


class EveryRun:
    """Answers the developer page's requests for runs, whatever their owner allows."""

    def __init__(self, watch: LoopWatch) -> None:
        self._watch = watch

    async def answer_list(self, site: Site, exchange: Exchange, _caller: Caller) -> None:
        """Answer ``GET {base}/dev/runs``: like the list of one's own runs, but of everyone's.

        All words of ``search=`` must occur in the run's record; ``active=1`` leaves out runs that
        have ended.
        """
        params = exchange.request.query_params
        words, is_active = params.get("search", "").casefold().split(), flag(params.get("active"))
        query = query_of(exchange, everyone=True)
        runs, following = await _found(site, query, words, is_active=is_active)
        listed: list[Json] = [self._entry(run) for run in runs]
        await exchange.answer_json(200, {"runs": listed, "next": following}, PRIVATE)

    async def answer_run(
        self, site: Site, exchange: Exchange, _caller: Caller, run_id: str
    ) -> None:
        """Answer ``GET {base}/dev/runs/{id}``: the entry of one run, and what a list leaves out.

        That is its whole input, and the webhooks that their receivers have not confirmed.
        """
        run = await _record(site, run_id)
        outstanding = await site.app.webhooks.outstanding(run.id) if _has_webhooks(run) else ()
        facts = {
            "input": from_json(run.input),
            "detached": run.detached,
            "webhooks": [*map(_webhook, outstanding)],
        }
        await exchange.answer_json(200, {**self._entry(run), **facts}, PRIVATE)

    async def cancel(self, site: Site, exchange: Exchange, _caller: Caller, run_id: str) -> None:
        """Answer ``POST {base}/dev/runs/{id}/cancel``: also for a feed that all readers share."""
        run = await site.app.cancel((await _record(site, run_id)).id)
        await exchange.answer_json(200, {"runId": run.id, "status": run.status.value})

    async def send_webhooks(
        self, site: Site, exchange: Exchange, _caller: Caller, run_id: str
    ) -> None:
        """Answer ``POST {base}/dev/runs/{id}/webhooks``: send what is outstanding now."""
        run = await _record(site, run_id)
        for each in await site.app.webhooks.outstanding(run.id):
            await site.app.webhooks.send_again(each.delivery)
        await exchange.answer_json(200, {"runId": run.id, "status": run.status.value})

    def _entry(self, run: RunRecord) -> dict[str, Json]:
        return {
            **summary(run),
            "owner": run.owner,
            "shared": run.is_shared,
            "brief": _brief(run.input),
            "hasWebhooks": _has_webhooks(run),
            "blocked": self._watch.blocked.get(run.id),
        }


async def _found(
    site: Site, query: Query, words: Sequence[str], *, is_active: bool
) -> tuple[Sequence[RunRecord], str | None]:
    """Return one page of runs, and the id after which the next one continues, if there is one."""
    found: list[RunRecord] = []
    before, each = query.before, MAX_LISTED if words or is_active else query.limit + 1
    for _ in range(SCANNED // MAX_LISTED):
        runs = await site.app.find(replace(query, before=before, limit=each))
        for run in runs:
            if len(found) == query.limit:
                return found, found[-1].id
            if not (is_active and run.status.is_terminal) and _has(run, words):
                found.append(run)
        if len(runs) < each:
            return found, None
        before = runs[-1].id
    return found, before


def _has(run: RunRecord, words: Sequence[str]) -> bool:
    if not words:
        return True
    facts = [run.id, run.action, run.status.value, run.owner or "", *run.labels, run.input.decode()]
    text = " ".join(facts).casefold()
    return all(word in text for word in words)


def _has_webhooks(run: RunRecord) -> bool:
    return bool(run.webhooks or run.question_webhooks)


def _webhook(outstanding: Outstanding) -> dict[str, Json]:
    delivery, again_in = outstanding
    return {
        "type": delivery.type,
        "url": shown_url(delivery.url),
        "tries": delivery.tries,
        "failure": delivery.failure,
        "againIn": again_in,
    }


async def _record(site: Site, run_id: str) -> RunRecord:
    await site.app.ready()
    return await site.app.store.get(run_id)


def _brief(text: bytes) -> str:
    return text[:INPUT_SHOWN].decode(errors="ignore") + ("…" if len(text) > INPUT_SHOWN else "")
