"""Which URLs are told about a run, and how to send to each."""

from collections.abc import Sequence
from inspect import isawaitable

from yieldwire.errors import Forbidden, ParseError, UsageError
from yieldwire.log.run import RunRecord
from yieldwire.webhooks import Webhook, WebhookEvent, WebhookFor
from yieldwire.webhooks.destination import destination_of, shown_url


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

    @property
    def has_questions(self) -> bool:
        """Whether somebody can be told of questions."""
        declared = any("question" in each.events for each in self._declared.values())
        return declared or self._webhook_for is not None

    def urls_of_question(self, run: RunRecord) -> Sequence[str]:
        """Return the URLs that are told when a run asks a question."""
        named = [url for url in run.webhooks if url not in self._declared]
        return [*self._urls(run.action, "question"), *named]

    def _urls(self, action: str, event: WebhookEvent) -> tuple[str, ...]:
        return tuple(url for url, each in self._declared.items() if each.tells(action, event))

    async def urls_of_start(
        self, action: str, owner: str | None, named: str | None
    ) -> tuple[str, ...]:
        """Return the URLs that the record of a new run has: those that are told when it has ended.

        The one that the start ``named`` is always among them. What its webhook is not told of is
        dropped when it is sent.

        Raises:
            ParseError: If no webhook can be sent to that URL.
            Forbidden: If the owner is not allowed to name it.
        """
        urls = self._urls(action, "ended")
        if named is None:
            return urls
        try:
            destination_of(named)
        except ValueError as exc:
            raise ParseError(f"The webhook's URL cannot be used: {exc}.") from exc
        if await self._named(owner, named) is None:
            raise Forbidden("You are not allowed to have a webhook sent to this URL.")
        return tuple(dict.fromkeys([*urls, named]))

    async def find(self, owner: str | None, url: str) -> Webhook | None:
        """Return how to send to the URL of a delivery; ``None`` if it is no longer allowed."""
        return self._declared.get(url) or await self._named(owner, url)

    async def _named(self, owner: str | None, url: str) -> Webhook | None:
        if self._webhook_for is None:
            return None
        found = self._webhook_for(owner, url)
        return (await found) if isawaitable(found) else found
