"""The developer page's forms: what they keep, and what a phone shows of them."""

from collections.abc import Iterator

import pytest
from playwright.async_api import Browser, FilePayload, Locator, Page, expect

from tests.support.server import ProcessServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
each_size = pytest.mark.parametrize("size", [PHONE, DESK], ids=["390", "1280"])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("gallery") / "server.log"
    with ProcessServer("tests.support.gallery:app", log) as server:
        yield server.url


async def open_action(page: Page, url: str, name: str) -> None:
    await page.goto(f"{url}/#/action/{name}")
    await expect(page.locator("h1")).to_have_text(name)


def field(page: Page, path: str) -> Locator:
    return page.locator(f'form#action-form [name="{path}"]')


async def test_values_are_there_again_after_a_reload(url: str, page: Page) -> None:
    await open_action(page, url, "book_journey")
    await field(page, "traveller.name").fill("Ada")
    await page.locator("[data-path=stops] > .field-group > button").click()
    await field(page, "stops.0.city").fill("Rome")
    await page.get_by_label("notes is null").check()
    await page.check("#detached")

    await page.reload()

    await expect(field(page, "traveller.name")).to_have_value("Ada")
    await expect(field(page, "stops.0.city")).to_have_value("Rome")
    await expect(page.get_by_label("notes is null")).to_be_checked()
    await expect(page.locator("#detached")).to_be_checked()
    await open_action(page, url, "count")
    await expect(field(page, "to")).to_have_value("5")


async def test_reset_brings_the_defaults_back_for_good(url: str, page: Page) -> None:
    await open_action(page, url, "count")
    await field(page, "to").fill("77")

    await page.get_by_role("button", name="Reset").click()

    await expect(field(page, "to")).to_have_value("5")
    await page.reload()
    await expect(field(page, "to")).to_have_value("5")


async def test_a_value_is_forgotten_when_its_field_has_changed(url: str, page: Page) -> None:
    await open_action(page, url, "count")
    await field(page, "to").fill("77")
    await field(page, "pause").fill("0.5")
    manifest = await (await page.request.get(f"{url}/manifest.json")).json()
    (count,) = [action for action in manifest["actions"] if action["name"] == "count"]
    count["input"]["properties"]["to"]["maximum"] = 10
    await page.route("**/manifest.json", lambda route: route.fulfill(json=manifest))

    await page.reload()

    await expect(field(page, "to")).to_have_value("5")
    await expect(field(page, "pause")).to_have_value("0.5")


async def test_passwords_are_not_kept(url: str, page: Page) -> None:
    await open_action(page, url, "sign_in")
    await field(page, "name").fill("Ada")
    await field(page, "password").fill("tell-nobody")

    await page.reload()

    await expect(field(page, "name")).to_have_value("Ada")
    await expect(field(page, "password")).to_have_value("")
    assert "tell-nobody" not in await page.evaluate("JSON.stringify(localStorage)")


async def test_on_a_phone_another_action_is_in_view_when_it_is_chosen(url: str, page: Page) -> None:
    await page.set_viewport_size({"width": 390, "height": 844})
    await open_action(page, url, "count")
    await page.click("button#run")
    await expect(page.locator("article [data-role=status]")).to_have_text("completed")
    await page.locator("#runs").scroll_into_view_if_needed()
    await expect(page.locator("h1")).not_to_be_in_viewport()

    await page.get_by_role("button", name="Actions").click()
    await page.locator("#list a[data-action=write]").click()

    await expect(page.locator("h1")).to_have_text("write")
    await expect(page.locator("h1")).to_be_in_viewport()
    await expect(page.locator("#action")).to_be_focused()


@each_size
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_command_is_cut_off(
    url: str, page: Page, size: dict[str, int], scheme: str
) -> None:
    await page.set_viewport_size(size)  # type: ignore[arg-type]
    await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    await open_action(page, url, "write")
    await field(page, "text").fill("A long text without an end. " * 20)
    await page.click("button#run")
    await page.get_by_text("Follow it from a terminal").click()

    for name in ("curl", "TypeScript", "Python"):
        await page.get_by_role("tab", name=name).click()
        assert await page.locator("pre.curl").evaluate_all(
            "boxes => boxes.map((box) => box.scrollWidth - box.clientWidth)"
        ) == [0, 0]


async def test_progress_is_not_said_twice(url: str, page: Page) -> None:
    await open_action(page, url, "count")

    await page.click("button#run")

    await expect(page.locator("article [data-role=status]")).to_have_text("completed")
    await expect(page.locator("[data-role=message]").first).to_have_text("5 of 5")
    await expect(page.locator("[data-role=message] + .progress-label")).to_have_text("100 %")


async def test_a_question_takes_files_here_and_on_the_runs_page_without_scripts(
    url: str, page: Page, browser: Browser
) -> None:
    scan: FilePayload = {"name": "one.jpg", "mimeType": "image/jpeg", "buffer": b"JPEG"}
    await open_action(page, url, "exhibit")
    await page.get_by_role("button", name="Run").click()
    question = page.locator("[data-role=question]")
    await question.get_by_label("label").fill("A")
    await question.get_by_label("scan").set_input_files(scan)
    await question.get_by_role("button", name="Answer").click()
    await expect(question).to_contain_text("And another")
    run_id = await page.locator("article").get_attribute("data-run")

    plain = await browser.new_page(java_script_enabled=False)
    await plain.goto(f"{url}/runs/{run_id}")
    await plain.get_by_label("Label").fill("B")
    await plain.get_by_label("Scan").set_input_files(scan)
    await plain.get_by_role("button", name="Answer").click()

    await expect(page.locator("article")).to_contain_text("A: one.jpg, 4, B: one.jpg, 4")
    await plain.close()
