"""The developer page shows tables, images and Markdown, and trusts nothing in them."""

from collections.abc import Iterator
from typing import Final, Literal

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.test_page import AXE, CHECK
from tests.support.server import ProcessServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZES = {"390": {"width": 390, "height": 844}, "1280": {"width": 1280, "height": 900}}
SVG = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' width='40' height='20'/%3E"
HOSTILE = """
# A <b>title</b>

<img src="x" onerror="document.title = 'owned'"> <script>document.title = "owned"</script>

[script](javascript:document.title='owned') [data](data:text/html,owned) ![far](https://127.0.0.2/a.png)
![page](data:text/html;base64,PGI+) <javascript:alert(1)>

<iframe src="https://127.0.0.2/"></iframe>
"""


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("gallery") / "server.log"
    with ProcessServer("tests.support.gallery:app", log) as server:
        yield server.url


async def run(page: Page, url: str, name: str, **fields: object) -> Locator:
    """Run an action to its end, and return the box of its result."""
    await page.goto(f"{url}/#/action/{name}")
    await expect(page.locator("h1")).to_have_text(name)
    for path, value in fields.items():
        await page.locator(f'#action-form [name="{path}"]').fill(str(value))
    await page.click("button#run")
    await expect(page.locator("article [data-role=status]").first).to_have_text("completed")
    return page.locator("article .result").first


async def test_a_list_of_objects_is_a_table_of_the_schemas_columns(url: str, page: Page) -> None:
    result = await run(page, url, "list_cities", rows=150)

    await expect(result.locator("th")).to_have_text(["name", "people", "area"])
    await expect(result.locator("tbody tr")).to_have_count(100)
    await expect(result.locator("tbody tr").nth(1).locator("td")).to_have_text(
        ["City 1", "1000", "0.3333333333333333"]
    )
    await result.get_by_role("button", name="Show more").click()
    await expect(result.locator("tbody tr")).to_have_count(150)
    await expect(result.get_by_role("button", name="Show more")).to_be_hidden()


async def test_the_json_of_a_value_is_one_press_away(url: str, page: Page) -> None:
    result = await run(page, url, "list_cities", rows=1)
    json = result.locator("[data-role=result]")
    await expect(json).to_be_hidden()

    await result.get_by_role("button", name="Show as JSON").click()

    await expect(json).to_be_visible()
    await expect(json).to_contain_text('"name": "City 0"')
    await expect(result.locator("table")).to_be_hidden()
    await result.get_by_role("button", name="Show as page").click()
    await expect(result.locator("table")).to_be_visible()


async def test_a_value_without_a_view_is_json(url: str, page: Page) -> None:
    result = await run(page, url, "report")

    await expect(result.locator("[data-role=result]")).to_be_visible()
    await expect(result.get_by_role("button", name="Show as")).to_have_count(0)


async def test_the_newest_chunk_is_a_table_too(url: str, page: Page) -> None:
    await page.goto(f"{url}/#/action/grow")
    await page.click("button#run")

    await expect(page.locator("article .chunk tbody tr")).to_have_count(5)


async def test_a_text_that_its_schema_calls_markdown_is_rendered(url: str, page: Page) -> None:
    text = "# One\n\n### Two\n\n*a* **b** `c` [d](/x) &amp;\n\n1. e\n2. f\n\n> g\n\n```py\nh\n```"
    result = await run(page, url, "explain", text=text)

    view = result.locator(".markdown")
    await expect(view.locator("h4")).to_have_text("One")
    await expect(view.locator("h5")).to_have_text("Two")
    await expect(view.locator("p").first).to_have_text("a b c d &")
    await expect(view.locator("strong")).to_have_text("b")
    await expect(view.locator("a")).to_have_attribute("href", f"{url}/x")
    await expect(view.locator("ol > li")).to_have_text(["e", "f"])
    await expect(view.locator("blockquote")).to_have_text("g")
    await expect(view.locator("pre")).to_have_text("h")


