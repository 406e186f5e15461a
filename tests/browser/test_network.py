"""The pages of `examples/web` over servers that die and networks that are unkind."""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, Request, expect

from tests.browser.conftest import PAGES_APP
from tests.support.chaos import HEALTHY, ChaosProxy
from tests.support.command import CommandServer
from tests.support.front import Front, answer_to, expect_status, names
from tests.support.nginx import Nginx

pytestmark = pytest.mark.asyncio(loop_scope="session")

TABS: Final = 8
CUTS: Final = 8
# What nginx buffers and compresses comes all at its end, unless the stream forbids buffering.
COMPRESSES: Final = "gzip on; gzip_types text/event-stream;"
HOLDS_BACK: Final = COMPRESSES + "proxy_ignore_headers X-Accel-Buffering;"


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[CommandServer]:
    """Serve the pages by a server that can be killed."""
    with CommandServer(PAGES_APP, tmp_path / "log", {"RUNS": str(tmp_path / "runs.db")}) as server:
        await server.wait_until_listening()
        yield server
        server.kill()


async def test_a_killed_server_leaves_each_page_in_the_right_state(
    page: Page, path: str, mortal: CommandServer
) -> None:
    front = await Front(page).open(f"http://127.0.0.1:{mortal.port}/{path}")
    message = " ".join(names(60))
    await front.say(message)
    await front.start_import(400)
    await front.wait_for_rows(10)

    mortal.kill()
    status = front.imports.get_by_role("status")
    for part in (front.imports, front.chat, front.news):
        await expect(part.get_by_role("status")).to_contain_text("Reconnecting.")
    mortal.start()

    # An import is not begun twice by itself; an answer is asked for again, from its first word.
    await expect_status(front.imports, "error")
    await expect(status).to_contain_text("(INTERRUPTED)")
    rows = await front.rows()
    assert rows == names(len(rows))
    assert len(rows) >= 10
    await expect_status(front.chat, "done")
    await expect(front.chat.locator(".answer")).to_have_text(answer_to(message))


async def test_many_cuts_lose_and_repeat_nothing(
    page: Page, path: str, pages_server: CommandServer
) -> None:
    async with ChaosProxy(pages_server.port, lambda _: HEALTHY) as proxy:
        front = await Front(page).open(f"http://127.0.0.1:{proxy.port}/{path}")
        message = " ".join(names(80))
        await front.start_import(80)
        await front.say(message)

        for row in range(5, 5 * (CUTS + 1), 5):
            await front.wait_for_rows(row)
            proxy.drop_all()

        await expect_status(front.imports, "done")
        await expect_status(front.chat, "done")
        assert await front.rows() == names(80)
        await expect(front.chat.locator(".answer")).to_have_text(answer_to(message))
        assert proxy.connections > CUTS // 2  # a slow page can meet two cuts with one connection


# A row of "What happens when" in the docs.
async def test_a_silent_connection_is_told_within_seconds_and_replaced(
    page: Page, path: str, pages_server: CommandServer
) -> None:
    async with ChaosProxy(pages_server.port, lambda _: HEALTHY) as proxy:
        front = await Front(page).open(f"http://127.0.0.1:{proxy.port}/{path}")
        message = " ".join(names(400))
        await front.start_import(400)
        await front.say(message)
        await front.wait_for_rows(10)
        await expect(front.chat.locator(".answer")).not_to_be_empty()

        proxy.swallows = True
        for part in (front.imports, front.chat, front.news):
            await expect(part.get_by_role("status")).to_contain_text("Reconnecting.")
        proxy.swallows = False

        await expect_status(front.imports, "done")
        await expect_status(front.chat, "done")
        assert await front.rows() == names(400)
        await expect(front.chat.locator(".answer")).to_have_text(answer_to(message))
        await expect(front.news.get_by_role("status")).to_be_empty()


async def test_a_page_that_was_offline_continues_when_it_is_online(
    page: Page, path: str, pages_server: CommandServer
) -> None:
    async with ChaosProxy(pages_server.port, lambda _: HEALTHY) as proxy:
        front = await Front(page).open(f"http://127.0.0.1:{proxy.port}/{path}")
        await front.start_import(60)
        await front.wait_for_rows(5)

        await page.context.set_offline(True)
        proxy.drop_all()
        connections = proxy.connections
        await asyncio.sleep(1)
        held = await front.rows()
        await asyncio.sleep(0.5)
        assert await front.rows() == held
        assert proxy.connections == connections
        await page.context.set_offline(False)

        await expect_status(front.imports, "done")
        assert await front.rows() == names(60)


async def test_nginx_with_its_own_settings_lets_streams_through(
    page: Page, path: str, pages_server: CommandServer, tmp_path: Path
) -> None:
    async with Nginx(pages_server.port, tmp_path, COMPRESSES) as nginx:
        front = await Front(page).open(nginx.url + path)
        await front.start_import(60)
        await expect_status(front.imports, "done")

        assert len(await front.seen()) >= 5  # the import is over before anybody would poll
        assert await front.rows() == names(60)


async def test_behind_a_proxy_that_holds_streams_back_the_page_polls(
    page: Page, path: str, pages_server: CommandServer, tmp_path: Path
) -> None:
    polls = polls_of(page)
    async with Nginx(pages_server.port, tmp_path, HOLDS_BACK) as nginx:
        await page.goto(nginx.url + path)
        front = Front(page)
        await front.start_import(200)
        await expect_status(front.imports, "done")

        assert len(await front.seen()) >= 4
        assert await front.rows() == names(200)
        assert polls != []


def polls_of(page: Page) -> list[str]:
    """Return a list that fills with the polls that the page sends."""
    polls: list[str] = []

    def note(request: Request) -> None:
        if "/runs/" in request.url and "/events" not in request.url:
            polls.append(request.url)

    page.on("request", note)
    return polls


async def test_eight_tabs_are_none_of_them_stuck(page: Page, pages_url: str) -> None:
    pages = [page, *[await page.context.new_page() for _ in range(TABS - 1)]]
    fronts: list[Front] = []

    for number, each in zip(count(1), pages, strict=False):
        front = await Front(each).open(pages_url)
        await front.say(f"tab {number} " + " ".join(names(40)))
        fronts.append(front)

    for number, front in enumerate(fronts, 1):
        await expect(front.chat.locator(".answer")).to_have_text(
            answer_to(f"tab {number} " + " ".join(names(40)))
        )
        await expect_status(front.chat, "done")
