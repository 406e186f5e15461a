"""A real Chromium without windows: one for all tests, and for each a profile of its own."""

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.support.command import CommandServer
from tests.support.long import IS_LONG, leave_out
from tests.support.server import ROOT

CHROMIUM = "/usr/bin/chromium-headless-shell"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 20_000
PAGES_APP: Final = "examples.web.app:app"
PATHS: Final = {"plain": "", "react": "react/", "vue": "vue/"}
FIRST: Final = "react"
"""The front end of those tests that run with one."""
OF_EACH_FRONT: Final = {
    "test_an_import_moves_its_bar_to_the_result",
    "test_a_reload_continues_where_the_import_and_the_answer_are",
    "test_many_cuts_lose_and_repeat_nothing",
}
OTHER_HOSTS: Final = {"litestar", "quart", "starlette"}
"""Those whose project `tests/examples` tests as well, but no browser in the short form."""
WIDE_SCENES: Final = {None, "rows", "fill_berth"}
"""What has most to lay out on a wide screen."""
EVERY_VARIANT: Final = IS_LONG or os.environ.get("BROWSER") == "all"
"""Whether to run each test with every front end, host, width and in light colours too."""

expect.set_options(timeout=PATIENCE_MS)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page in which a script that fails, or that the page's policy forbids, fails the test."""
    context = await browser.new_context()
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    troubles: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A connection that breaks is an error there too, and often what a test is about.
        if message.type == "error" and "Failed to load resource" not in message.text:
            troubles.append(message.text)

    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", hear)
    yield page
    await context.close()
    assert troubles == []


@pytest_asyncio.fixture(loop_scope="session")
async def page_without_scripts(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(java_script_enabled=False)
    context.set_default_timeout(PATIENCE_MS)
    yield await context.new_page()
    await context.close()


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    path = PATHS[request.param]
    built = ROOT / "examples/web/dist" / path / "index.html"
    assert not path or built.exists(), "`make examples/web/dist` builds the pages"
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pages_server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommandServer]:
    folder = tmp_path_factory.mktemp("pages")
    with CommandServer(PAGES_APP, folder / "log", {"RUNS": str(folder / "runs.db")}) as server:
        await server.wait_until_listening()
        yield server
        server.kill()  # the feed's readers have left, and nobody waits for it


@pytest.fixture
async def pages_url(pages_server: CommandServer, path: str) -> str:
    return f"http://127.0.0.1:{pages_server.port}/{path}"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the variants that differ least to ``make test-long`` and ``BROWSER=all``."""
    if EVERY_VARIANT:
        return
    leave_out(config, items, _is_variant)


def _is_variant(item: pytest.Function) -> bool:
    if item.path.parent != Path(__file__).parent or not hasattr(item, "callspec"):
        return False
    params = item.callspec.params
    is_other_front = params.get("path", FIRST) != FIRST and item.originalname not in OF_EACH_FRONT
    is_other_host = params.get("address") in OTHER_HOSTS
    is_wide_followpage = params.get("width") == "1280" and params.get("scene") not in WIDE_SCENES
    return params.get("scheme") == "light" or is_other_front or is_other_host or is_wide_followpage