async def test_a_text_that_streams_is_rendered_too(url: str, page: Page) -> None:
    await page.goto(f"{url}/#/action/chat")
    await page.click("button#run")
    panel = page.locator("article").first

    await expect(panel.locator(".markdown h4")).to_have_text("Answer")
    await expect(panel.locator(".markdown strong")).to_have_text("forty-two")
    await expect(panel.locator("[data-role=text]")).to_be_hidden()
    link = await panel.locator(".panel-id").get_attribute("href")
    await page.goto("about:blank")
    await page.goto(f"{url}/{link}")
    await expect(panel.locator(".markdown strong")).to_have_text("forty-two")


async def test_markdown_brings_in_neither_html_nor_scripts_nor_another_origin(
    url: str, page: Page
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    result = await run(page, url, "explain", text=HOSTILE)

    view = result.locator(".markdown")
    await expect(view.locator("h4")).to_have_text("A <b>title</b>")
    await expect(view).to_contain_text("<iframe src=")
    await expect(view).to_contain_text("<script>document.title")
    await expect(view.locator("img, script, iframe, a, b")).to_have_count(0)
    assert await page.title() == "explain · Yieldwire"
    assert [address for address in asked if not address.startswith(url)] == []


async def test_no_markdown_holds_the_page_up(url: str, page: Page) -> None:
    for text in ("> " * 20_000 + "deep", "[" * 20_000, "*a " * 20_000, "- " * 5000):
        await run(page, url, "explain", text=text)

        await page.get_by_label("Search runs").fill("still here")
        await expect(page.get_by_label("Search runs")).to_have_value("still here")
        await page.goto("about:blank")


async def test_addresses_are_links_and_files_are_saved(url: str, page: Page) -> None:
    result = await run(page, url, "attach", plot=SVG)

    await expect(result.get_by_role("link", name="https://example.com/a")).to_have_attribute(
        "rel", "noopener noreferrer"
    )
    await expect(result.locator("img")).to_have_attribute("src", SVG)
    async with page.expect_download() as download:
        await result.get_by_role("link", name="Download (text/csv, 9 B)").click()
    saved = await download.value
    assert saved.suggested_filename == "result.csv"
    assert (await saved.path()).read_text("utf-8") == "a,b\n1,2\n"


@pytest.mark.parametrize("source", ["dev/logo.svg", SVG])
async def test_an_image_is_shown_from_its_data_or_from_this_origin(
    url: str, page: Page, source: str
) -> None:
    result = await run(page, url, "draw", source=source)

    picture = result.get_by_role("img", name="A chart of sales")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0


FOREIGN: Final = [
    "https://127.0.0.2/a.png",
    "//127.0.0.2/a.png",
    "data:text/html,<b>x</b>",
    "javascript:alert(1)",
    "file:///etc/hostname",
    "http://",
]


async def test_no_other_address_is_an_image(url: str, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    for source in FOREIGN:
        result = await run(page, url, "draw", source=source)

        await expect(result.locator("[data-role=result]")).to_have_text(source)
        await expect(result.locator("img")).to_have_count(0)
    assert [address for address in asked if not address.startswith(url)] == []


async def test_an_image_that_cannot_be_loaded_says_so(url: str, page: Page) -> None:
    result = await run(page, url, "draw", source="/nothing.png")

    await expect(result).to_contain_text("The image cannot be loaded: /nothing.png")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
async def test_all_views_fit_every_width_and_pass_the_accessibility_check(
    url: str, page: Page, size: dict[str, int], scheme: Literal["light", "dark"]
) -> None:
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.goto(url)  # the next address changes only its hash
    result = await run(page, url, "survey", source=SVG)
    await expect(result.locator(".markdown h4")).to_have_text("Sales")
    await expect(result.locator("dt")).to_have_text(["title", "cities", "summary", "chart"])

    assert await page.evaluate("document.documentElement.scrollWidth") == size["width"]
    await page.evaluate(AXE.read_text("utf-8"))
    assert await page.evaluate(CHECK) == []
