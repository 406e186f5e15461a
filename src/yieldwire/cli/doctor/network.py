"""Checks of everything but streams: TLS, HTTP, times, origins, sockets, sizes. Pure."""

import base64
import hashlib
import ipaddress
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from statistics import median
from typing import Final
from urllib.parse import urlsplit

from yieldwire.cli.doctor.finding import Finding, duration, ok, problem, warning
from yieldwire.cli.doctor.seen import Seen, SeenStream, SeenTLS

KEY: Final = "eWllbGR3aXJlIGRvY3Rvcg=="
"""The `Sec-WebSocket-Key` of the handshake: base64 of 16 bytes."""
_MAGIC: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, 1.3
MIB: Final = 1024 * 1024
SIZES: Final = (1024 * MIB, 100 * MIB, 10 * MIB, MIB)
"""Bodies to ask about, the largest first: as `RequestLimits` has the limit of uploads."""
SOON_DAYS: Final = 14
"""Days before the end of a certificate from which it is a warning."""
SLOW: Final = 0.3
"""Seconds of a slow round trip."""
CLOCK_OFF: Final = 5.0
"""Seconds by which clocks can differ without being noticed."""
CLOCK_FAR_OFF: Final = 300.0
"""Seconds after which receivers of webhooks refuse a signature."""
_EXPOSED: Final = frozenset({"run-id", "location", "retry-after", "etag"})
_DAY: Final = 86_400
# OpenSSL's X509_V_ERR_….
_FAULTS: Final[Mapping[int, tuple[str, str]]] = {
    9: ("begins in the future", "Check the clocks of both machines."),
    10: ("has expired", "Renew it, and let the proxy load it again: `nginx -s reload`."),
    18: ("is self-signed", "Get one that browsers trust, for example from Let's Encrypt."),
    19: (
        "comes from an authority that is not trusted here",
        "Get one that browsers trust; or name the authority's file in SSL_CERT_FILE.",
    ),
    20: (
        "does not lead to an authority that is trusted here",
        (
            "Let the proxy send the whole chain: fullchain.pem as ssl_certificate in nginx; or "
            "name the authority's file in SSL_CERT_FILE."
        ),
    ),
    62: ("is for another name", "Get one for the name in the URL, or use the name that it has."),
    64: ("is for another address", "Use the name that the certificate has, not the address."),
}


def check_tls(url: str, tls: SeenTLS | None, now: float) -> Finding:
    """Check the TLS of a URL; ``None``: it has none."""
    if tls is None:
        if is_local(url):
            return ok("tls", "no TLS, to this machine")
        return warning(
            "tls",
            "no TLS: everybody on the way can read tokens and answers",
            "Serve https at the proxy: `listen 443 ssl;` in nginx; Caddy does it on its own.",
        )
    if tls.fault_code:
        what, advice = _FAULTS.get(tls.fault_code, (f"was refused: {tls.fault}", ""))
        return problem(
            "tls",
            f"the certificate {what}",
            advice or "Replace the certificate.",
            code=tls.fault_code,
        )
    if tls.fault:
        return problem(
            "tls",
            f"the TLS handshake failed: {tls.fault}",
            "Check that the port speaks TLS: `listen 443 ssl;` in nginx; or use http in the URL.",
        )
    days = int((tls.ends_at - now) // _DAY)
    until = f"{datetime.fromtimestamp(tls.ends_at, UTC):%Y-%m-%d}"
    found = f"{tls.version}, certificate until {until} ({days} days)"
    figures = {"version": tls.version, "days": days}
    if days < SOON_DAYS:
        return warning("tls", found, "Renew the certificate, or let it be renewed.", **figures)
    return ok("tls", found, **figures)


def check_http(url: str, tls: SeenTLS | None) -> Finding:
    """Check whether browsers get HTTP/2, which they only ask for over TLS."""
    if tls is not None and tls.protocol == "h2":
        return ok("http", "HTTP/2, by ALPN", protocol="h2")
    if is_local(url) and tls is None:
        return ok("http", "HTTP/1.1, to this machine", protocol="http/1.1")
    return warning(
        "http",
        "only HTTP/1.1: a browser opens six connections, for all tabs and streams",
        "Serve HTTP/2 at the proxy, over TLS: `http2 on;` in nginx, or `listen 443 ssl http2;` "
        "before nginx 1.25.1. Caddy does it on its own.",
        protocol="http/1.1",
    )


def is_local(url: str) -> bool:
    """Whether a URL leads to this machine."""
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def check_round_trip(answers: Sequence[Seen]) -> Finding:
    """Check how long requests over an open connection take."""
    times = [seen.seconds for seen in answers]
    typical, least, most = median(times), min(times), max(times)
    found = f"{duration(typical)} ({duration(least)} to {duration(most)}, {len(times)} requests)"
    figures = {"medianMs": _ms(typical), "leastMs": _ms(least), "mostMs": _ms(most)}
    if typical > SLOW:
        advice = (
            "Each call waits for at least one of these: serve nearer to the callers, or look "
            "for what is slow before the application, such as `identify`."
        )
        return warning("round trip", found, advice, **figures)
    return ok("round trip", found, **figures)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)


