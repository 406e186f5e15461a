"""The developer page: the actions, forms to call them with, and every run.

For development only. It shows all runs to everyone who can reach it, so it is never part of an
application by default: ``yieldwire dev`` attaches it.
"""

import asyncio
from importlib.resources import files
from typing import Final

from yieldwire.asgi import Actions
from yieldwire.asgi.exchange import PAGE_POLICY, Exchange
from yieldwire.asgi.polling import answer_runs, query_of
from yieldwire.asgi.route import Handler
from yieldwire.asgi.routes import static_file
from yieldwire.asgi.site import Site
from yieldwire.devtools.everyrun import EveryRun
from yieldwire.devtools.loopwatch import LoopWatch
from yieldwire.runs.access import Caller

_STATIC: Final = files("yieldwire.devtools").joinpath("static")
_NO_CACHE: Final = (b"cache-control", b"no-cache")


def attach(actions: Actions) -> None:
    """Serve the developer page at the application's base path.

    It also makes the application check chunks, show the details of unexpected exceptions, and
    log which line blocks the event loop.
    """
    watch = LoopWatch()
    runs = EveryRun(watch)
    assets: dict[tuple[str, ...], dict[str, Handler]] = {
        ("dev", file.name): {"GET": static_file(file.read_bytes(), file.name)}
        for file in _STATIC.iterdir()
        if file.name != "index.html"
    }
    pages: dict[tuple[str, ...], dict[str, Handler]] = {
        ("",): {"GET": _index},
        ("runs",): {"GET": _list_runs},
        ("dev", "runs"): {"GET": runs.answer_list},
        ("dev", "runs", "{}"): {"GET": runs.answer_run},
        ("dev", "runs", "{}", "cancel"): {"POST": runs.cancel},
        ("dev", "runs", "{}", "webhooks"): {"POST": runs.send_webhooks},
    }
    # Once to come first, and once more to replace the application's own.
    actions.site.routes = {**pages, **assets, **actions.site.routes, **pages}
    actions.app.checks_chunks = actions.app.debug = True
    actions.app.at_opening.append(watch.enter)


async def _list_runs(site: Site, exchange: Exchange, caller: Caller) -> None:
    """List the caller's own runs, as elsewhere, but all runs to an anonymous caller."""
    query = query_of(exchange, owner=caller.owner, everyone=caller.owner is None)
    await answer_runs(site, exchange, caller, query)


async def _index(_site: Site, exchange: Exchange, _caller: Caller) -> None:
    if not exchange.path:
        # The page's own URLs are relative to the base with its slash.
        await exchange.answer(307, headers=[(b"location", f"{exchange.base}/".encode())])
        return
    page = await asyncio.to_thread(_STATIC.joinpath("index.html").read_bytes)
    headers = [PAGE_POLICY, _NO_CACHE, (b"referrer-policy", b"no-referrer")]
    await exchange.answer(200, page, media_type="text/html; charset=utf-8", headers=headers)
