import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from email.utils import formatdate

import httpx
import httpx2
import pytest
from starlette.types import Message, Receive, Send

from tests.client.script import (
    OPENING,
    UNREACHABLE,
    Answer,
    Server,
    end,
    json,
    refusal,
    serve,
    stream,
)
from yieldwire.client import AsyncClient, Patience
from yieldwire.client.wire import ANSWER_BYTES, ERROR_BYTES
from yieldwire.codecs.sse import MAX_EVENT_BYTES
from yieldwire.errors import ActionError, ProtocolError, RateLimited, Unreachable, UsageError
from yieldwire.testing.transport import StreamingTransport


async def test_a_start_whose_answer_was_lost_is_repeated_under_the_same_key() -> None:
    async with serve(UNREACHABLE, stream(OPENING, end(1))) as (client, server):
        await client.call("count")

    first, second = (seen.headers["idempotency-key"] for seen in server.requests)
    assert first == second
    assert len(first) >= 22


@pytest.mark.parametrize("status", [408, 425, 429, 502, 503, 504])
async def test_a_status_that_can_change_is_asked_for_again(status: int) -> None:
    async with serve(refusal(status, "LATER"), stream(OPENING, end(1))) as (client, server):
        await client.call("count")

    assert server.notices == ["No."]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 413, 422, 500])
async def test_a_status_that_cannot_change_is_raised_at_once(status: int) -> None:
    async with serve(refusal(status, "NEVER")) as (client, _):
        with pytest.raises(ActionError, match="No") as caught:
            await client.call("count")

    assert (caught.value.code, caught.value.status) == ("NEVER", status)


async def test_how_a_run_has_ended_is_not_asked_for_again() -> None:
    async with serve(refusal(503, "NO_STOCK", run_id="r1")) as (client, _):
        with pytest.raises(ActionError, match="No") as caught:
            await client.call("count")

    assert (caught.value.code, caught.value.run_id) == ("NO_STOCK", "r1")


async def test_retry_after_can_be_a_date() -> None:
    class Clock:
        def now(self) -> float:
            return 1_000_000.0

        def monotonic(self) -> float:
            return 0.0

    later = formatdate(1_000_030, usegmt=True)
    server = Server([refusal(503, "LATER", retry_after=later), stream(OPENING, end(1))])
    patience = Patience(sleep=server.sleep, clock=Clock())
    async with httpx2.AsyncClient(transport=StreamingTransport(server)) as http:
        await AsyncClient("http://localhost/api", http=http, patience=patience).call("count")

    assert server.waits == [30.0]


async def test_a_retry_after_that_nobody_can_read_is_ignored() -> None:
    async with serve(refusal(503, "LATER", retry_after="soon"), stream(OPENING, end(1))) as (
        client,
        server,
    ):
        await client.call("count")

    assert server.waits == [0.5]


async def test_a_server_that_asks_for_too_long_a_wait_is_not_waited_for() -> None:
    async with serve(refusal(429, "RATE_LIMITED", retry_after="3600"), longest_wait=60) as (
        client,
        server,
    ):
        with pytest.raises(RateLimited, match="No") as caught:
            await client.call("count")

    assert caught.value.retry_after == 3600
    assert server.waits == []


async def test_a_server_that_stays_away_is_unreachable() -> None:
    async with serve(UNREACHABLE, UNREACHABLE, tries=2) as (client, _):
        with pytest.raises(
            Unreachable, match=r"server at \S+ cannot be reached: connection refused"
        ):
            await client.call("count")


