"""One try to deliver a webhook: one request to a checked address, and what its answer means."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from yieldwire.client.http import Answer, Http, is_lost, was_sent
from yieldwire.log.delivery import Delivery
from yieldwire.webhooks import Webhook
from yieldwire.webhooks.destination import (
    Destination,
    Resolve,
    destination_of,
    is_allowed,
    resolved,
)
from yieldwire.webhooks.signature import signature

TIMEOUT: Final = 20.0
"""Seconds for a whole try. Standard Webhooks advises 15 to 30."""
LONGEST_PAUSE: Final = 3600.0
"""The most seconds by which a receiver can postpone the next try."""
_MOST_ADDRESSES: Final = 4
_GONE: Final = 410


class NotDelivered(Exception):
    """A try failed; the message says why.

    Attributes:
        is_final: Whether no other try is wanted.
        pause: The least seconds until the next try, if the receiver named them.
    """

    def __init__(self, why: str, *, is_final: bool = False, pause: float = 0.0) -> None:
        super().__init__(why)
        self.is_final = is_final
        self.pause = pause


async def post(
    http: Http, webhook: Webhook, delivery: Delivery, now: float, resolve: Resolve = resolved
) -> None:
    """Send a delivery once. No redirect is followed, and the answer's body is not read.

    Raises:
        NotDelivered: Unless it was answered with 2xx within `TIMEOUT`.
    """
    destination = destination_of(webhook.url)
    headers = _headers(webhook, delivery, int(now)) | {"host": destination.authority}
    try:
        async with asyncio.timeout(TIMEOUT):
            addresses = await _addresses(destination, resolve, allow_private=webhook.allow_private)
            answer = await _sent(http, destination, addresses, headers, delivery.body)
            status, wait = answer.status_code, answer.headers.get("retry-after")
            await answer.aclose()
    except TimeoutError:
        raise NotDelivered(f"no answer within {TIMEOUT:g} seconds") from None
    if not 200 <= status < 300:  # noqa: PLR2004 - the successful ones, RFC 9110 15.3
        raise NotDelivered(f"HTTP {status}", is_final=status == _GONE, pause=_pause(wait))


def _headers(webhook: Webhook, delivery: Delivery, timestamp: int) -> dict[str, str]:
    return {
        "content-type": "application/json",
        "user-agent": "yieldwire-webhook",
        "webhook-id": delivery.id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(delivery.id, timestamp, delivery.body, webhook.secret),
    }


async def _addresses(
    destination: Destination, resolve: Resolve, *, allow_private: bool
) -> Sequence[str]:
    try:
        found = await resolve(destination.host, destination.port)
    except (OSError, UnicodeError) as exc:
        raise NotDelivered(f"the host was not found: {exc}") from exc
    allowed = [each for each in found if is_allowed(destination, each, allow_private=allow_private)]
    if not allowed:
        raise NotDelivered(
            "the host has no address that is allowed: a private one needs allow_private=True, "
            "and a public one https://"
        )
    return allowed[:_MOST_ADDRESSES]


async def _sent(
    http: Http,
    destination: Destination,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
) -> Answer:
    """Send to the first address that can be connected to, and return the answer's head."""
    failure: Exception | None = None
    for address in addresses:
        request = http.build_request(
            "POST",
            destination.url_at(address),
            content=body,
            headers=headers,
            timeout=(TIMEOUT, TIMEOUT, TIMEOUT, TIMEOUT),
        )
        request.extensions["sni_hostname"] = destination.host  # also the name in the certificate
        try:
            return await http.send(request, stream=True)
        except Exception as exc:
            if not is_lost(exc):
                raise
            failure = exc
            if was_sent(exc):
                break
    raise NotDelivered(f"{type(failure).__name__}: {failure}") from failure


def _pause(header: str | None) -> float:
    """Return the seconds of a ``Retry-After``; a date is ignored."""
    if header is None or not (header.isascii() and header.isdigit()):
        return 0.0
    return min(float(header[:9]), LONGEST_PAUSE)
