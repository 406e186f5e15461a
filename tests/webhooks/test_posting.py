"""One try: where it goes, what it carries, and what its answer means."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx2
import pytest
from standardwebhooks import Webhook as Verifier

from tests.support.receiver import PUBLIC, SECRET, URL, Receiver, resolve
from tests.support.virtual import run_virtually
from yieldwire.log.delivery import Delivery
from yieldwire.webhooks import Webhook
from yieldwire.webhooks.posting import LONGEST_PAUSE, TIMEOUT, NotDelivered, post

HOOK = Webhook(URL, SECRET)
DELIVERY = Delivery("r1_3", URL, "r1", "ada", b'{"type":"run.ended","data":{"id":"r1"}}')


async def test_a_request_is_signed_and_goes_to_the_checked_address() -> None:
    receiver = Receiver()
    now = time.time()  # noqa: TID251 - the verifier reads this clock

    await post(receiver.http, HOOK, DELIVERY, now, resolve)

    (sent,) = receiver.sent
    assert Verifier(SECRET).verify(sent.body, dict(sent.headers)) == {
        "type": "run.ended",
        "data": {"id": "r1"},
    }
    assert sent.url == f"https://{PUBLIC}/hook?token=t"
    assert sent.headers["host"] == "receiver.example"
    assert (sent.id, sent.headers["content-type"]) == ("r1_3", "application/json")


async def failure_of(answer: int | Exception | httpx2.Response) -> tuple[NotDelivered, Receiver]:
    receiver = Receiver(iter([answer]))
    with pytest.raises(NotDelivered, match=r".") as told:
        await post(receiver.http, HOOK, DELIVERY, 0.0, resolve)
    return told.value, receiver


@pytest.mark.parametrize("status", [300, 302, 400, 401, 404, 429, 500, 503])
async def test_any_answer_but_2xx_is_a_failure(status: int) -> None:
    failure, _ = await failure_of(status)

    assert (str(failure), failure.is_final) == (f"HTTP {status}", False)


async def test_a_redirect_is_not_followed() -> None:
    elsewhere = {"location": "https://127.0.0.1/admin"}

    failure, receiver = await failure_of(httpx2.Response(307, headers=elsewhere))

    assert str(failure) == "HTTP 307"
    assert len(receiver.sent) == 1


async def test_a_receiver_that_is_gone_wants_no_other_try() -> None:
    failure, _ = await failure_of(410)

    assert failure.is_final


@pytest.mark.parametrize(
    ("header", "pause"),
    [
        ("120", 120.0),
        ("999999999999", LONGEST_PAUSE),
        ("-5", 0.0),
        ("²", 0.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
    ],
)
async def test_a_receiver_can_postpone_the_next_try_up_to_a_limit(
    header: str, pause: float
) -> None:
    headers = [(b"retry-after", header.encode("latin-1"))]

    failure, _ = await failure_of(httpx2.Response(503, headers=headers))

    assert failure.pause == pause


class Endless(httpx2.AsyncByteStream):
    """A body that nobody should read."""

    def __init__(self) -> None:
        self.is_closed = False

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise AssertionError("the body was read")

    async def aclose(self) -> None:
        self.is_closed = True


async def test_the_body_of_an_answer_is_not_read() -> None:
    body = Endless()
    receiver = Receiver(iter([httpx2.Response(200, stream=body)]))

    await post(receiver.http, HOOK, DELIVERY, 0.0, resolve)

    assert body.is_closed


async def test_a_private_address_is_sent_nothing() -> None:
    async def inside(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1", "::1", "169.254.169.254"]

    receiver = Receiver()

    with pytest.raises(NotDelivered, match="no address that is allowed"):
        await post(receiver.http, HOOK, DELIVERY, 0.0, inside)

    assert receiver.sent == []


async def test_of_several_addresses_private_ones_are_passed_over() -> None:
    async def mixed(_host: str, _port: int) -> list[str]:
        return ["10.0.0.1", PUBLIC]

    receiver = Receiver()

    await post(receiver.http, HOOK, DELIVERY, 0.0, mixed)

    assert [sent.url for sent in receiver.sent] == [f"https://{PUBLIC}/hook?token=t"]


async def test_a_name_that_changes_its_address_meanwhile_gains_nothing() -> None:
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    async def rebinding(_host: str, _port: int) -> list[str]:
        return next(answers)

    receiver = Receiver()

    await post(receiver.http, HOOK, DELIVERY, 0.0, rebinding)

    assert [sent.url for sent in receiver.sent] == [f"https://{PUBLIC}/hook?token=t"]
    assert next(answers) == ["127.0.0.1"]  # it was looked up once


async def test_an_address_that_does_not_answer_leads_to_the_next() -> None:
    async def two(_host: str, _port: int) -> list[str]:
        return ["2606:2800:220:1::1", PUBLIC]

    receiver = Receiver(iter([httpx2.ConnectError("no route")]))

    await post(receiver.http, HOOK, DELIVERY, 0.0, two)

    assert [sent.url for sent in receiver.sent] == [
        "https://[2606:2800:220:1::1]/hook?token=t",
        f"https://{PUBLIC}/hook?token=t",
    ]


async def test_a_connection_that_breaks_is_a_failure() -> None:
    failure, receiver = await failure_of(httpx2.ReadError("reset"))

    assert str(failure) == "ReadError: reset"
    assert len(receiver.sent) == 1


async def test_a_host_that_is_not_found_is_a_failure() -> None:
    async def nowhere(_host: str, _port: int) -> list[str]:
        raise OSError("Name or service not known")

    with pytest.raises(NotDelivered, match="the host was not found: Name or service"):
        await post(Receiver().http, HOOK, DELIVERY, 0.0, nowhere)


def test_a_receiver_that_does_not_answer_is_left_after_a_while() -> None:
    async def silent(_host: str, _port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    async def program() -> float:
        loop = asyncio.get_running_loop()
        with pytest.raises(NotDelivered, match=f"no answer within {TIMEOUT:g} seconds"):
            await post(Receiver().http, HOOK, DELIVERY, 0.0, silent)
        return loop.time()

    assert run_virtually(program()) == 1_000.0 + TIMEOUT