async def test_a_head_that_does_not_come_is_given_up() -> None:
    async def silent(scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        while (await receive())["type"] != "http.disconnect":
            pass

    patience = Patience(idle=0.01, tries=1)
    async with httpx2.AsyncClient(transport=StreamingTransport(silent)) as http:
        client = AsyncClient("http://localhost/api", http=http, patience=patience)

        with pytest.raises(Unreachable, match=r"nothing came for 0\.01 s"):
            await client.manifest()


async def test_a_token_is_sent_as_a_bearer() -> None:
    server = Server([json({"actions": []})])
    async with httpx2.AsyncClient(transport=StreamingTransport(server)) as http:
        client = AsyncClient("http://localhost/api", token="secret", http=http)
        await client.manifest()

    assert server.requests[0].headers["authorization"] == "Bearer secret"


async def test_a_token_function_is_asked_again_on_each_connection() -> None:
    tokens = iter(["first", "second"])

    async def token() -> str:
        return next(tokens)

    server = Server([stream(OPENING), stream(end(1))])
    async with httpx2.AsyncClient(transport=StreamingTransport(server)) as http:
        patience = Patience(sleep=server.sleep)
        client = AsyncClient(
            "http://localhost/api", token=token, http=http, patience=patience, headers={"X-A": "b"}
        )
        await client.call("count")

    sent = [seen.headers["authorization"] for seen in server.requests]
    assert sent == ["Bearer first", "Bearer second"]
    assert {seen.headers["x-a"] for seen in server.requests} == {"b"}


async def test_a_short_request_whose_answer_breaks_off_is_repeated() -> None:
    async with serve(Answer(pieces=["{"], breaks=True), json({"actions": []})) as (client, server):
        manifest = await client.manifest()

    assert manifest == {"actions": []}
    assert server.waits == [0.5]


@pytest.mark.parametrize("url", ["example.com", "ftp://example.com", "", "http://"])
async def test_what_is_not_an_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not an address"):
        AsyncClient(url)


async def test_a_client_of_httpx_will_do() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/lost"):
            raise httpx.ConnectError("refused")
        body = OPENING + end(1, value={"result": 7})
        return httpx.Response(
            200, headers={"run-id": "r1", "content-type": "text/event-stream"}, text=body
        )

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        client = AsyncClient("http://localhost", http=http, patience=Patience(tries=1))
        result = await client.call("count")
        with pytest.raises(Unreachable, match="refused"):
            await client.call("lost")

    assert result == 7


async def test_an_error_that_is_not_the_networks_is_raised_as_it_is() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        raise KeyError("a fault of the transport")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        with pytest.raises(KeyError, match="a fault"):
            await AsyncClient("http://localhost", http=http).call("count")


# Answers without an end.

PIECE = b"x" * 65_536


class Endless:
    """Answers everything with a body that continues until nobody reads it, or for 200 MB."""

    def __init__(self, status: int, kind: str, first: bytes = b"") -> None:
        self.status, self.kind, self.first, self.sent = status, kind, first, 0

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        headers = [(b"content-type", self.kind.encode()), (b"run-id", b"r1")]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.first, "more_body": True})
        gone = asyncio.ensure_future(self._gone(receive))  # noqa: TID251 - cancelled below
        while not gone.done() and self.sent < 200_000_000:
            await send({"type": "http.response.body", "body": PIECE, "more_body": True})
            self.sent += len(PIECE)
            await asyncio.sleep(0)
        gone.cancel()

    async def _gone(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass


@asynccontextmanager
async def client_of(server: Endless) -> AsyncGenerator[AsyncClient, None]:
    patience = Patience(tries=1, backoff=0.0, backoff_max=0.0)
    async with httpx2.AsyncClient(transport=StreamingTransport(server)) as http:
        yield AsyncClient("http://localhost/api", http=http, patience=patience)


async def test_a_refusal_without_an_end_is_told_by_its_status() -> None:
    server = Endless(404, "application/json")

    async with client_of(server) as client:
        with pytest.raises(Unreachable, match="HTTP 404"):
            await client.call("count")

    assert server.sent < 2 * ERROR_BYTES


async def test_a_refusal_that_trickles_without_an_end_is_told_by_its_status() -> None:
    is_over = asyncio.Event()

    async def trickle(scope: Message, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 404, "headers": []})
        while not is_over.is_set():
            await send({"type": "http.response.body", "body": b" ", "more_body": True})
            await asyncio.sleep(0.01)

    patience = Patience(tries=1, idle=0.1)
    async with httpx2.AsyncClient(transport=StreamingTransport(trickle)) as http:
        client = AsyncClient("http://localhost/api", http=http, patience=patience)
        try:
            async with asyncio.timeout(30):
                with pytest.raises(Unreachable, match="HTTP 404"):
                    await client.call("count")
        finally:
            is_over.set()


async def test_a_json_answer_without_an_end_is_given_up() -> None:
    server = Endless(200, "application/json")

    async with client_of(server) as client:
        with pytest.raises(ProtocolError, match=f"more than {ANSWER_BYTES} bytes"):
            await client.manifest()

    assert server.sent < ANSWER_BYTES + 10 * len(PIECE)


@pytest.mark.parametrize("first", [b"data: ", b": ", b"id: r1.1\ndata: 1\ndata: "])
async def test_an_event_without_an_end_is_given_up(first: bytes) -> None:
    server = Endless(200, "text/event-stream", first)

    async with client_of(server) as client:
        with pytest.raises(ProtocolError, match=f"more than {MAX_EVENT_BYTES} bytes"):
            await client.call("count")

    assert server.sent < MAX_EVENT_BYTES + 10 * len(PIECE)
