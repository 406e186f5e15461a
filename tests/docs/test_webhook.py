"""The guide to webhooks: what its application sends, its receiver accepts."""

import time
from types import ModuleType
from typing import Any

import httpx
import pytest

from tests.docs.conftest import Load
from tests.support.receiver import resolve
from yieldwire.log.delivery import Delivery, deliveries_of
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.testing.contract.harness import finished
from yieldwire.webhooks.posting import post

URL = "https://billing.example.com/hooks/runs"


@pytest.fixture
def files(load: Load) -> dict[str, ModuleType]:
    return load("send-a-webhook.md")


async def delivery_of(actions: Any) -> Delivery:  # noqa: ANN401 - the guide's application
    """Return what is sent when a run of the guide has ended."""
    urls = await actions.app.webhooks.urls_of_start("write_report", None, None)
    run = RunRecord(id="r1", action="write_report", quota_key="x", **urls)
    block = Block.of_event("r1", 1, EventType.DONE, b'{"result":"The report of May."}')
    (delivery,) = deliveries_of(run.changed(status=Status.COMPLETED), block)
    return delivery


async def test_the_receiver_of_the_guide_accepts_what_its_application_sends(
    files: dict[str, ModuleType],
) -> None:
    delivery = await delivery_of(files["app"].actions)
    transport = httpx.ASGITransport(app=files["receiver"].app)
    now = time.time()  # noqa: TID251 - the verifier reads this clock

    async with httpx.AsyncClient(transport=transport) as http:
        for hook in (files["app"].billing, files["rotation"].billing):
            await post(http, hook, delivery, now, resolve)
        forged = {"webhook-id": "x", "webhook-timestamp": "1", "webhook-signature": "v1,eA=="}
        refused = await http.post(URL, content=delivery.body, headers=forged)

    assert files["receiver"].invoiced == ["r1"]
    assert refused.status_code == 400


async def test_the_guide_sends_what_was_given_up_once_more(files: dict[str, ModuleType]) -> None:
    actions = files["app"].actions
    store = actions.app.store
    await finished(store, webhooks=((await delivery_of(actions)).url,))
    (claimed,) = await store.due(limit=1, lease=30.0)
    await store.settle(claimed, failure="HTTP 410")

    told = await files["operations"].send_what_was_given_up()

    assert told == [f"{URL}: HTTP 410"]
    assert [each.tries for each in await store.due(limit=1, lease=30.0)] == [2]
    await store.close()


async def test_a_tenant_of_the_guide_can_name_its_own_urls(files: dict[str, ModuleType]) -> None:
    webhook_for = files["tenants"].webhook_for

    assert (await webhook_for("ada", "https://hooks.ada.example/runs")).url.endswith("/runs")
    assert await webhook_for("ada", "https://elsewhere.example/") is None
    assert await webhook_for("ben", "https://hooks.ada.example/runs") is None
    assert await webhook_for(None, "https://hooks.ada.example/runs") is None
