"""The manifest and the OpenAPI document open as pages for people."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Literal

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_page import AXE, CHECK
from tests.support.server import ProcessServer, ThreadServer
from yieldwire import Actions, OpenAPI, Text

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZES = {"390": {"width": 390, "height": 844}, "1280": {"width": 1280, "height": 900}}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("gallery") / "server.log"
    with ProcessServer("tests.support.gallery:app", log) as server:
        yield server.url


async def test_the_manifest_shows_each_action_with_its_fields(url: str, page: Page) -> None:
    await page.goto(url)
    await page.get_by_role("link", name="Manifest").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text("Manifest")
    action = page.get_by_role("region", name="count", exact=True)
    await expect(action).to_contain_text("Count, and say how far it is.")
    await expect(action.locator(".schema > li").first).to_have_text("tointegerdefault 5")
    await expect(page.get_by_role("link", name="manifest.json")).to_have_attribute(
        "href", "manifest.json"
    )

    await action.get_by_role("link", name="count", exact=True).click()

    await expect(page.locator("#action h1")).to_have_text("count")
    await expect(page.locator("#document")).to_be_hidden()


async def test_a_type_that_contains_itself_opens_step_by_step(url: str, page: Page) -> None:
    await page.goto(f"{url}/#/manifest")
    action = page.get_by_role("region", name="count_folders")
    await expect(action.get_by_text("Without slashes.")).to_have_count(0)

    await action.get_by_text("root", exact=True).click()
    await expect(action.get_by_text("Without slashes.")).to_have_count(1)
    await action.get_by_text("folders", exact=True).click()

    await expect(action.get_by_text("Without slashes.")).to_have_count(2)


async def test_openapi_shows_each_operation_with_its_body_and_responses(
    url: str, page: Page
) -> None:
    await page.goto(url)
    await page.get_by_role("link", name="OpenAPI").click()

    await page.get_by_text("/count", exact=True).click()

    await expect(page.get_by_role("heading", level=1)).to_have_text("OpenAPI")
    operation = page.locator("details.folded[open]")
    await expect(operation.locator("h3")).to_have_text(["Parameters", "Body", "Responses"])
    field = operation.locator(".schema > li", has_text="integer")
    await expect(field.first).to_have_text("tointegerdefault 5")
    await operation.get_by_text("200", exact=True).click()
    stream = operation.locator(".media", has_text="text/event-stream")
    await expect(stream.locator(".schema > li > details > summary")).to_have_text(
        ["message", "done", re.compile("run | reset | question")]
    )


async def test_a_reload_and_the_way_back_show_the_same_document(url: str, page: Page) -> None:
    await page.goto(f"{url}/#/openapi")
    await page.reload()
    await expect(page.get_by_role("heading", level=1)).to_have_text("OpenAPI")

    await page.locator("#list a[data-action=count]").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("count")
    await page.go_back()

    await expect(page.get_by_role("heading", level=1)).to_have_text("OpenAPI")


async def test_a_phone_has_the_documents_in_its_menu(url: str, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await page.goto(url)
    await page.get_by_role("button", name="Actions").click()

    await page.get_by_role("link", name="Manifest").click()

    await expect(page.get_by_role("heading", level=1)).to_have_text("Manifest")
    await expect(page.locator("#sidebar")).to_be_hidden()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
async def test_documents_fit_every_width_and_pass_the_accessibility_check(
    url: str, page: Page, size: dict[str, int], scheme: Literal["light", "dark"]
) -> None:
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.goto(f"{url}/#/manifest")
    await page.evaluate(AXE.read_text("utf-8"))

    for name, title in (("manifest", "Manifest"), ("openapi", "OpenAPI")):
        await page.goto(f"{url}/#/{name}")
        await expect(page.get_by_role("heading", level=1)).to_have_text(title)
        await page.locator("#document details > summary").first.click()

        assert await page.evaluate("document.documentElement.scrollWidth") == size["width"]
        assert await page.evaluate(CHECK) == []


async def test_swagger_ui_shows_the_document_and_calls_an_action(page: Page) -> None:
    actions = Actions(openapi=OpenAPI(title="Shop", page=True))

    @actions.action
    async def greet(name: str = "Ada") -> AsyncIterator[Text]:
        """Greet somebody."""
        yield Text(f"Hello, {name}.")

    foreign: list[str] = []
    with ThreadServer(actions, actions=actions) as server:
        page.on("request", lambda request: foreign.append(request.url))
        await page.goto(f"{server.url}/openapi.html")
        await page.get_by_text("Greet somebody.").click()
        await page.get_by_role("button", name="Try it out").click()
        await page.get_by_role("button", name="Execute").click()

        await expect(page.locator(".live-responses-table")).to_contain_text("Hello, Ada.")
        await expect(page.locator(".version-stamp").last).to_have_text("OAS 3.2")

    assert await page.title() == "Shop"
    assert [url for url in foreign if not url.startswith((server.url, "data:"))] == []