def check_clock(answers: Sequence[Seen], stream: SeenStream) -> Finding:
    """Check how far the server's clock, or the proxy's, is from this machine's."""
    offsets = [offset for seen in answers if (offset := _date_offset(seen)) is not None]
    if stream.frames:
        quickest = min(stream.frames, key=lambda frame: frame.at - frame.sent)
        offsets.append(quickest.sent - (stream.head.asked_at + quickest.at))
    if not offsets:
        return warning(
            "clock", "not measured: no answer has a Date", "Let the proxy send the header Date."
        )
    furthest = max(offsets, key=abs)
    figures = {"offsetSeconds": round(furthest, 1)}
    if abs(furthest) <= CLOCK_OFF:
        return ok("clock", f"the server's is the same within {CLOCK_OFF:g} s", **figures)
    direction = "ahead of" if furthest > 0 else "behind"
    kind = problem if abs(furthest) > CLOCK_FAR_OFF else warning
    return kind(
        "clock",
        f"the server's is {abs(furthest):.0f} s {direction} this machine's",
        "Synchronize both by NTP (`timedatectl` shows the state): tokens, signed links and "
        "webhooks have times in them.",
        **figures,
    )


def _date_offset(seen: Seen) -> float | None:
    try:
        date = parsedate_to_datetime(seen.headers["date"])
    except (KeyError, ValueError):
        return None
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    # Half a second, because it has whole ones.
    return date.timestamp() + 0.5 - (seen.asked_at + seen.seconds / 2)


def check_origin(url: str, origin: str, preflight: Seen, answer: Seen) -> Finding:
    """Check whether pages of an origin can call, by a preflight and an answer to it."""
    parts = urlsplit(url)
    if origin == f"{parts.scheme}://{parts.netloc}":
        return ok("origin", f"{origin} is the server's own, and needs no CORS")
    own = f"Actions(origins=[{origin!r}])"
    for name, seen in (("the preflight", preflight), ("an answer", answer)):
        allowed = [each.strip() for each in _allowed(seen).split(",") if each.strip()]
        if not allowed:
            return problem(
                "origin",
                f"{name} does not allow pages of {origin}",
                f"Set {own}, and let the proxy pass OPTIONS and Access-Control-… on.",
                status=seen.status,
            )
        if len(allowed) > 1:
            return problem(
                "origin",
                f"{name} has several Access-Control-Allow-Origin: {', '.join(allowed)}",
                f"A browser refuses that. Let only the application send it, by {own}: in nginx, "
                "take add_header Access-Control-Allow-Origin out.",
            )
        if allowed[0] not in {"*", origin}:
            return problem(
                "origin", f"{name} allows pages of {allowed[0]}, not of {origin}", f"Set {own}."
            )
    if preflight.status // 100 != 2:  # noqa: PLR2004 - the class of success
        return problem(
            "origin",
            f"the preflight is answered with {preflight.status}, which a browser refuses",
            "Let the proxy pass OPTIONS on to the application.",
            status=preflight.status,
        )
    return _readable(origin, preflight, answer)


def _allowed(seen: Seen) -> str:
    return seen.headers.get("access-control-allow-origin", "")


