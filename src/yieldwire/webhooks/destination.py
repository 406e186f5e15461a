"""Where a webhook is sent: its URL, and the addresses to which a request can go.

A URL that a caller names must not reach what only this server can: its own services, its network,
its cloud's metadata. So the host is resolved here, each address is checked, and the request goes
to the checked address itself: a second look-up could give another one.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final, NamedTuple, TypeAlias
from urllib.parse import urlsplit

Resolve: TypeAlias = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host, the preferred one first."""

MAX_URL_LENGTH: Final = 2_000
_PRINTABLE: Final = re.compile(r"[!-~]+", re.ASCII)
_PORTS: Final = {"https": 443, "http": 80}
_NAT64: Final = IPv6Network("64:ff9b::/96")
_TUNNELS: Final = tuple(
    map(IPv6Network, ("64:ff9b:1::/48", "2001::/32", "2002::/16", "::/96", "fec0::/10"))
)
"""Networks through which an IPv4 address, or a site's own network, can be reached."""


class Destination(NamedTuple):
    """The parts of a URL."""

    scheme: str
    host: str
    port: int
    authority: str
    """The host and the port, as in the header ``Host``."""
    path: str
    """With the query."""

    def url_at(self, address: str) -> str:
        """Return the URL at one of the host's addresses."""
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.path}"


def destination_of(url: str) -> Destination:
    """Return the parts of a URL. What two parsers could read differently is refused.

    Raises:
        ValueError: If no webhook can be sent to it.
    """
    if not (len(url) <= MAX_URL_LENGTH and _PRINTABLE.fullmatch(url)) or "\\" in url:
        raise ValueError(f"a URL has at most {MAX_URL_LENGTH} printable ASCII characters")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("a webhook has an https:// URL")
    if "@" in parts.netloc or "%" in parts.netloc or "#" in url:
        raise ValueError("a webhook's URL has no user, no zone and no fragment")
    port = parts.port or _PORTS[parts.scheme]
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(parts.scheme, parts.hostname, port, parts.netloc, path)


def is_url(value: object) -> bool:
    """Whether a webhook can be sent to a URL, as far as it tells."""
    try:
        return isinstance(value, str) and bool(destination_of(value))
    except ValueError:
        return False


def shown_url(url: str) -> str:
    """Return a URL for logs, without its path and query, which can have a token."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"


def is_public(address: str) -> bool:
    """Whether everyone can reach an address, so that a request to it reaches nothing more."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = IPv4Address(int(ip) & 0xFFFF_FFFF)
        elif any(ip in network for network in _TUNNELS):
            return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved)


def is_allowed(destination: Destination, address: str, *, allow_private: bool) -> bool:
    """Whether a webhook can be sent to this address of its host.

    Public addresses need TLS; private ones need permission.
    """
    return destination.scheme == "https" if is_public(address) else allow_private


async def resolved(host: str, port: int) -> Sequence[str]:
    """Return the addresses of a host, as the machine's resolver knows them.

    Raises:
        OSError: If it has none.
    """
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(place[0]) for *_, place in found))
