"""`examples/htmx.py` in Chromium: no script but htmx's own, of version 2 and of version 4."""

import re
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.async_api import Browser, Page, Route, expect
from starlette.types import Receive, Scope, Send

from examples import htmx
from tests.browser.test_followpage import AXE, CHECK
from tests.support.chaos import HEALTHY, ChaosProxy
from tests.support.server import ROOT, ThreadServer
from tests.vendor.conformance import proves

pytestmark = pytest.mark.asyncio(loop_scope="session")

VENDOR: Final = ROOT / "tests/vendor/node_modules"
PUBLISHED: Final = re.compile(r"https://cdn\.jsdelivr\.net/npm/([a-z.-]+)@([0-9.]+)/(.*)")
SCRIPTS: Final = re.compile(r"<script.*</script>", re.DOTALL)
FOUR: Final = """
<script src="https://cdn.jsdelivr.net/npm/htmx.org@4.0.1/dist/htmx.min.js"></script>
<script src="https://cdn.jsdelivr.net/npm/htmx.org@4.0.1/dist/ext/hx-sse.min.js"></script>
"""
PARTY: Final = "<i>our</i> release"
GUESTS: Final = 12


places: Final[list[bytes | None]] = []
"""The `Last-Event-ID` of each connection."""


async def site(scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "http" and scope["path"].endswith("/htmx"):
        places.append(dict(scope["headers"]).get(b"last-event-id"))
    await htmx.app(scope, receive, send)


@pytest.fixture(scope="module")
def server() -> Iterator[ThreadServer]:
    with ThreadServer(site, actions=htmx.actions) as server:
        yield server


async def publish(route: Route) -> None:
    """Answer as the content delivery network does, from the packages that are installed."""
    found = PUBLISHED.fullmatch(route.request.url)
    assert found is not None
    name, version, file = found.groups()
    folder = VENDOR / ("htmx4" if version.startswith("4") else name)
    headers = {"access-control-allow-origin": "*", "content-type": "text/javascript"}
    await route.fulfill(path=folder / file, headers=headers)


async def show_four(route: Route) -> None:
    await route.fulfill(body=SCRIPTS.sub(FOUR, htmx.PAGE), content_type="text/html")


async def prepare(page: Page, version: int) -> None:
    await page.route(re.compile(r"https://cdn\."), publish)
    if version == 4:
        await page.route(re.compile(r"//127.0.0.1:\d+/(\?.*)?$"), show_four)


async def start(page: Page, url: str, pause: float, guests: int = GUESTS) -> None:
    await page.goto(url)
    await page.get_by_label("Party").fill(PARTY)
    await page.get_by_label("Guests").fill(str(guests))
    await page.get_by_label("Pause").fill(str(pause))
    await page.get_by_role("button", name="Start", exact=True).click()


def rows(guests: int = GUESTS) -> list[str]:
    names = [htmx.NAMES[n % len(htmx.NAMES)] for n in range(guests)]
    return [f"{name} sits at table {n // 4 + 1}." for n, name in enumerate(names)]


@pytest.mark.parametrize("version", [2, 4])
@proves("htmx.org", "a form, progress, chunks, a question, the result")
@proves("htmx-ext-sse", "a reload shows the run")
@proves(
    "htmx4", "hx-sse: a form, progress, chunks, a question, the result", "a reload shows the run"
)
async def test_a_page_without_scripts_shows_a_run_and_answers_its_question(
    page: Page, server: ThreadServer, version: int
) -> None:
    await prepare(page, version)
    await start(page, server.url, pause=0.05)
    await expect(page.locator("progress")).to_have_attribute("max", str(GUESTS))

    await page.reload()
    await expect(page.get_by_role("heading", name="Send the invitations?")).to_be_visible()
    await page.add_script_tag(path=AXE)
    assert await page.evaluate(CHECK) == []
    await page.get_by_label("Send them").check()
    await page.get_by_label("Note").fill("See you!")
    await page.get_by_role("button", name="Answer").click()

    await expect(page.locator("[data-role=result]")).to_contain_text("12 guests are invited.")
    await expect(page.locator("p[data-role=status]")).to_have_text("Completed")
    await expect(page.locator("[data-role=output] p")).to_have_text(rows())
    letter = f"You are invited to {PARTY}. Bring a friend! See you! "
    assert await page.locator(".text").first.text_content() == letter
    await expect(page.get_by_role("button")).to_have_count(0)
    await page.reload()
    await expect(page.locator("[data-role=output] p")).to_have_text(rows())


@pytest.mark.parametrize("version", [2, 4])
@proves("htmx.org", "invalid fields of a form and of an answer")
@proves("htmx4", "invalid fields of a form and of an answer")
async def test_what_is_wrong_is_shown_next_to_its_field_and_nothing_is_lost(
    page: Page, server: ThreadServer, version: int
) -> None:
    await prepare(page, version)
    await start(page, server.url, pause=0, guests=99)

    await expect(page.locator("#invite-guests-error")).to_contain_text("less than or equal to 50")
    await expect(page.get_by_role("alert")).to_contain_text("The input is not valid.")
    await expect(page.get_by_label("Party")).to_have_value(PARTY)
    await page.get_by_label("Guests").fill("1")
    await page.get_by_role("button", name="Send again").click()
    await page.get_by_label("Note").fill("n" * 101)
    await page.get_by_role("button", name="Answer").click()
    await expect(page.get_by_role("alert")).to_contain_text("at most 100 characters")
    await page.get_by_label("Note").fill("")
    await page.get_by_role("button", name="Answer").click()

    await expect(page.locator("[data-role=result]")).to_contain_text("Nobody was invited.")


@pytest.mark.parametrize("version", [2, 4])
@proves("htmx.org", "a button stops the run")
@proves("htmx4", "a button stops the run")
async def test_a_button_stops_the_run(page: Page, server: ThreadServer, version: int) -> None:
    await prepare(page, version)
    await start(page, server.url, pause=2)

    await page.get_by_role("button", name="Stop").click()

    await expect(page.locator("p[data-role=status]")).to_have_text("Stopped")
    await expect(page.get_by_role("button")).to_have_count(0)
    await expect(page.get_by_text("Stopping")).to_have_count(0)


@pytest.mark.parametrize("version", [2, 4])
@proves("htmx-ext-sse", "Last-Event-ID: cut connections lose and repeat nothing")
@proves("htmx4", "hx-sse: cut connections lose and repeat nothing")
async def test_cut_connections_lose_and_repeat_nothing(
    browser: Browser, server: ThreadServer, version: int
) -> None:
    context = await browser.new_context()
    page = await context.new_page()
    await prepare(page, version)
    places.clear()

    async with ChaosProxy(server.port, lambda _: HEALTHY) as proxy:
        await start(page, f"http://127.0.0.1:{proxy.port}/", pause=0.05, guests=30)
        for count in (3, 12):
            await expect(page.locator("[data-role=output] p").nth(count)).to_be_visible()
            proxy.drop_all()
        await page.get_by_role("button", name="Answer").click()
        await expect(page.locator("[data-role=result]")).to_contain_text("Nobody was invited.")

        await expect(page.locator("[data-role=output] p")).to_have_text(rows(30))
    assert places[0] is None
    assert len(places) > 1
    assert None not in places[1:]
    await context.close()
