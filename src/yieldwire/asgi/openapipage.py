"""The page that shows the OpenAPI document to people: Swagger UI, from an optional package.

Nothing is loaded from another origin. The package is not imported: only its files are read.
"""

import asyncio
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from yieldwire.asgi.exchange import PAGE_POLICY, Exchange
from yieldwire.asgi.pages.markup import tag
from yieldwire.asgi.route import Handler, Table
from yieldwire.asgi.site import Site
from yieldwire.errors import MissingDependency
from yieldwire.runs.access import Caller

_PACKAGE: Final = "fastapi_offline"
_FILES: Final = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
}
_NO_CACHE: Final = (b"cache-control", b"no-cache")
_SCRIPT: Final = b"""\
SwaggerUIBundle({
  url: "openapi.json",
  domNode: document.getElementById("document"),
  deepLinking: true,
  validatorUrl: null,
});
"""


def routes() -> Table:
    """Return the routes of the page.

    Raises:
        MissingDependency: If the package with Swagger UI is not installed.
    """
    spec = find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependency("fastapi-offline", "openapi", "The page for OpenAPI")
    folder = Path(spec.submodule_search_locations[0]) / "static"
    return {
        ("openapi.html",): {"GET": _page},
        ("openapi.js",): {"GET": _script},
        **{(name,): {"GET": _file(folder / name, kind)} for name, kind in _FILES.items()},
    }


async def _page(site: Site, exchange: Exchange, _caller: Caller) -> None:
    title = tag("title", site.openapi.title)
    page = (
        f'<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n{title}\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<link rel="stylesheet" href="swagger-ui.css">\n<link rel="icon" href="data:,">\n'
        '<main id="document"></main>\n'
        '<script src="swagger-ui-bundle.js"></script>\n'
        '<script src="openapi.js"></script>\n</html>\n'
    )
    headers = [PAGE_POLICY, _NO_CACHE, (b"referrer-policy", b"no-referrer")]
    media_type = "text/html; charset=utf-8"
    await exchange.answer(200, page.encode(), media_type=media_type, headers=headers)


async def _script(_site: Site, exchange: Exchange, _caller: Caller) -> None:
    media_type = "text/javascript; charset=utf-8"
    await exchange.answer(200, _SCRIPT, media_type=media_type, headers=[_NO_CACHE])


def _file(path: Path, media_type: str) -> Handler:
    async def answer(_site: Site, exchange: Exchange, _caller: Caller) -> None:
        content = await asyncio.to_thread(path.read_bytes)
        headers = [(b"cache-control", b"private, max-age=3600")]
        await exchange.answer(200, content, media_type=media_type, headers=headers)

    return answer
