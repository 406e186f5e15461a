"""Every URL that the application answers, in one table.

Safety checks and identification come before all of them, in `yieldwire.asgi.site.Site`: no route
can be reached without them.
"""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from yieldwire.asgi import answering, polling
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.health import answer_alive, answer_health
from yieldwire.asgi.route import Handler, Table
from yieldwire.asgi.site import Site
from yieldwire.asgi.starting import call_action
from yieldwire.asgi.teststream import answer_test_stream
from yieldwire.asgi.uploads import reserve_place
from yieldwire.describe import openapi
from yieldwire.describe.manifest import manifest
from yieldwire.errors import UpgradeRequired
from yieldwire.runs.access import Caller

_STATIC: Final = files("yieldwire.asgi").joinpath("static")
_MEDIA_TYPES: Final = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
}


async def describe(site: Site, exchange: Exchange, _caller: Caller) -> None:
    """Answer ``GET {base}/manifest.json``: what can be called."""
    await exchange.answer_json(200, manifest(site.app.registry.actions))


async def document(site: Site, exchange: Exchange, _caller: Caller) -> None:
    """Answer ``GET {base}/openapi.json``."""
    app = site.app
    described = openapi.document(
        app.registry.actions,
        base=exchange.base,
        about=site.openapi,
        names_webhooks=app.webhooks.can_be_named,
    )
    await exchange.answer_json(200, described)


async def refuse_without_upgrade(_site: Site, exchange: Exchange, _caller: Caller) -> None:
    """Refuse ``GET {base}/ws`` that came as a request: servers hand over handshakes otherwise.

    Raises:
        UpgradeRequired: Always.
    """
    if exchange.scope.get("http_version") in {"1.0", "1.1"}:  # later ones have no such headers
        exchange.extra += [(b"upgrade", b"websocket"), (b"connection", b"upgrade")]
    asked = exchange.headers.get("upgrade", "").lower()
    raise UpgradeRequired(has_arrived=asked == "websocket")


def static_file(content: bytes, name: str) -> Handler:
    """Return a handler that answers with a file of the package."""
    media_type = _MEDIA_TYPES[name.rpartition(".")[2]]

    async def answer(_site: Site, exchange: Exchange, _caller: Caller) -> None:
        headers = [(b"cache-control", b"no-cache")]
        await exchange.answer(200, content, media_type=media_type, headers=headers)

    return answer


def _asset(name: str) -> Mapping[str, Handler]:
    return {"GET": static_file(_STATIC.joinpath(name).read_bytes(), name)}


_STYLE: Final = _STATIC.joinpath("follow.css").read_bytes()


async def style(site: Site, exchange: Exchange, _caller: Caller) -> None:
    """Answer ``GET {base}/follow.css``: how the pages look, in the application's colour."""
    headers = [(b"cache-control", b"no-cache")]
    body = _STYLE + site.pages.style
    await exchange.answer(200, body, media_type=_MEDIA_TYPES["css"], headers=headers)


ROUTES: Final[Table] = {
    ("{}",): {"GET": call_action, "POST": call_action},  # first, as it is asked for most
    ("manifest.json",): {"GET": describe},
    ("openapi.json",): {"GET": document},
    ("client.js",): _asset("client.js"),
    ("follow.js",): _asset("follow.js"),
    ("follow.css",): {"GET": style},
    ("ws",): {"GET": refuse_without_upgrade},
    ("health",): {"GET": answer_health},
    ("health", "live"): {"GET": answer_alive},
    ("test-stream",): {"GET": answer_test_stream},
    ("runs",): {"GET": polling.list_runs},
    ("runs", "{}"): {"GET": polling.get_run, "DELETE": polling.delete_run},
    ("runs", "{}", "events"): {"GET": polling.get_events},
    ("runs", "{}", "cancel"): {"POST": polling.cancel_run},
    ("runs", "{}", "inbox"): {"POST": answering.send_message},
    ("runs", "{}", "questions", "{}"): {"POST": answering.answer_question},
    ("answers", "{}"): {"GET": answering.show_link, "POST": answering.answer_link},
    ("{}", "uploads"): {"POST": reserve_place},
    ("{}", "cancel"): {"POST": polling.cancel_start},  # last: there can be a run called `cancel`
}
