"""The page that follows one run, for the browser that started it by a plain HTML form.

It works without JavaScript, by reloading, and with it updates live.
"""

from collections.abc import Sequence
from typing import Any, Final

from yieldwire.actions.action import Action
from yieldwire.ai.chunks import is_quiet
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.pages.form import Form
from yieldwire.asgi.pages.link import Links
from yieldwire.asgi.pages.run import RunView
from yieldwire.asgi.pages.value import label_of
from yieldwire.asgi.site import Site
from yieldwire.errors import Json
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord
from yieldwire.log.snapshot import retry_after_ms

OUTPUT: Final = 50
"""How many of a run's newest chunks the page shows."""
_FORMS: Final = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
_SHOWN_APART: Final = frozenset({"text", "append", "progress", "value"})


async def answer_page(site: Site, exchange: Exchange, run: RunRecord) -> None:
    """Answer with the page of ``run`` in its current state."""
    snapshot = await site.app.snapshot(run.id)
    action = site.app.registry.find(run.action)
    signature = None if action is None else action.signature
    chunk = None if signature is None or signature.chunk is None else signature.chunk.json_schema
    view = RunView(
        snapshot=snapshot,
        base=exchange.root,
        result=None if signature is None else signature.result.json_schema,
        chunk=chunk,
        output=await _newest_output(site, run, snapshot),
        refresh=max(1, (retry_after_ms(run, site.app.clock.now()) or 0) // 1000),
        links=exchange.links(),
    )
    await exchange.answer_page(view.content())


async def _newest_output(site: Site, run: RunRecord, snapshot: dict[str, Json]) -> Sequence[Json]:
    """Return the newest chunks that are neither text nor progress."""
    newest = snapshot["chunk"]
    if isinstance(newest, dict) and newest.get("type") == "value" and "value" in newest:
        return [newest["value"]]
    if newest is None or _is_shown_apart(newest):
        return ()
    found: list[tuple[int, Json]] = []
    after = max(snapshot["firstSeq"] - 1, snapshot["seq"] - OUTPUT)
    for block in await site.app.store.read(run.id, after):
        for event in block.events():
            if event.type is EventType.RESTARTED:
                keep = event.value.get("keep", 0)
                found = [each for each in found if each[0] <= keep]
            elif event.type is EventType.CHUNK:
                found.append((event.seq, event.value))
    return [chunk for _, chunk in found if not (_is_shown_apart(chunk) or is_quiet(chunk))]


def _is_shown_apart(chunk: Json) -> bool:
    kind = chunk.get("type") if isinstance(chunk, dict) else None
    return isinstance(chunk, str) or (isinstance(kind, str) and kind in _SHOWN_APART)


def is_form(exchange: Exchange) -> bool:
    """Return whether the body of a request is a plain form."""
    kind = exchange.headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind in _FORMS


def posted_form(exchange: Exchange, action: Action[..., Any, Any], links: Links) -> Form | None:
    """Return the form that a browser has sent to ``action``; ``None`` if the body is not a form.

    Nothing of it was read yet.
    """
    if not is_form(exchange):
        return None
    return Form(
        title=label_of(action.name),
        schema=action.input_schema,
        takes_files=action.takes_files,
        target=f"{exchange.root}/{action.name}{links.query}",
    )
