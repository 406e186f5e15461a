"""The developer page: the actions, forms to call them with, and every run.

For development only. It shows all runs to everyone who can reach it, so it is never part of an
application by default: ``yieldwire dev`` attaches it.
"""

import asyncio
from importlib.resources import files
from typing import Final

from yieldwire.asgi import Actions
from yieldwire.asgi.exchange import PAGE_POLICY, Exchange
from yieldwire.asgi.polling import answer_list
from yieldwire.asgi.route import Handler
from yieldwire.asgi.routes import static_file
from yieldwire.asgi.site import Site
from yieldwire.runs.access import Caller

_STATIC: Final = files("yieldwire.devtools").joinpath("static")
_NO_CACHE: Final = (b"cache-control", b"no-cache")


def attach(actions: Actions) -> None:
    """Serve the developer page at the application's base path.

    It also makes the application check chunks, and show the details of unexpected exceptions.
    """
    assets: dict[tuple[str, ...], dict[str, Handler]] = {
        ("dev", file.name): {"GET": static_file(file.read_bytes(), file.name)}
        for file in _STATIC.iterdir()
        if file.name != "index.html"
    }
    pages: dict[tuple[str, ...], dict[str, Handler]] = {
        ("",): {"GET": _index},
        ("dev", "runs"): {"GET": _every_run},
    }
    actions.site.routes = {**pages, **assets, **actions.site.routes}
    actions.app.checks_chunks = actions.app.debug = True


async def _index(_site: Site, exchange: Exchange, _caller: Caller) -> None:
    if not exchange.path:
        # The page's own URLs are relative to the base with its slash.
        await exchange.answer(307, headers=[(b"location", f"{exchange.base}/".encode())])
        return
    page = await asyncio.to_thread(_STATIC.joinpath("index.html").read_bytes)
    headers = [PAGE_POLICY, _NO_CACHE, (b"referrer-policy", b"no-referrer")]
    await exchange.answer(200, page, media_type="text/html; charset=utf-8", headers=headers)


async def _every_run(site: Site, exchange: Exchange, _caller: Caller) -> None:
    await answer_list(site, exchange, None, everyone=True)
