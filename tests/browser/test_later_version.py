"""The pages of today with a server of tomorrow: what they do not know, they pass."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from playwright.async_api import Page, expect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tests.conftest import Serve
from tests.support.server import ThreadServer
from tests.support.world import BRISK
from yieldwire import Actions, Progress, Result, Text
from yieldwire.devtools import attach

pytestmark = pytest.mark.asyncio(loop_scope="session")

STRANGE = b"\n\nevent: surprise\nmore: x\ndata: not JSON\n\nevent: constructor\ndata: {}\n\n"


class Later:
    """An application whose streams have frames, fields and members of a later version."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_stream = False

        async def rewritten(message: Message) -> None:
            nonlocal is_stream
            if message["type"] == "http.response.start":
                is_stream = (b"content-type", b"text/event-stream; charset=utf-8") in message[
                    "headers"
                ]
            elif is_stream and message["body"]:
                body = re.sub(rb"\n\n", STRANGE, message["body"])
                body = body.replace(b'data: {"', b'more: y\ndata: {"later":[1],"')
                message = {**message, "body": body}
            await send(message)

        await self._app(scope, receive, rewritten)


@pytest.fixture
def gate() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
def server(serve: Serve, gate: asyncio.Event) -> ThreadServer:
    actions = Actions(timing=BRISK)

    @actions.action(linger=None)
    async def tell() -> AsyncIterator[Text | Progress | Result[dict[str, int]]]:
        yield Text("one ")
        await gate.wait()
        yield Progress(1, total=2)
        yield Text("two")
        yield Result({"words": 2})

    attach(actions)
    return serve(Later(actions), actions=actions)


@pytest.mark.parametrize("address", ["runs/{run}", "#/run/{run}"], ids=["follow", "developer"])
async def test_a_page_passes_what_it_does_not_know(
    page: Page, server: ThreadServer, gate: asyncio.Event, address: str
) -> None:
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{server.url}/tell", headers={"Prefer": "respond-async"})
    await page.goto(f"{server.url}/{address.format(run=answer.headers['run-id'])}")
    await expect(page.locator("[data-role=text]").first).to_have_text("one ")
    await expect(page.locator("[data-role=status]").first).to_have_text("running", ignore_case=True)

    server.loop.call_soon_threadsafe(gate.set)

    await expect(page.locator("[data-role=result]").first).to_contain_text(
        re.compile("words[^0-9]*2", re.IGNORECASE)
    )
    await expect(page.locator("[data-role=text]").first).to_have_text("one two")
    await expect(page.locator("[data-role=status]").first).to_have_text(
        "completed", ignore_case=True
    )
    await expect(page.locator("[data-role=error]").first).to_be_hidden()