def _readable(origin: str, preflight: Seen, answer: Seen) -> Finding:
    exposed = _names(answer, "access-control-expose-headers")
    if not (exposed >= _EXPOSED or "*" in exposed):
        missing = ", ".join(sorted(_EXPOSED - exposed))
        return problem(
            "origin",
            f"pages of {origin} can call, but not read {missing}",
            "Let the proxy pass Access-Control-Expose-Headers on: clients resume by Run-Id.",
        )
    headers = _names(preflight, "access-control-allow-headers")
    if not ({"content-type", "idempotency-key"} <= headers or "*" in headers):
        return problem(
            "origin",
            f"pages of {origin} cannot send Content-Type and Idempotency-Key",
            "Let only the application answer preflights, and not the proxy.",
        )
    allows = answer.headers.get("access-control-allow-credentials") == "true"
    return ok("origin", f"pages of {origin} can call, {'with' if allows else 'without'} cookies")


def _names(seen: Seen, name: str) -> set[str]:
    return {each.strip().lower() for each in seen.headers.get(name, "").split(",")}


def check_socket(seen: Seen) -> Finding:
    """Check whether a WebSocket can be opened."""
    if seen.status == 101:  # noqa: PLR2004 - Switching Protocols
        if seen.headers.get("sec-websocket-accept") == accept_of(KEY):
            return ok("websocket", "a socket opens")
        return warning(
            "websocket",
            "the handshake's answer has a wrong Sec-WebSocket-Accept",
            "Let the proxy pass the headers Sec-WebSocket-… on unchanged.",
        )
    error = seen.error or {}
    found = f"no socket opens: {seen.failure or seen.status} {error.get('code', '')}".rstrip()
    data = error.get("data") or {}
    if error.get("code") == "UPGRADE_REQUIRED" and not data.get("upgradeArrived"):
        return warning(
            "websocket",
            "a proxy does not pass WebSocket on; clients use HTTP instead",
            "nginx: `proxy_http_version 1.1;`, `proxy_set_header Upgrade $http_upgrade;` and "
            "`proxy_set_header Connection upgrade;` in a location for {base}/ws. Apache: "
            "`upgrade=websocket` at ProxyPass. Other proxies: allow WebSocket.",
            status=seen.status,
        )
    advice = {
        "UPGRADE_REQUIRED": (
            "Install yieldwire[websocket] where the server runs; uvicorn must not have --ws none."
        ),
        "FORBIDDEN": f"The server says: {error.get('message')}",
        "NOT_FOUND": "Update the server: this version of it has no WebSocket.",
    }
    told = advice.get(str(error.get("code")), "Let the proxy pass {base}/ws on to the server.")
    return warning("websocket", found, told, status=seen.status)


def cut_socket(seconds: float) -> Finding:
    """Return what is found if a silent socket was cut."""
    return warning(
        "websocket",
        f"a socket opens, and is cut after {duration(seconds)} of silence",
        "Raise the proxy's timeout for {base}/ws above 20 s, after which servers send a ping: "
        "`proxy_read_timeout 60s;` in its location in nginx, `timeout tunnel 60s` in HAProxy.",
        cutAfterSeconds=round(seconds, 2),
    )


def accept_of(key: str) -> str:
    """Return the `Sec-WebSocket-Accept` for a key (RFC 6455, 4.2.2)."""
    digest = hashlib.sha1((key + _MAGIC).encode(), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode()


def check_bodies(passes: Mapping[int, bool | None], *, takes_files: bool) -> Finding:
    """Check which of `SIZES` pass a proxy: whether each did, ``None`` if it is not known."""
    largest = max((size for size, did in passes.items() if did), default=0)
    refused = min((size for size, did in passes.items() if did is False), default=0)
    figures = {"passesBytes": largest or None, "refusedBytes": refused or None}
    if not (largest or refused):
        return ok("bodies", "not measured: nothing says how large a body can be", **figures)
    if not refused:
        return ok("bodies", f"a request that announces {_size(largest)} is not refused", **figures)
    found = f"a body of {_size(refused)} is refused with 413"
    found += f", one of {_size(largest)} passes" if largest else ""
    advice = (
        "Raise the proxy's limit to that of RequestLimits: `client_max_body_size 1g;` in nginx, "
        "`max_size 1GB` of request_body in Caddy."
    )
    if not largest:
        return problem("bodies", found, advice, **figures)
    if takes_files:
        return warning("bodies", found, advice, **figures)
    return ok("bodies", f"{found}; no action takes files", **figures)


def _size(size: int) -> str:
    return f"{size // MIB} MiB" if size < 1024 * MIB else f"{size // (1024 * MIB)} GiB"
