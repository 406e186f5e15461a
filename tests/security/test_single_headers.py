"""A header that has one value is not sent twice: two readers could disagree on it."""

import pytest

from tests.support.calls import JSON, Call, send
from tests.support.world import opened, world
from yieldwire.asgi.safety import SINGLE

VALUES = {
    "access-control-request-method": "POST",
    "authorization": "Bearer a",
    "content-length": "12",
    "content-type": "application/json",
    "host": "127.0.0.1:8000",
    "idempotency-key": "k" * 30,
    "last-event-id": "r1.1",
    "origin": "http://127.0.0.1:8000",
    "run-share": "a.b",
    "sec-fetch-site": "same-origin",
    "upload-place": "a.b",
    "webhook-url": "https://a.example/hook",
}


def test_every_header_that_must_be_single_is_tried_here() -> None:
    assert {name.encode() for name in VALUES} == SINGLE


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("second", ["the same", "another"])
async def test_a_header_that_must_be_single_is_refused_when_sent_twice(
    name: str, second: str
) -> None:
    values = [VALUES[name], VALUES[name] if second == "the same" else "1"]
    headers = [(name, value) for value in values]
    if name != "content-type":
        headers.append(JSON)
    call = Call(method="POST", target="/say", headers=headers, body=[b"{}"], host=None)
    if name != "host":
        headers.append(("host", "127.0.0.1:8000"))

    async with opened(world()) as site:
        answer = await send(site, call)

    assert (answer.status, answer.json()["error"]["code"]) == (400, "PARSE_ERROR")
    assert "sent twice" in answer.json()["error"]["message"]


@pytest.mark.parametrize("host", [None, "", " "])
@pytest.mark.parametrize("hosts", [None, ["*"]])
async def test_a_request_without_a_host_cannot_be_read(
    host: str | None, hosts: list[str] | None
) -> None:
    async with opened(world(hosts=hosts)) as site:
        answer = await send(site, Call(method="GET", target="/manifest.json", host=host))

    assert (answer.status, answer.json()["error"]["code"]) == (400, "PARSE_ERROR")


@pytest.mark.parametrize("host", ["a b", "a, b", "user@127.0.0.1", "a/b", "[::1", "a:b", "\xe9"])
async def test_a_host_that_is_not_an_authority_cannot_be_read(host: str) -> None:
    async with opened(world()) as site:
        answer = await send(site, Call(method="GET", target="/manifest.json", host=host))

    assert (answer.status, answer.json()["error"]["code"]) == (400, "PARSE_ERROR")
