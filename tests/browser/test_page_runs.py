"""The developer page's runs: found by any word, repeated, stopped, each with its facts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.test_page import AXE, CHECK
from tests.support.server import ProcessServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

SIZES = {"390": {"width": 390, "height": 844}, "1280": {"width": 1280, "height": 900}}


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("gallery") / "server.log"
    with ProcessServer("tests.support.gallery:app", log) as server:
        yield server.url


async def start(page: Page, url: str, name: str, **fields: object) -> Locator:
    """Run an action from its form, and return the run's panel when it has an id."""
    await page.goto(f"{url}/#/action/{name}")
    await expect(page.locator("h1")).to_have_text(name)
    for path, value in fields.items():
        await page.locator(f'#action-form [name="{path}"]').fill(str(value))
    await page.click("button#run")
    panel = page.locator("article[data-run^=r]").first
    await panel.wait_for()
    return panel


def row(page: Page, run_id: str | None) -> Locator:
    return page.locator(f'#runs tr[data-run="{run_id}"]')


async def test_a_run_that_continues_from_its_saved_place_shows_what_counts(
    url: str, page: Page
) -> None:
    panel = await start(page, url, "recover")

    await expect(panel.locator("[data-role=status]")).to_have_text("completed")
    await expect(panel.locator("[data-role=text]")).to_have_text("saved continued")
    await expect(panel.locator("[data-type=restarted]")).to_be_visible()


async def test_a_shared_feed_is_stopped_for_all_of_its_readers(url: str, page: Page) -> None:
    panel = await start(page, url, "tick", every=0.11)
    await expect(panel.locator("[data-seq]").nth(3)).to_be_visible()

    await panel.locator("[data-role=stop]").click()

    await expect(panel.locator("[data-role=status]")).to_have_text("cancelled")
    await expect(panel.locator("[data-role=error]")).not_to_contain_text("FORBIDDEN")


async def test_a_webhook_that_was_given_up_is_shown_with_the_reason_and_sent_again(
    url: str, page: Page
) -> None:
    panel = await start(page, url, "report", topic="tides", days=3)
    webhooks = panel.locator("[data-role=webhooks]")
    await expect(webhooks.locator("summary")).to_contain_text("1 given up")

    await webhooks.locator("summary").click()
    await expect(webhooks.locator("li")).to_contain_text(
        "run.ended to https://127.0.0.1/…: given up after 1 try: the host has no address"
    )
    await webhooks.get_by_role("button", name="Send now").click()

    await expect(webhooks.locator("li")).to_contain_text("given up after 2 tries")


async def test_a_run_is_repeated_with_its_own_input_not_that_of_the_form(
    url: str, page: Page
) -> None:
    panel = await start(page, url, "report", topic="tides", days=3)
    await expect(panel.locator("[data-role=status]")).to_have_text("completed")
    await page.reload()
    await page.fill("#action-form [name=topic]", "stars")
    first = await panel.get_attribute("data-run")

    await panel.locator("[data-role=again]").click()

    await expect(page.locator("article")).to_have_count(2)
    again = page.locator("article").first
    await expect(again.locator("[data-role=result]")).to_contain_text('"topic": "tides"')
    await expect(again.locator("[data-role=result]")).to_contain_text('"days": 3')
    assert await again.get_attribute("data-run") != first
    await expect(page.locator("#action-form [name=topic]")).to_have_value("stars")


async def test_a_run_is_repeated_with_integers_that_a_browser_cannot_count(
    url: str, page: Page
) -> None:
    panel = await start(page, url, "add_one", number=9007199254740993)
    await expect(panel.locator("[data-role=result]")).to_have_text("9007199254740994")
    await page.reload()
    await expect(panel.locator("[data-role=result]")).to_have_text("9007199254740994")
    # The run's action is known only once its entry in the list has arrived too.
    await expect(panel.locator("[data-role=again]")).to_be_visible()

    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("a")

    await expect(page.locator("article")).to_have_count(2)
    await expect(panel.locator("[data-role=result]")).to_have_text("9007199254740994")


async def test_a_run_with_files_is_repeated_with_the_files_that_the_page_has(
    url: str, page: Page, tmp_path: Path
) -> None:
    (tmp_path / "a.bin").write_bytes(b"12345")
    await page.goto(f"{url}/#/action/measure")
    await page.set_input_files("#action-form [name=files]", tmp_path / "a.bin")
    await page.click("button#run")
    panel = page.locator("article").first
    await expect(panel.locator("[data-role=status]")).to_have_text("completed")

    await panel.locator("[data-role=again]").click()

    await expect(page.locator("article")).to_have_count(2)
    await expect(panel.locator("[data-role=result]")).to_contain_text('"a.bin": 5')

    await page.reload()
    await page.locator("article [data-role=again]").first.click()

    await expect(page.locator("#action-form [name=files]")).to_be_focused()
    await expect(page.locator("article")).to_have_count(2)


