"""From a request to the start that it asks for: its key, its facts, and what reads its input."""

import re
from collections.abc import Awaitable, Callable
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias

from yieldwire.actions.action import Action
from yieldwire.actions.context import RequestFacts
from yieldwire.actions.upload import Upload
from yieldwire.asgi.bodies import read_input
from yieldwire.asgi.exchange import Exchange
from yieldwire.asgi.forms import coerce
from yieldwire.asgi.host import host_of, resolving
from yieldwire.asgi.newfile import new_file
from yieldwire.asgi.site import Site
from yieldwire.errors import Json, ParseError
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest

_SECRET: Final = re.compile(
    "auth|cookie|credential|jwt|key|pass|secret|session|signature|token|upload-place|webhook"
)
"""A header with one of these in its name is not passed to the run."""
MAX_KEY_LENGTH: Final = 255
Read: TypeAlias = Callable[[], Awaitable[Json]]
"""Reads the input of a request."""


def request_of(
    site: Site, exchange: Exchange, caller: Caller, action: Action[..., Any, Any]
) -> StartRequest:
    """Return the start that a request asks for, without its input.

    Raises:
        ParseError: If its idempotency key cannot be one.
        Forbidden: If it has a place for uploads that is not valid.
    """
    request = StartRequest(action, caller, facts_of(exchange, caller))
    request.key, request.webhook = key_of(exchange), exchange.headers.get("webhook-url")
    request.resolve = resolving(exchange, action)
    signed = exchange.headers.get("upload-place")
    if signed is not None:
        request.place = site.app.places.run_id_of(signed, request)
    return request


def facts_of(exchange: Exchange, caller: Caller) -> RequestFacts:
    """Return what a run can know about the request that starts it."""
    headers = {name: value for name, value in exchange.headers.items() if not _is_secret(name)}
    return RequestFacts(exchange.method, exchange.path, caller.address, headers)


@lru_cache(maxsize=512)  # nearly every request has the same names
def _is_secret(header: str) -> bool:
    return _SECRET.search(header) is not None


def key_of(exchange: Exchange) -> str | None:
    """Return the idempotency key of a request, if it has one.

    Raises:
        ParseError: If it is too long, empty or not ASCII.
    """
    key = exchange.headers.get("idempotency-key")
    if key is not None and not (0 < len(key) <= MAX_KEY_LENGTH and key.isascii()):
        raise ParseError(f"An Idempotency-Key must have 1 to {MAX_KEY_LENGTH} ASCII characters.")
    return key


def reading(site: Site, exchange: Exchange, request: StartRequest) -> Read:
    """Return what reads the input of a request: the body, or the query of a GET."""
    limits, idle = site.request_limits, site.app.timing.body
    action, place = request.action, request.place
    if exchange.method == "GET":
        return partial(_read_query, exchange, action, limits.depth)
    find = None if place is None else partial(_find, site, place)
    return partial(
        read_input, exchange.headers, exchange.receive, action.input_schema, limits, idle, find
    )


async def _find(site: Site, place: str, text: str) -> Upload:
    return await site.app.places.find(place, new_file(text))


async def _read_query(exchange: Exchange, action: Action[..., Any, Any], depth: int) -> Json:
    query = exchange.request.query_params.multi_items()
    fields = action.input_schema.get("properties", {})
    others = {"lastEventId", *host_of(exchange).reads_of_query(action) - fields.keys()}
    pairs = [(name, value) for name, value in query if name not in others]
    return coerce(pairs, action.input_schema, max_depth=depth)
