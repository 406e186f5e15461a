"""What a foreign client sent: the head, the body and the fields of one request."""

from collections.abc import Collection
from typing import Any, Final, TypeAlias

from yieldwire.actions.action import Action
from yieldwire.asgi.bodies import read_input, read_whole
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.forms import coerce
from yieldwire.asgi.jsontext import parse_json
from yieldwire.asgi.site import Site
from yieldwire.describe.schema import Schema
from yieldwire.dialects.head import Head
from yieldwire.errors import Json, PayloadTooLarge

AnyAction: TypeAlias = Action[..., Any, Any]

SAFE: Final = frozenset({"GET", "HEAD"})
"""The methods that only read."""


class ForeignInput:
    """What a request of a foreign client brings.

    Args:
        site: The application.
        exchange: The request.
    """

    def __init__(self, site: Site, exchange: Exchange) -> None:
        self._site, self._exchange = site, exchange
        self.head: Final = Head(exchange)

    async def body(self) -> bytes:
        """Return the request's body.

        Raises:
            PayloadTooLarge: If it exceeds the limit for JSON.
            ParseError: If it ends early.
            RequestTimedOut: If it arrives too slowly.
        """
        exchange, site = self._exchange, self._site
        return await read_whole(
            exchange.headers, exchange.receive, site.request_limits, site.app.timing.body
        )

    async def json(self) -> Json:
        """Return the request's body, read strictly as JSON; an empty body is an empty object.

        Raises:
            CallError: As `body` says, and if it is not JSON.
        """
        body = await self.body()
        return self.parse(body) if body else {}

    def parse(self, text: bytes, *, around: int = 0) -> Json:
        """Return JSON from a request, read strictly; it can nest ``around`` levels deeper.

        Raises:
            PayloadTooLarge: If it exceeds the limit for JSON, as a query can.
            ParseError: If it is not JSON.
        """
        limits = self._site.request_limits
        if len(text) > limits.json_bytes:
            raise PayloadTooLarge(f"The input is over the limit of {limits.json_bytes} bytes.")
        return parse_json(text, limits.depth, around=around)

    async def fields(self, schema: Schema, *, without: Collection[str] = ()) -> Json:
        """Return what ``schema`` describes: from the body, or from the query if there is none.

        Args:
            schema: That of an action's input, or of an answer.
            without: Names of the query that are the client's own.

        Raises:
            CallError: As for a native start.
        """
        limits, query = self._site.request_limits, self.head.query
        if self.head.method in SAFE or (query and "content-type" not in self.head.headers):
            sent = [pair for pair in query if pair[0] not in without]
            return coerce(sent, schema, max_depth=limits.depth)
        exchange, idle = self._exchange, self._site.app.timing.body
        return await read_input(exchange.headers, exchange.receive, schema, limits, idle)
