"""What a foreign client sends before its body, and a whole answer to it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final
from urllib.parse import quote

from yieldwire.asgi.exchange import Exchange, Headers


class Head:
    """The head of a request: what is known of it before its caller and its body."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self.method: Final = exchange.method
        self.path: Final = exchange.path.strip("/")
        """The path below the mount, without slashes at its ends."""
        self.url: Final = exchange.root + quote(exchange.path)
        """The URL without its origin and its query."""
        self.root: Final = exchange.root
        """The path of the mount, as a part of a URL."""
        self.headers: Final[Mapping[str, str]] = exchange.headers
        """The headers by their lower-case names."""

    @property
    def origin(self) -> str:
        """The scheme and the host, as the client called them."""
        url = self._exchange.request.url
        return f"{url.scheme}://{url.netloc}"

    @cached_property
    def query(self) -> Sequence[tuple[str, str]]:
        """The parameters of the query, in their order."""
        return self._exchange.request.query_params.multi_items()

    @cached_property
    def cookies(self) -> Mapping[str, str]:
        """The cookies by their names."""
        return self._exchange.request.cookies


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A whole answer: its status, its body, and its headers in addition to the usual ones."""

    status: int = 200
    body: bytes = b""
    media_type: str = ""
    headers: Sequence[tuple[str, str]] = ()


async def send_reply(exchange: Exchange, reply: Reply) -> None:
    """Send a whole answer."""
    headers = _encoded(reply.headers)
    await exchange.answer(reply.status, reply.body, media_type=reply.media_type, headers=headers)


def add_headers(exchange: Exchange, headers: Sequence[tuple[str, str]]) -> None:
    """Add headers to an answer."""
    exchange.extra += _encoded(headers)


def _encoded(headers: Sequence[tuple[str, str]]) -> Headers:
    return [(each.lower().encode(), value.encode("latin-1")) for each, value in headers]
