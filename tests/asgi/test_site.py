"""Who sends a request, how many streams they have, and what an answer says that cannot begin."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.requests import HTTPConnection

from tests.support.calls import Call, Message, get, post, send
from tests.support.world import WHOLE, opened, world
from yieldwire import Identity, Text, Unauthorized
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.clock import SystemClock


class Server:
    """What a server says to an application of its life, and what it is told."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.told: asyncio.Queue[Message] = asyncio.Queue()

    async def receive(self) -> Message:
        return await self.inbox.get()

    async def send(self, message: Message) -> None:
        self.told.put_nowait(message)


async def owner_of(answer_of: object) -> str | None:
    async with opened(world(identify=answer_of)) as site:
        answer = await send(site, post("/say", {}, [WHOLE]))
        return (await site.app.store.get(answer.headers["run-id"])).owner


async def test_who_asks_is_a_name_an_identity_or_nobody_waited_for_where_it_must_be() -> None:
    async def waited(request: HTTPConnection) -> Identity:
        return Identity(owner="carol", expires_at=SystemClock().now() + 60)

    assert await owner_of(lambda request: "alice") == "alice"
    assert await owner_of(lambda request: Identity(owner="bob")) == "bob"
    assert await owner_of(waited) == "carol"
    assert await owner_of(lambda request: None) is None
    assert await owner_of(None) is None


async def test_who_asks_is_asked_on_every_request() -> None:
    asked = list[str]()

    def identify(request: HTTPConnection) -> str:
        asked.append(request.url.path)
        return "alice"

    async with opened(world(identify=identify)) as site:
        for call in (post("/say", {}), get("/runs"), get("/manifest.json"), get("/client.js")):
            await send(site, call)

    assert asked == ["/say", "/runs", "/manifest.json"]


async def test_an_identify_may_refuse_with_a_status() -> None:
    def identify(request: HTTPConnection) -> str:
        raise Unauthorized("Your session is over.")

    async with opened(world(identify=identify)) as site:
        answer = await send(site, get("/manifest.json"))

    assert (answer.status, answer.json()["error"]["message"]) == (401, "Your session is over.")


async def test_the_client_is_forgotten_with_its_last_stream() -> None:
    async with opened(world(request_limits=RequestLimits(streams=1))) as site:
        for port in range(3):
            assert (await send(site, post("/say", {}, client=("192.0.2.1", port)))).status == 200


async def test_an_answer_that_cannot_begin_any_more_says_nothing() -> None:
    actions = world()

    @actions.action
    async def never() -> AsyncIterator[Text]:
        await asyncio.Event().wait()
        yield Text("never")

    server = Server()
    server.inbox.put_nowait({"type": "http.request", "body": b"{}"})
    server.inbox.put_nowait({"type": "http.disconnect"})
    async with opened(actions) as site:
        await site(post("/never", {}, [WHOLE]).scope(), server.receive, server.send)

    assert server.told.empty()


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "GET", "FOO"])
async def test_an_address_that_is_none_is_404_by_every_method(method: str) -> None:
    async with opened(world()) as site:
        answer = await send(site, Call(method=method, target="/a/b"))

    assert answer.json()["error"]["code"] == "NOT_FOUND"
