"""`useChat` of the AI SDK, in React and in Vue, on pages that reload and that have two tabs."""

import asyncio
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import httpx2
import pytest
from playwright.async_api import Page, expect
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.support.server import ROOT, ThreadServer
from tests.vendor.aiworld import World
from tests.vendor.conformance import proves

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES: Final = ROOT / "tests" / "vendor" / "pages"
ESBUILD: Final = ROOT / "typescript" / "node_modules" / ".bin" / "esbuild"
FRAMEWORKS: Final = ("react", "vue", "react4")
HTML: Final = """<!doctype html><title>Chat</title><link rel=icon href="data:,">
<div id="page"></div><script type="module" src="/built/{framework}.js"></script>"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve both pages, and what they call."""
    built = tmp_path_factory.mktemp("built")
    build(built)
    world = World()
    world.app.router.routes.append(Mount("/built", StaticFiles(directory=built)))
    for framework in FRAMEWORKS:
        page = HTMLResponse(HTML.format(framework=framework))
        world.app.router.routes.append(Route(f"/{framework}", page))
    with ThreadServer(world.app, actions=world.actions) as server:
        yield server.url


def build(folder: Path) -> None:
    define = ['--define:process.env.NODE_ENV="production"', "--define:__VUE_PROD_DEVTOOLS__=false"]
    subprocess.run(
        [
            ESBUILD,
            *(PAGES / f"{framework}.mjs" for framework in FRAMEWORKS),
            "--bundle",
            "--format=esm",
            "--log-level=error",
            *define,
            f"--outdir={folder}",
        ],
        check=True,
    )


async def say(page: Page, text: str) -> None:
    await page.get_by_label("Message").fill(text)
    await page.get_by_role("button", name="Send").click()


async def expect_answer(page: Page, text: str, status: str) -> None:
    await expect(page.locator("li.assistant")).to_have_text(text)
    await expect(page.get_by_role("status")).to_have_text(status)


async def ending(url: str) -> object:
    """Return how a run ends, as soon as it does."""
    async with httpx2.AsyncClient() as http, asyncio.timeout(20):
        while (status := (await http.get(url)).json()["status"]) in {"pending", "running"}:
            pass
    return status


async def open_gate(url: str, gate: str) -> None:
    async with httpx2.AsyncClient() as http:
        await http.post(f"{url}/open/{gate}")


@proves("react7", "useChat in Chromium: stream, reload in the middle, two tabs")
@proves("vue7", "useChat in Chromium: stream, reload in the middle, two tabs")
@pytest.mark.parametrize("framework", ["react", "vue"])
async def test_a_chat_continues_after_a_reload_and_in_a_second_tab(
    page: Page, url: str, framework: str
) -> None:
    chat = f"{framework}-tabs"
    place = f"{url}/{framework}?id={chat}"
    await page.goto(place)
    await say(page, "twice")
    await expect_answer(page, "One ", "streaming")

    await page.reload()
    await expect_answer(page, "One ", "streaming")
    await open_gate(url, chat)
    await expect_answer(page, "One two ", "streaming")
    other = await page.context.new_page()
    await other.goto(place)
    await expect_answer(other, "One two ", "streaming")
    await open_gate(url, f"{chat}-2")

    for tab in (page, other):
        await expect_answer(tab, "One two three.", "ready")
        await expect(tab.locator("li.user")).to_have_text("twice")


@proves("react7", "useChat in Chromium: stop")
@proves("vue7", "useChat in Chromium: stop")
@proves("react4", "useChat in Chromium: stop")
@pytest.mark.parametrize("framework", FRAMEWORKS)
async def test_a_stop_on_the_page_stops_the_run(page: Page, url: str, framework: str) -> None:
    await page.goto(f"{url}/{framework}?id={framework}-stop")
    async with page.expect_response(re.compile("/kept7/chat$|/v4/legacy$")) as answer:
        await say(page, "gated")
    await expect_answer(page, "One ", "streaming")
    run = (await (await answer.value).all_headers())["run-id"]

    await page.get_by_role("button", name="Stop").click()

    await expect_answer(page, "One ", "ready")
    assert await ending(f"{url}/native/runs/{run}?wait=10") == "cancelled"


@proves("react4", "useChat in Chromium: send, errors")
async def test_a_page_of_version_4_shows_answers_and_errors(page: Page, url: str) -> None:
    await page.goto(f"{url}/react4?id=four")
    await say(page, "hello")
    await expect_answer(page, "Jane Austen.", "ready")

    await say(page, "fails")

    await expect(page.locator("li.assistant").last).to_have_text("Half")
    await expect(page.get_by_role("status")).to_have_text("error")
