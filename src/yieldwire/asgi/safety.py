"""Which requests are answered at all: framing, host and origin, decided from headers alone."""

import ipaddress
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Annotated, Any, Final, TypeAlias
from urllib.parse import urlsplit

from yieldwire.errors import Forbidden, ParseError, PayloadTooLarge
from yieldwire.setting import Rule, each, settings

Fields: TypeAlias = Mapping[str, str]
"""Headers by their lower-case names. Several with one name are one list (RFC 9110, 5.3)."""
Raw: TypeAlias = Sequence[tuple[bytes, bytes]]
"""Headers as they came, with lower-case names."""

MAX_HEADERS: Final = 200
MAX_HEADER_BYTES: Final = 64 * 1024
"""Names and values together; not every server has its own limit."""
SINGLE: Final = frozenset(
    {
        b"access-control-request-method",
        b"authorization",
        b"content-length",
        b"content-type",
        b"host",
        b"idempotency-key",
        b"last-event-id",
        b"origin",
        b"run-share",
        b"sec-fetch-site",
        b"upload-place",
        b"webhook-url",
    }
)
"""Headers with a single value. If one is sent twice, two readers could interpret it differently."""
_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+;=-]*)(:[0-9]*)?", re.ASCII)
"""The authority of a Host header: RFC 9110 7.2, without the comma that joins two headers."""
_UNSAFE: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_DEFAULT_PORTS: Final = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""The names that are usual for loopback addresses."""
_EXPOSED: Final = "Run-Id, Location, Retry-After, ETag"
_PREFLIGHT_SECONDS: Final = "600"
_HOST_NAME: Final = re.compile(
    r"\*|(\*\.)?[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*",
    re.ASCII | re.IGNORECASE,
)
"""Valid ``hosts``: names without port and trailing dot, in the form that requests are compared."""


def _is_origin(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        parts = urlsplit(value)
        is_whole = value == f"{parts.scheme}://{parts.netloc}" and bool(parts.hostname)
    except ValueError:
        return False
    # Browsers send an origin in lower case and without credentials.
    return value == "*" or (is_whole and value == value.lower() and "@" not in value)


def _is_host_name(value: object) -> bool:
    if not isinstance(value, str):
        return False
    return _HOST_NAME.fullmatch(value) is not None or _is_address(value)


def _is_address(value: str) -> bool:
    try:
        return bool(ipaddress.ip_address(value))
    except ValueError:
        return False


def _is_network(value: object) -> bool:
    try:
        return isinstance(value, str) and bool(ipaddress.ip_network(value, strict=False))
    except ValueError:
        return False


def _host_hint(value: object) -> str:
    if not isinstance(value, str):
        return ""
    try:
        name = urlsplit(value if "://" in value else f"//{value}").hostname or ""
    except ValueError:
        return ""
    return f"write {name!r}" if _is_host_name(name) else ""


def _hosts_hint(value: object) -> str:
    is_empty = isinstance(value, (list, tuple, set, frozenset)) and not value
    return "an empty list answers nobody" if is_empty else _HOSTS.hint(value)


_HOSTS: Final = each(
    Rule(_is_host_name, "a host name such as 'app.example.com' or '*.example.com'", _host_hint),
    "host names",
)
Hosts: TypeAlias = Annotated[
    Sequence[str],
    Rule(lambda value: _HOSTS.fits(value) and bool(value), _HOSTS.wanted, _hosts_hint),
]
Origins: TypeAlias = Annotated[
    Sequence[str],
    each(
        Rule(_is_origin, "an origin: scheme and host, such as 'https://app.example.com'"),
        "origins",
    ),
]
Networks: TypeAlias = Annotated[
    Sequence[str],
    each(
        Rule(_is_network, "an address or a network such as '10.0.0.0/8'"),
        "addresses and networks",
    ),
]


@dataclass(slots=True)  # a frozen one takes longer to create, for each request
class Incoming:
    """What safety needs to know about a request, from any transport.

    Attributes:
        raw: Its headers as they came; also those of a WebSocket's handshake.
        headers: The same by name.
        changes: Whether it can change something, so that its origin must be allowed.
        needs_host: Whether its protocol requires a host.
        server: The address that it was sent to, if known.
        client: The address that it came from.
    """

    raw: Raw
    headers: Fields
    changes: bool = True
    needs_host: bool = False
    server: str = ""
    client: str = "unknown"

    @classmethod
    def of_http(cls, scope: Mapping[str, Any]) -> "Incoming":
        """Return the facts about an HTTP request, from its ASGI scope."""
        raw, server, client = scope["headers"], scope.get("server"), scope.get("client")
        return cls(
            raw,
            by_name(raw),
            scope["method"] in _UNSAFE,
            scope.get("http_version") == "1.1",
            str(server[0]) if server else "",
            str(client[0]) if client else "unknown",
        )


def by_name(raw: Raw) -> Fields:
    """Return headers by name, those of one name as one list."""
    fields = {_name(name): value.decode("latin-1") for name, value in raw}
    return fields if len(fields) == len(raw) else _joined(raw)


@lru_cache(maxsize=512)  # nearly every request has the same names, and an open one keeps them
def _name(name: bytes) -> str:
    return name.decode("latin-1")


def _joined(raw: Raw) -> Fields:
    values: dict[str, list[str]] = {}
    for name, value in raw:
        values.setdefault(name.decode("latin-1"), []).append(value.decode("latin-1"))
    # RFC 9113, 8.2.3: the parts of a cookie have their own separator.
    return {name: ("; " if name == "cookie" else ", ").join(values[name]) for name in values}


@settings
@dataclass(frozen=True, slots=True)
class Safety:
    """The requests that an application allows.

    Attributes:
        origins: Other origins whose pages can call: ``("https://app.example.com",)``. ``"*"``
            lets every page call, without credentials.
        hosts: ``Host`` names that are answered, ``*.example.com`` for all subdomains. ``None``:
            every name, but on a loopback address only loopback names, so that no web page can
            reach a local tool by a name that resolves to it.
        trusted_proxies: Addresses and networks whose ``X-Forwarded-For`` is trusted.
    """

    origins: Origins = ()
    hosts: Hosts | None = None
    trusted_proxies: Networks = ()

    def check(self, request: Incoming, *, any_host: bool = False) -> None:
        """Refuse a request that must not be answered; ``any_host``: whatever the host's name is.

        Raises:
            ParseError: If the body's framing is ambiguous, a header that must be single was sent
                twice, or the host is missing or malformed.
            PayloadTooLarge: If the headers are too many or too large.
            Forbidden: If the host is not one of ours, or the origin is not allowed to do this.
        """
        raw, headers = request.raw, request.headers
        if len(headers) != len(raw):
            _check_single(name for name, _ in raw)
        if len(raw) > MAX_HEADERS or sum(map(len, chain.from_iterable(raw))) > MAX_HEADER_BYTES:
            raise PayloadTooLarge(
                f"A request can have at most {MAX_HEADERS} headers of {MAX_HEADER_BYTES} bytes."
            )
        if "content-length" in headers and "transfer-encoding" in headers:
            # RFC 9112, 6.3: such a message can be an attempt at request smuggling.
            raise ParseError("A request must not have both Content-Length and Transfer-Encoding.")
        self._check_host(request, any_host=any_host)
        if request.changes:
            self.check_origin(headers)

    def _check_host(self, request: Incoming, *, any_host: bool) -> None:
        sent = request.headers.get("host", "")
        # RFC 9112, 3.2: a server must answer 400 to both. Granian passes an empty one if none
        # came; an empty one is not a valid host of an http URL either (RFC 9110, 4.2.1).
        if not sent and request.needs_host:
            raise ParseError("An HTTP/1.1 request must have a Host header.")
        host = _host_name(sent)
        if host is None:
            raise ParseError("The Host header is malformed.")
        if any_host:
            return
        if self.hosts is not None:
            if not any(_host_fits(host, pattern) for pattern in self.hosts):
                raise Forbidden("This host name is not served here; see hosts=.")
            return
        if _is_local(request.server) and not _is_local(host):
            raise Forbidden(
                "On a loopback address only loopback names are served; "
                "behind a proxy, list the public names with hosts=."
            )

    def check_origin(self, headers: Fields) -> None:
        """Refuse a request that changes something, and that a page of another origin can have sent.

        Raises:
            Forbidden: If its origin is not allowed to do this.
        """
        has_cookie = "cookie" in headers
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if origin is not None and origin in self.origins:
            return
        if origin is not None and "*" in self.origins and not has_cookie:
            return
        if site in {"same-origin", "none"}:
            return
        if origin is not None:
            is_same = same_host(origin, headers.get("host", ""))
            if not is_same or site in {"cross-site", "same-site"}:
                raise Forbidden("Pages of this origin are not allowed to call; see origins=.")
        elif site is not None:
            raise Forbidden("Pages of other sites are not allowed to call; see origins=.")
        elif has_cookie and _is_form(headers):
            raise Forbidden("A form that is sent with a cookie must state its origin.")

    def cors(self, headers: Fields) -> list[tuple[bytes, bytes]]:
        """Return the headers that let a page of an allowed origin read the answer.

        An origin that was sent twice is not one, and is never named.
        """
        origin = headers.get("origin") if self.origins else None
        if origin is None:
            return []
        named = origin in self.origins
        if "," in origin or not (named or "*" in self.origins):
            return [(b"vary", b"Origin")]
        allowed = [
            (b"access-control-allow-origin", origin.encode("latin-1") if named else b"*"),
            (b"access-control-expose-headers", _EXPOSED.encode()),
            (b"vary", b"Origin"),
        ]
        if named:
            allowed.append((b"access-control-allow-credentials", b"true"))
        return allowed

    def preflight(self, headers: Fields, methods: Sequence[str]) -> list[tuple[bytes, bytes]]:
        """Return the headers of a preflight's answer in addition to `cors`."""
        if "access-control-request-method" not in headers or len(self.cors(headers)) <= 1:
            return []
        asked = headers.get("access-control-request-headers", "")
        return [
            (b"access-control-allow-methods", ", ".join(methods).encode()),
            (b"access-control-allow-headers", asked.encode("latin-1")),
            (b"access-control-max-age", _PREFLIGHT_SECONDS.encode()),
        ]

    def client_address(self, request: Incoming) -> str:
        """Return the client's address: the nearest one that is not a trusted proxy."""
        address = request.client
        if not self.trusted_proxies:
            return address
        # Some proxies add another header after the received one: all of them count.
        forwarded = [part.strip() for part in request.headers.get("x-forwarded-for", "").split(",")]
        while self._is_trusted(address) and forwarded and forwarded[-1]:
            address = forwarded.pop()
        return address

    def _is_trusted(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(
            ip in ipaddress.ip_network(proxy, strict=False) for proxy in self.trusted_proxies
        )


def _is_form(headers: Fields) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return not (kind == "application/json" or kind.endswith("+json"))


def _check_single(names: Iterable[bytes]) -> None:
    for name, count in Counter(names).items():
        if count > 1 and name in SINGLE:
            raise ParseError(f"The header {name.decode().title()} was sent twice.")


@lru_cache(maxsize=64)  # nearly every request has the same host
def _host_name(host: str) -> str | None:
    """Return the name in a Host header, or ``None`` if it is malformed."""
    if _HOST.fullmatch(host) is None:
        return None
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


def _host_fits(host: str, pattern: str) -> bool:
    if pattern.startswith("*."):
        return host.endswith(pattern[1:].lower())
    return pattern == "*" or host == pattern.lower()


@lru_cache(maxsize=64)
def _is_local(host: str) -> bool:
    if host in _LOCAL_NAMES or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def same_host(origin: str, host: str) -> bool:
    """Return whether an origin has the name and the port of a ``Host`` header."""
    try:
        parts = urlsplit(origin)
        port = parts.port or _DEFAULT_PORTS.get(parts.scheme)
        mine = urlsplit(f"{parts.scheme}://{host}")
        mine_port = mine.port or _DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return False
    return bool(parts.hostname) and parts.hostname == mine.hostname and port == mine_port
