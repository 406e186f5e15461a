"""The request that opens a socket, and the requests over it, as a server would hand them over."""

from dataclasses import replace
from typing import Any, Final
from urllib.parse import unquote

from starlette.types import Message, Scope, Send

from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.host import HostAnswer
from yieldwire.asgi.safety import Incoming, Raw, by_name
from yieldwire.asgi.site import Site
from yieldwire.asgi.websocket.message import VALUE, Asked
from yieldwire.codecs.websocket import SUBPROTOCOL, token_in
from yieldwire.errors import NotFound, Unauthorized
from yieldwire.runs.access import Caller

PATH: Final = "/ws"

_OWN: Final = frozenset(
    {
        b"accept",
        b"connection",
        b"content-length",
        b"content-type",
        b"idempotency-key",
        b"if-none-match",
        b"last-event-id",
        b"prefer",
        b"run-share",
        b"transfer-encoding",
        b"upgrade",
        b"webhook-url",
    }
)
"""Headers of the handshake that its requests do not have."""
_JSON: Final = b"application/json"
_SCHEMES: Final = {"ws": "http", "wss": "https"}
_DENIAL: Final = "websocket.http.response"
"""The extension of ASGI by which a handshake is refused with an HTTP response."""


class Handshake:
    """What opened a socket: the facts that its requests share, and the newest token."""

    def __init__(self, scope: Scope) -> None:
        self._scope: Final = scope
        self._headers: Final[Raw] = [
            (name, value)
            for name, value in scope["headers"]
            if name not in _OWN and not name.startswith(b"sec-websocket-")
        ]
        token = token_in(scope.get("subprotocols", ()))
        self.token: str | None = token if token is not None and VALUE.fullmatch(token) else None
        """The bearer token that replaces the one of the handshake, if there is one."""

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol to select: ours if it was offered, and none otherwise."""
        return SUBPROTOCOL if SUBPROTOCOL in self._scope.get("subprotocols", ()) else None

    @property
    def can_answer(self) -> bool:
        """Whether the server can refuse with a response of its own."""
        return _DENIAL in (self._scope.get("extensions") or {})

    def request(self) -> Scope:
        """Return the scope of the handshake itself, as a GET."""
        return self._scope_of("GET", self._scope["path"], self._scope["query_string"], ())

    def scope(self, asked: Asked) -> Scope:
        """Return the scope of a request over the socket."""
        path, _, query = asked.target.partition("?")
        headers = dict(asked.headers)
        if asked.body is not None:
            headers["content-length"] = str(len(asked.body))
        if asked.body:
            headers.setdefault("content-type", _JSON.decode())
        own = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        base = self._scope.get("root_path", "").rstrip("/")
        return self._scope_of(asked.method, base + unquote(path), query.encode(), own)

    def _scope_of(self, method: str, path: str, query: bytes, own: Raw) -> Scope:
        names = {name for name, _ in own}
        headers = [*(each for each in self._headers if each[0] not in names), *own]
        if self.token is not None:
            headers = [(name, value) for name, value in headers if name != b"authorization"]
            headers.append((b"authorization", b"Bearer " + self.token.encode("latin-1")))
        scheme = self._scope.get("scheme", "ws")
        return {
            **self._scope,
            "type": "http",
            "method": method,
            "scheme": _SCHEMES.get(scheme, scheme),
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": headers,
            "extensions": {},
        }


def check_path(exchange: Exchange) -> None:
    """Refuse a socket at another URL than the application's own.

    Raises:
        NotFound: If it is one.
    """
    if exchange.path.removesuffix("/") != PATH:
        raise NotFound("There is no socket at this URL.")


def check_origin(site: Site, exchange: Exchange) -> None:
    """Refuse a socket that a page of another origin opens: it could read what a GET could not.

    Raises:
        CallError: If it must not be opened.
    """
    site.safety.check(_changing(exchange.incoming))


async def check(site: Site, exchange: Exchange) -> Caller | None:
    """Return who opens a socket, or ``None`` if that must still be told.

    The rules for the host and the origin are those of a POST.

    Raises:
        CallError: If the socket must not be opened.
        Exception: Any error of ``identify``.
    """
    check_origin(site, exchange)
    try:
        return await site.caller(exchange)
    except Unauthorized:
        return None
    except HostAnswer as exc:
        if exc.is_unauthorized:
            return None
        raise


def _changing(incoming: Incoming) -> Incoming:
    """Return the handshake as a request that can change something.

    It has no body, and a browser always names its origin, so it counts as one with JSON.
    """
    raw = [*incoming.raw, (b"content-type", _JSON)]
    return replace(incoming, raw=raw, headers=by_name(raw), changes=True)


def stranger(site: Site, exchange: Exchange) -> Caller:
    """Return a caller of whom only the address is known."""
    return Caller(address=site.safety.client_address(exchange.incoming))


def refusing(send: Send) -> Send:
    """Return what sends an HTTP response instead of accepting the handshake."""

    async def refuse(message: Message) -> None:
        renamed: dict[str, Any] = {**message, "type": f"websocket.{message['type']}"}
        await send(renamed)

    return refuse
