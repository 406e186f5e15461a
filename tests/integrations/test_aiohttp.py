"""Actions in aiohttp, as its developers write and test them."""

import asyncio
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator

import pytest
from aiohttp import (
    ClientPayloadError,
    ClientSession,
    FormData,
    WSMsgType,
    WSServerHandshakeError,
    web,
)
from aiohttp.test_utils import TestClient, TestServer

from yieldwire import Actions, Context, Progress, Text, Timing, Upload
from yieldwire.errors import UsageError
from yieldwire.integrations.aiohttp import mount

Client = TestClient[web.Request, web.Application]
ADA = {"x-user": "ada"}


async def owner(request: web.Request) -> str:
    if "x-user" not in request.headers:
        raise web.HTTPUnauthorized
    return request.headers["x-user"]


class Shop:
    """An application of aiohttp, and its actions."""

    def __init__(self) -> None:
        self.actions = Actions(timing=Timing(grace=0.0))
        self.app = web.Application()
        self.left = asyncio.Event()

        @self.actions.action
        async def greet(ctx: Context) -> AsyncIterator[Text]:
            yield Text(f"Hello, {ctx.owner}!")

        @self.actions.action(linger=0)
        async def wait() -> AsyncIterator[Progress]:
            try:
                yield Progress(1)
                await asyncio.Event().wait()
            finally:
                self.left.set()

        @self.actions.action
        async def size(file: Upload) -> int:
            return len(await asyncio.to_thread(file.file.read))


@pytest.fixture
async def shop() -> Shop:
    return Shop()


@pytest.fixture
async def client(shop: Shop) -> AsyncGenerator[Client, None]:
    mount(shop.app, shop.actions, identify=owner)
    async with TestClient(TestServer(shop.app), headers=ADA) as client:
        yield client


async def test_a_stream_of_an_action_is_answered_and_belongs_to_the_user(client: Client) -> None:
    answer = await client.post("/api/_actions/greet", json={})
    run = answer.headers["location"]
    own = await client.get(run)
    of_another = await client.get(run, headers={"x-user": "bob"})

    assert answer.content_type == "text/event-stream"
    assert "Hello, ada!" in await answer.text()
    assert run.startswith("/api/_actions/runs/")
    assert (own.status, of_another.status) == (200, 403)


async def test_what_aiohttp_does_not_authorize_is_401(client: Client) -> None:
    async with ClientSession() as stranger:
        answer = await stranger.post(client.make_url("/api/_actions/greet"), json={})
        told = await answer.json()

    assert (answer.status, told["error"]["code"]) == (401, "UNAUTHORIZED")


async def test_events_arrive_while_the_action_runs_and_its_readers_leaving_is_noticed(
    shop: Shop, client: Client
) -> None:
    answer = await client.post("/api/_actions/wait", json={})
    while b"progress" not in await answer.content.readline():
        pass

    answer.close()

    await asyncio.wait_for(shop.left.wait(), 10)


async def test_a_file_is_read_in_pieces(client: Client) -> None:
    form = FormData()
    form.add_field("file", io.BytesIO(b"x" * 3_000_000), filename="big.bin")

    answer = await client.post("/api/_actions/size", data=form)

    assert (await answer.json())["result"] == 3_000_000


async def test_a_socket_carries_many_requests(client: Client) -> None:
    async with client.ws_connect("/api/_actions/ws") as socket:
        asked = json.dumps({"id": 1, "method": "POST", "path": "/greet"})
        await socket.send_str(f"{asked}\n{{}}")
        heard = ""
        while '"end":true' not in heard:
            message = await socket.receive(10)
            assert message.type is WSMsgType.TEXT
            heard += message.data

    assert "Hello, ada!" in heard


async def test_a_socket_of_another_origin_is_refused(client: Client) -> None:
    with pytest.raises(WSServerHandshakeError) as refused:
        await client.ws_connect("/api/_actions/ws", origin="https://evil.example")

    assert refused.value.status == 403


async def test_a_stream_that_is_open_when_the_server_stops_asks_to_come_back(shop: Shop) -> None:
    mount(shop.app, shop.actions, identify=owner)
    server = TestServer(shop.app)
    async with TestClient(server, headers=ADA) as client:
        answer = await client.post("/api/_actions/wait", json={})
        while b"progress" not in await answer.content.readline():
            pass
        async with asyncio.timeout(10):
            await server.close()
        try:
            rest = await answer.content.read()
        except ClientPayloadError:
            rest = b"broken off"

    assert b"event: done" not in rest


async def test_the_actions_live_within_the_applications_own(shop: Shop) -> None:
    events: list[str] = []

    @shop.actions.resource
    async def pool() -> AsyncIterator[None]:
        events.append("actions open")
        yield
        events.append("actions close")

    async def own(app: web.Application) -> AsyncIterator[None]:
        events.append("host opens")
        yield
        events.append("host closes")

    shop.app.cleanup_ctx.append(own)
    mount(shop.app, shop.actions)

    async with TestClient(TestServer(shop.app)):
        pass

    assert events == ["host opens", "actions open", "actions close", "host closes"]


async def test_a_nested_application_has_the_whole_path_in_its_locations(shop: Shop) -> None:
    outer = web.Application()
    mount(shop.app, shop.actions, "/actions")
    outer.add_subapp("/shop", shop.app)

    async with TestClient(TestServer(outer)) as client:
        answer = await client.post("/shop/actions/greet", json={})

    assert answer.headers["location"].startswith("/shop/actions/runs/")


async def test_other_errors_of_identify_are_aiohttps(shop: Shop) -> None:
    async def fail(request: web.Request) -> str:
        raise web.HTTPFound("/sign-in")

    shop.app = web.Application()
    mount(shop.app, shop.actions, identify=fail)

    async with TestClient(TestServer(shop.app)) as client:
        answer = await client.post("/api/_actions/greet", json={}, allow_redirects=False)

    assert (answer.status, answer.headers["location"]) == (302, "/sign-in")


def test_something_else_than_an_application_is_refused() -> None:
    with pytest.raises(UsageError, match=r"takes a web.Application\(\) first"):
        mount(Actions(), Actions())  # type: ignore[arg-type]