async def test_the_input_of_a_run_is_edited_in_the_form(url: str, page: Page) -> None:
    panel = await start(page, url, "report", topic="tides", days=3)
    await expect(panel.locator("[data-role=status]")).to_have_text("completed")
    link = await panel.locator(".panel-id").get_attribute("href")
    await page.goto("about:blank")
    await page.goto(f"{url}/#/action/count")
    await page.goto(f"{url}/{link}")

    await panel.get_by_text("Input").click()
    await expect(panel.locator("[data-role=input]")).to_have_text('{ "topic": "tides", "days": 3 }')
    await panel.get_by_role("button", name="Edit in the form").click()

    await expect(page.locator("h1")).to_have_text("report")
    await expect(page.locator("#action-form [name=topic]")).to_have_value("tides")
    await expect(page.locator("#action-form [name=topic]")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES.values(), ids=list(SIZES))
async def test_owner_labels_and_input_of_a_run_are_shown_and_not_cut_off(
    url: str, page: Page, size: dict[str, int], scheme: str
) -> None:
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
    await page.goto(url)
    await page.get_by_text("Authorization", exact=True).click()
    await page.fill("#authorization", "Bearer alice")
    await page.keyboard.press("Escape")
    await expect(page.locator("#authorization")).to_be_hidden()
    panel = await start(page, url, "report", topic="tides")

    listed = row(page, await panel.get_attribute("data-run"))

    for part in (panel, listed):
        await expect(part.locator(".owner")).to_have_text("alice")
        await expect(part.locator(".label").first).to_have_text("nightly")
        await expect(part.locator(".label").first).to_be_visible()
        await expect(part.locator("code.brief")).to_have_text('{"topic":"tides","days":7}')
    await expect(page.locator("#runs th", has_text="Labels")).to_have_count(0)
    assert await page.evaluate("document.documentElement.scrollWidth") == size["width"]
    assert (
        await page.locator(".runs .scroll").evaluate("box => box.scrollWidth - box.clientWidth")
        == 0
    )
    await page.evaluate(AXE.read_text("utf-8"))
    assert await page.evaluate(CHECK) == []


async def test_runs_are_found_by_what_is_far_inside_their_input(url: str, page: Page) -> None:
    needle = f"{'x' * 400} needle"
    panel = await start(page, url, "report", topic=needle)
    await expect(panel.locator("[data-role=status]")).to_have_text("completed")
    run_id = await panel.get_attribute("data-run")
    await start(page, url, "count", to=1)

    await page.get_by_label("Search runs").fill("REPORT Needle")

    await expect(row(page, run_id)).to_be_visible()
    await expect(page.locator("#runs tbody tr")).to_have_count(1)
    await page.get_by_label("Show runs that are").select_option("failed")
    await expect(page.get_by_text("No run matches the search.")).to_be_visible()
    await page.get_by_label("Search runs").fill("")
    await page.get_by_label("Show runs that are").select_option("all")
    await expect(row(page, run_id)).to_be_visible()


async def test_a_search_finds_runs_that_the_list_has_not_loaded(url: str, page: Page) -> None:
    headers = {"content-type": "application/json", "prefer": "wait=5"}
    first = await page.request.post(f"{url}/report", headers=headers, data='{"topic":"oldest one"}')
    for n in range(60):
        await page.request.post(f"{url}/report", headers=headers, data=f'{{"topic":"new {n}"}}')
    await page.goto(url)
    await page.locator("#runs tbody tr").first.wait_for()
    run_id = first.headers["run-id"]
    await expect(row(page, run_id)).to_have_count(0)

    await page.get_by_label("Search runs").fill("oldest one")

    await expect(row(page, run_id)).to_be_visible()


async def test_a_run_that_blocks_the_loop_says_at_which_line(url: str, page: Page) -> None:
    panel = await start(page, url, "block")

    await expect(panel.locator("[data-role=blocked]")).to_contain_text("tests/support/gallery.py:")
    await expect(panel.locator("[data-role=blocked]")).to_contain_text(
        "declare the action with def"
    )
    await panel.locator("[data-role=stop]").click()
    await expect(panel.locator("[data-role=status]")).to_have_text("cancelled")
    await expect(row(page, await panel.get_attribute("data-run"))).to_contain_text(
        "blocked the loop"
    )


async def test_children_are_below_their_parent_and_lead_to_it(url: str, page: Page) -> None:
    panel = await start(page, url, "add_to_all", numbers=2)
    await expect(panel.locator("[data-role=status]")).to_have_text("completed")
    parent_id = await panel.get_attribute("data-run")
    fold = row(page, parent_id).locator("button.fold")
    children = page.locator('#runs tr[data-depth="1"]')
    await expect(fold).to_have_text("2 children")
    await expect(children).to_have_count(0)

    await fold.click()

    await expect(children).to_have_count(2)
    await children.first.locator("a.parent").click()
    await expect(page.locator(f'article[data-run="{parent_id}"]')).to_be_visible()

    await fold.click()

    await expect(children).to_have_count(0)
