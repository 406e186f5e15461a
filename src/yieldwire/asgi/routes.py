"""Every URL that the application answers, in one table.

Safety checks and identification come before all of them, in `yieldwire.asgi.Actions`: no route
can be reached without them.
"""

from collections.abc import Awaitable, Callable, Mapping
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from yieldwire.asgi import polling
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.starting import call_action
from yieldwire.describe import openapi
from yieldwire.describe.manifest import manifest
from yieldwire.errors import NotFound
from yieldwire.runs.access import Caller

if TYPE_CHECKING:
    from yieldwire.asgi import Actions

Handler: TypeAlias = Callable[..., Awaitable[None]]
"""Called with the application, the exchange, the caller, and the value for the path's ``{}``."""

Table: TypeAlias = Mapping[tuple[str, ...], Mapping[str, Handler]]

_STATIC: Final = files("yieldwire.asgi").joinpath("static")
_MEDIA_TYPES: Final = {
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "svg": "image/svg+xml",
}


async def describe(app: "Actions", exchange: Exchange, _caller: Caller) -> None:
    """Answer ``GET {base}/manifest.json``: what can be called."""
    await exchange.answer_json(200, manifest(app.actions))


async def document(app: "Actions", exchange: Exchange, _caller: Caller) -> None:
    """Answer ``GET {base}/openapi.json``."""
    await exchange.answer_json(200, openapi.document(app.actions, base=exchange.base))


def static_file(content: bytes, name: str) -> Handler:
    """Return a handler that answers with a file of the package."""
    media_type = _MEDIA_TYPES[name.rpartition(".")[2]]

    async def answer(_app: "Actions", exchange: Exchange, _caller: Caller) -> None:
        headers = [(b"cache-control", b"no-cache")]
        await exchange.answer(200, content, media_type=media_type, headers=headers)

    return answer


def _asset(name: str) -> Mapping[str, Handler]:
    return {"GET": static_file(_STATIC.joinpath(name).read_bytes(), name)}


ROUTES: Final[Table] = {
    ("{}",): {"GET": call_action, "POST": call_action},  # first, as it is asked for most
    ("manifest.json",): {"GET": describe},
    ("openapi.json",): {"GET": document},
    ("client.js",): _asset("client.js"),
    ("follow.js",): _asset("follow.js"),
    ("follow.css",): _asset("follow.css"),
    ("runs",): {"GET": polling.list_runs},
    ("runs", "{}"): {"GET": polling.get_run, "DELETE": polling.delete_run},
    ("runs", "{}", "events"): {"GET": polling.get_events},
    ("runs", "{}", "cancel"): {"POST": polling.cancel_run},
    ("{}", "cancel"): {"POST": polling.cancel_start},  # last: there can be a run called `cancel`
}
PUBLIC: Final = frozenset({("client.js",), ("follow.js",), ("follow.css",)})
"""Files of the package itself, which are public."""


class Route:
    """The result of a path look-up: its handlers by method, and the value for its ``{}``."""

    def __init__(self, pattern: tuple[str, ...], table: Table, arguments: list[str]) -> None:
        self.pattern: Final = pattern
        self.handlers: Final = table[pattern]
        self.arguments: Final[list[Any]] = arguments

    @property
    def methods(self) -> list[str]:
        """The methods that are answered here."""
        extra = ["HEAD"] if "GET" in self.handlers else []
        return [*self.handlers, *extra, "OPTIONS"]


def match(path: str, table: Table) -> Route:
    """Find the route of a path; a trailing slash makes no difference.

    Raises:
        NotFound: If there is none.
    """
    below = path.removeprefix("/")
    if len(below) > 1:
        below = below.removesuffix("/")
    parts = tuple(below.split("/"))
    if parts in table and "{}" not in parts:
        return Route(parts, table, [])
    for pattern in table:
        if len(pattern) == len(parts) and "{}" in pattern:
            places = [n for n, want in enumerate(pattern) if want == "{}"]
            arguments = [parts[n] for n in places]
            if pattern == tuple(["{}" if n in places else part for n, part in enumerate(parts)]):
                return Route(pattern, table, arguments)
    raise NotFound("There is nothing at this URL.")
