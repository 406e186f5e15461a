"""Which URLs are told about a run, and how to send to each."""

from collections.abc import Mapping, Sequence
from inspect import isawaitable
from typing import Final

from yieldwire.errors import Forbidden, ParseError, UsageError
from yieldwire.webhooks import Webhook, WebhookEvent, WebhookFor
from yieldwire.webhooks.destination import destination_of, shown_url

_FIELDS: Final[Mapping[str, WebhookEvent]] = {"webhooks": "ended", "question_webhooks": "question"}


class KnownWebhooks:
    """The declared webhooks of an application, and those that the starts of runs can name.

    Raises:
        UsageError: If two webhooks have the same URL.
    """

    def __init__(self, declared: Sequence[Webhook], webhook_for: WebhookFor | None) -> None:
        self._declared = {webhook.url: webhook for webhook in declared}
        self._webhook_for = webhook_for
        if len(self._declared) < len(declared):
            urls = [webhook.url for webhook in declared]
            twice = next(url for url in urls if urls.count(url) > 1)
            raise UsageError(
                f"webhooks= has {shown_url(twice)} twice: write one Webhook with all its actions."
            )

    def __bool__(self) -> bool:
        return bool(self._declared) or self._webhook_for is not None

    async def urls_of_start(
        self, action: str, owner: str | None, named: str | None
    ) -> dict[str, tuple[str, ...]]:
        """Return the URLs that are told about a new run, as the fields of its record.

        Raises:
            ParseError: If no webhook can be sent to that URL.
            Forbidden: If the owner is not allowed to name it.
        """
        told = [*self._declared.items()]
        if named is not None:
            told.append((named, await self._allowed(owner, named)))
        return {
            field: tuple(dict.fromkeys(url for url, each in told if each.tells(action, event)))
            for field, event in _FIELDS.items()
        }

    async def _allowed(self, owner: str | None, url: str) -> Webhook:
        try:
            destination_of(url)
        except ValueError as exc:
            raise ParseError(f"The webhook's URL cannot be used: {exc}.") from exc
        webhook = await self._named(owner, url)
        if webhook is None:
            raise Forbidden("You are not allowed to have a webhook sent to this URL.")
        return webhook

    async def find(self, owner: str | None, url: str) -> Webhook | None:
        """Return how to send to the URL of a delivery; ``None`` if it is no longer allowed."""
        return self._declared.get(url) or await self._named(owner, url)

    async def _named(self, owner: str | None, url: str) -> Webhook | None:
        if self._webhook_for is None:
            return None
        found = self._webhook_for(owner, url)
        return (await found) if isawaitable(found) else found
