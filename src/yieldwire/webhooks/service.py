"""The webhooks of one application: from the start of a run to dead letters."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from yieldwire.client.http import Http, single_http
from yieldwire.clock import Clock
from yieldwire.errors import Json
from yieldwire.hooks import Hooks
from yieldwire.log.delivery import Delivery
from yieldwire.log.run import RunRecord
from yieldwire.stores import RunStore
from yieldwire.stores.deliveries import Outstanding
from yieldwire.tasks import Tasks
from yieldwire.webhooks import Webhook, WebhookFor
from yieldwire.webhooks.known import KnownWebhooks
from yieldwire.webhooks.sender import Sender


class Webhooks(Hooks):
    """The webhooks of one application. It costs nothing if there are none.

    Raises:
        UsageError: If two webhooks have the same URL.
        MissingDependency: If there are some and httpx2 is not installed.
    """

    def __init__(
        self,
        store: RunStore,
        clock: Clock,
        declared: Sequence[Webhook] = (),
        webhook_for: WebhookFor | None = None,
    ) -> None:
        self._store, self._clock = store, clock
        self._known = KnownWebhooks(declared, webhook_for)
        self.is_used: Final = bool(self._known)
        """Whether the application can have webhooks."""
        self.can_be_named: Final = webhook_for is not None
        """Whether a start can name one."""
        self._sender: Sender | None = None
        self._new_http: Callable[[], Http] | None = None
        if self.is_used:
            self._new_http = single_http("Sending webhooks")

    async def urls_of_start(
        self, action: str, owner: str | None, named: str | None
    ) -> Mapping[str, Sequence[str]]:
        """Return the URLs that are told about a new run, as the fields of its record.

        Raises:
            ParseError: If the start ``named`` a URL to which no webhook can be sent.
            Forbidden: If the owner is not allowed to name it.
        """
        return await self._known.urls_of_start(action, owner, named)

    def begin(self, tasks: Tasks) -> None:
        """Send what is due, in a task of the running loop, until ``tasks`` are cancelled."""
        if self._new_http is not None:
            self._sender = Sender(self._store, self._known, self._clock, self._new_http())
            tasks.own(self._sender.work())

    async def look(self) -> None:
        """Look for deliveries that are due: each sweep calls this."""
        if self._sender is not None:
            self._sender.wake()

    @property
    def hooks(self) -> Sequence[Hooks]:
        """What watches the application's runs, to send without waiting for the next sweep."""
        return [self] if self.is_used else ()

    def question_asked(self, run: RunRecord, _question: Mapping[str, Json], /) -> None:
        """Send what a run has asked."""
        if run.question_webhooks and self._sender is not None:
            self._sender.wake()

    def run_ended(self, run: RunRecord, /) -> None:
        """Send the end of a run."""
        if run.webhooks and self._sender is not None:
            self._sender.wake()

    async def outstanding(self, run_id: str, /) -> Sequence[Outstanding]:
        """Return what the receivers of a run's webhooks have not confirmed, in its events' order.

        Raises:
            StoreError: If the store failed.
        """
        return await self._store.outstanding(run_id)

    async def dead_letters(self, *, limit: int = 100) -> Sequence[Delivery]:
        """Return deliveries that were given up, the newest first; ``failure`` says why.

        Raises:
            StoreError: If the store failed.
        """
        return await self._store.dead_letters(limit=limit)

    async def send_again(self, delivery: Delivery, /) -> None:
        """Send a delivery that was given up once more; it is given up again if that fails.

        Raises:
            StoreError: If the store failed.
        """
        await self._store.settle(delivery, failure=delivery.failure or "", again_in=0.0)
        await self.look()
