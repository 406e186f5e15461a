"""A balancer finds out whether to send requests to a process."""

from collections.abc import Sequence

import pytest
from starlette.requests import HTTPConnection

from tests.support.calls import Call, get, send
from yieldwire import Actions, Unauthorized
from yieldwire.errors import StoreError
from yieldwire.log.run import RunRecord
from yieldwire.stores import Query
from yieldwire.stores.memory import MemoryStore


def refuse(_: HTTPConnection) -> str:
    raise Unauthorized


@pytest.mark.parametrize("path", ["/health", "/health/", "/health/live"])
async def test_a_balancer_needs_neither_an_account_nor_the_hosts_name(path: str) -> None:
    actions = Actions(identify=refuse, hosts=["app.example.com"])
    async with actions.lifespan():
        answer = await send(actions, get(path, host="10.0.0.7:8000"))
        head = await send(actions, Call(method="HEAD", target=path, host="10.0.0.7:8000"))
        other = await send(actions, get("/healthy", host="10.0.0.7:8000"))

    assert (answer.status, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer.headers["cache-control"]
    assert (head.status, head.body) == (200, b"")
    assert other.json()["error"]["code"] == "FORBIDDEN"


async def test_a_process_that_drains_gets_no_requests_but_lives() -> None:
    actions = Actions()
    async with actions.lifespan():
        actions.drain()
        answers = [await send(actions, get(path)) for path in ("/health", "/health/live")]

    assert [answer.status for answer in answers] == [503, 200]
    assert answers[0].json() == {"status": "stopping"}


async def test_a_process_without_its_store_gets_no_requests_and_is_told_why_only_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Away(MemoryStore):
        async def find(self, query: Query, /) -> Sequence[RunRecord]:
            raise StoreError("10.0.0.3 refused the connection")

    answer = await send(Actions(store=Away()), get("/health"))

    assert (answer.status, answer.json()) == (503, {"status": "store unreachable"})
    assert "10.0.0.3" in caplog.text
