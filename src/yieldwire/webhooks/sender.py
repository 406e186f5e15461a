"""Sends the deliveries that are due, while an application is open in one event loop."""

import asyncio
import logging
from collections import Counter
from random import random
from typing import Final

from yieldwire.client.http import Http
from yieldwire.clock import Clock
from yieldwire.errors import StoreError
from yieldwire.log.delivery import Delivery
from yieldwire.stores import RunStore
from yieldwire.tasks import Tasks
from yieldwire.webhooks import SCHEDULE, Webhook
from yieldwire.webhooks.destination import Resolve, resolved, shown_url
from yieldwire.webhooks.known import KnownWebhooks
from yieldwire.webhooks.posting import TIMEOUT, NotDelivered, post

logger: Final = logging.getLogger("yieldwire.webhooks")

LEASE: Final = TIMEOUT + 10.0
"""Seconds for which a delivery is claimed; the next try after a kill comes that much later."""
AT_ONCE: Final = 32
"""How many requests one process has open at a time."""
PER_URL: Final = 8
"""About how many of them go to one URL, so that a slow one leaves room for others."""
JITTER: Final = 0.1
"""By which part a pause is longer at random, so that failures do not come back together."""
_CLOSING: Final = 1.0
"""Seconds to record at the close what is under way."""


class Sender:
    """Claims deliveries and sends each in its own task. It sleeps while none is due."""

    def __init__(
        self,
        store: RunStore,
        known: KnownWebhooks,
        clock: Clock,
        http: Http,
        resolve: Resolve = resolved,
    ) -> None:
        self._store, self._known, self._clock = store, known, clock
        self._http, self._resolve = http, resolve
        self._news, self._tasks = asyncio.Event(), Tasks()
        self._busy = Counter[str]()
        self._is_failing = False

    def wake(self) -> None:
        """Look for deliveries that are due."""
        self._news.set()

    async def work(self) -> None:
        """Send what is due, until this is cancelled."""
        try:
            while True:
                self._news.clear()
                await self._look()
                await self._news.wait()
        finally:
            await self._tasks.cancel(_CLOSING)
            await self._http.aclose()

    async def _look(self) -> None:
        try:
            await self._begin_due()
            self._is_failing = False
        except StoreError as exc:
            if not self._is_failing:  # logged once, however long it lasts
                logger.warning("webhooks wait, because the store failed: %s", exc)
            self._is_failing = True

    async def _begin_due(self) -> None:
        while (room := AT_ONCE - self._busy.total()) > 0:
            full = [url for url, count in self._busy.items() if count >= PER_URL]
            due = await self._store.due(limit=min(room, PER_URL), lease=LEASE, without=full)
            for delivery in due:
                self._busy[delivery.url] += 1
                self._tasks.own(self._deliver(delivery), lambda _task: self.wake())
            if not due:
                return

    async def _deliver(self, delivery: Delivery) -> None:
        webhook: Webhook | None = None
        try:
            webhook = await self._known.find(delivery.owner, delivery.url)
            if webhook is None:
                raise NotDelivered("the application has no webhook for this URL", is_final=True)
            if delivery.type.removeprefix("run.") in webhook.events:
                await post(self._http, webhook, delivery, self._clock.now(), self._resolve)
        except asyncio.CancelledError:
            await self._settle(delivery, "the server stopped", 0.0)
            raise
        except NotDelivered as exc:
            await self._fail(delivery, webhook, exc)
        except Exception as exc:
            logger.exception("a webhook could not be sent", extra={"run_id": delivery.run_id})
            await self._fail(delivery, webhook, NotDelivered(type(exc).__name__))
        else:
            await self._settle(delivery)
        finally:
            self._busy -= Counter([delivery.url])

    async def _fail(self, delivery: Delivery, webhook: Webhook | None, why: NotDelivered) -> None:
        schedule = SCHEDULE if webhook is None else webhook.schedule
        again_in, extra = None, {"run_id": delivery.run_id}
        if not why.is_final and delivery.tries <= len(schedule):
            pause = schedule[delivery.tries - 1] * (1 + JITTER * random())  # noqa: S311 - no secret
            again_in = max(pause, why.pause)
        place = shown_url(delivery.url)
        if again_in is None:
            lost = (delivery.tries, place, why)
            logger.error("a webhook was given up after %d tries: %s: %s", *lost, extra=extra)
        else:
            told = (again_in, place, why)
            logger.info("a webhook is sent again in %.0f s: %s: %s", *told, extra=extra)
        await self._settle(delivery, str(why), again_in)

    async def _settle(
        self, delivery: Delivery, failure: str | None = None, again_in: float | None = None
    ) -> None:
        try:
            await self._store.settle(delivery, failure=failure, again_in=again_in)
        except StoreError as exc:  # it is due again when its lease is over
            extra = {"run_id": delivery.run_id}
            logger.warning("a webhook can be sent twice, as the store failed: %s", exc, extra=extra)
