"""The developer page in a real browser: every field and verb, by mouse, by keyboard, on a phone."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Locator, Page, expect

from tests.support.chaos import HEALTHY, ChaosProxy
from tests.support.server import ROOT, ProcessServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

FLOOD = 100_000
UPLOAD_BYTES = 4_000_000
UPLOAD_SPEED = 8_000_000  # bytes in a second

WATCH_THE_UPLOAD = """() => {
    window.seen = [];
    new MutationObserver(() => {
        const bar = document.querySelector("progress[data-role=upload]");
        if (bar?.checkVisibility() && seen.at(-1) !== bar.value) seen.push(bar.value);
    }).observe(document, {subtree: true, childList: true, attributes: true});
}"""

WATCH_THE_FRAMES = """() => {
    const began = performance.now();
    window.frames = {count: 0, rows: 0, gap: 0, began, last: began};
    const look = (now) => {
        frames.count++;
        const {length} = document.querySelectorAll("[data-role=events] [data-seq]");
        frames.rows = Math.max(frames.rows, length);
        frames.gap = Math.max(frames.gap, now - frames.last);
        frames.last = now;
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    log = tmp_path_factory.mktemp("gallery") / "server.log"
    with ProcessServer("tests.support.gallery:app", log) as server:
        yield server


@pytest.fixture
def url(server: ProcessServer) -> str:
    return server.url


async def open_action(page: Page, url: str, name: str, **fields: object) -> None:
    await page.goto(f"{url}/#/action/{name}")
    await expect(page.locator("h1")).to_have_text(name)
    for path, value in fields.items():
        await field(page, path).fill(str(value))


def field(page: Page, path: str) -> Locator:
    return page.locator(f'form#action-form [name="{path}"]')


def status(page: Page) -> Locator:
    """Return the status of the newest run."""
    return page.locator("article [data-role=status]").first


async def result(page: Page) -> Any:  # noqa: ANN401 - what an action ends with is any JSON
    """Wait for the newest run's result."""
    await expect(status(page)).to_have_text("completed")
    return json.loads(await page.locator("[data-role=result]").first.inner_text())


async def test_search_finds_an_action_by_a_word_of_its_docs_and_opens_its_form(
    url: str, page: Page
) -> None:
    await page.goto(url)
    await page.locator("#list a").first.wait_for()

    await page.keyboard.press("/")
    await page.keyboard.type("word by")

    await expect(page.locator("#list li:visible")).to_have_count(1)
    await page.keyboard.press("Enter")
    await expect(page.locator("h1")).to_have_text("write")
    await expect(field(page, "text")).to_be_focused()


async def fill_journey(page: Page) -> None:
    await field(page, "traveller.name").fill("Ada")
    await field(page, "traveller.address.street").fill("Elbe 1")
    await page.get_by_role("button", name="Add emergency").click()
    await field(page, "traveller.emergency.street").fill("Alster 2")
    for place, city in enumerate(["Rome", "Oslo", "Paris"]):
        await page.locator("[data-path=stops] > .field-group > button").click()
        await field(page, f"stops.{place}.city").fill(city)
    await page.get_by_label("Type of by").select_option("Ship")
    await field(page, "by.cabin").fill("C7")
    await page.locator('[data-path="by.guests"] > .field-group > button').click()
    await field(page, "by.guests.0").fill("Grace")
    await field(page, "speed").select_option("fast")
    await field(page, "leaves").fill("2027-03-01")
    await page.get_by_label("Type of budget").select_option("integer")
    await field(page, "budget").fill("900")
    await page.get_by_label("notes is null").check()
    await field(page, "is_return").uncheck()


JOURNEY = {
    "traveller": {
        "name": "Ada",
        "address": {"street": "Elbe 1", "town": "Hamburg"},
        "emergency": {"street": "Alster 2", "town": "Hamburg"},
    },
    "stops": [{"city": city, "nights": 1} for city in ("Rome", "Oslo", "Paris")],
    "by": {"kind": "ship", "cabin": "C7", "guests": ["Grace"]},
    "codes": None,
    "speed": "fast",
    "leaves": "2027-03-01",
    "budget": 900,
    "notes": None,
    "is_return": False,
}


async def test_every_kind_of_field_reaches_the_action_as_it_was_filled_in(
    url: str, page: Page
) -> None:
    await open_action(page, url, "book_journey")
    await fill_journey(page)

    await page.click("button#run")

    assert await result(page) == JOURNEY


async def test_fields_are_the_same_after_they_were_edited_as_json(url: str, page: Page) -> None:
    await open_action(page, url, "book_journey")
    await fill_journey(page)

    await page.get_by_role("button", name="Edit as JSON").click()
    written = json.loads(await page.locator("form textarea[name=_root]").input_value())
    await page.get_by_role("button", name="Edit as form").click()
    await page.click("button#run")

    assert written["by"] == JOURNEY["by"]
    assert await result(page) == JOURNEY


async def test_items_of_a_list_are_moved_and_removed(url: str, page: Page) -> None:
    await open_action(page, url, "book_journey")
    await fill_journey(page)

    await page.get_by_role("button", name="Move up: stops.2").click()
    await expect(page.get_by_role("button", name="Move up: stops.1")).to_be_focused()
    await page.get_by_role("button", name="Remove: stops.0").click()
    await page.click("button#run")

    assert [stop["city"] for stop in (await result(page))["stops"]] == ["Paris", "Oslo"]


async def test_what_can_be_null_is_null_until_it_is_added(url: str, page: Page) -> None:
    await open_action(page, url, "book_journey")
    await fill_journey(page)

    await page.get_by_role("button", name="Add codes (otherwise null)").click()
    await page.locator("[data-path=codes].is-inner > .field-group > button").click()
    await field(page, "codes.0").fill("7")
    await page.get_by_label("notes is null").uncheck()
    await field(page, "notes").fill("")
    await page.click("button#run")

    assert await result(page) == {**JOURNEY, "codes": [7], "notes": ""}


async def test_refused_input_is_told_at_the_fields_it_is_about(url: str, page: Page) -> None:
    await open_action(page, url, "book_journey")
    await field(page, "traveller.name").fill("Ada")
    await page.locator("[data-path=stops] > .field-group > button").click()
    await field(page, "stops.0.nights").fill("31")
    await page.get_by_label("Type of by").select_option("Train")

    await page.click("button#run")

    for path in ("traveller.address.street", "stops.0.city", "stops.0.nights", "by.carriage"):
        message = page.locator(f'[data-path="{path}"] > .field-error')
        await expect(message).to_be_visible()
        await expect(field(page, path)).to_have_attribute("aria-invalid", "true")
    await expect(page.locator(".field-error:visible")).to_have_count(4)
    await expect(field(page, "traveller.address.street")).to_be_focused()
    await expect(status(page)).to_have_text("refused")


async def test_files_are_sent_with_a_bar_that_says_how_far_they_are(
    url: str, page: Page, tmp_path: Path
) -> None:
    for name in ("a.bin", "b.bin"):
        (tmp_path / name).write_bytes(bytes(UPLOAD_BYTES))
    await open_action(page, url, "measure")
    await field(page, "files").set_input_files([tmp_path / "a.bin", tmp_path / "b.bin"])
    await page.evaluate(WATCH_THE_UPLOAD)
    network = await page.context.new_cdp_session(page)
    await network.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    await network.send(
        "Network.emulateNetworkConditions", {**limits, "uploadThroughput": UPLOAD_SPEED}
    )

    await page.click("button#run")

    assert await result(page) == {"a.bin": UPLOAD_BYTES, "b.bin": UPLOAD_BYTES}
    seen: list[int] = await page.evaluate("seen")
    assert len(seen) >= 3
    assert seen == sorted(seen)
    await expect(page.locator("progress[data-role=upload]")).to_be_hidden()


async def test_more_runs_than_a_browser_has_connections_are_followed_side_by_side(
    url: str, page: Page
) -> None:
    await open_action(page, url, "count", to=30, pause=0.05)

    for n in range(1, 9):
        await page.click("button#run")
        await expect(page.locator("article")).to_have_count(n)

    for n in range(8):
        article = page.locator("article").nth(n)
        await expect(article.locator("[data-role=status]")).to_have_text("completed")
        await expect(article.locator("[data-role=result]")).to_have_text("30")
        await expect(article.locator("[data-role=event-count]")).to_have_text("31")
    await expect(page.locator("#runs tbody tr[data-status=completed]").nth(7)).to_be_visible()


async def test_a_run_tells_how_long_its_first_event_took_and_how_fast_they_come(
    url: str, page: Page
) -> None:
    await open_action(page, url, "count", to=20)

    await page.click("button#run")

    await expect(status(page)).to_have_text("completed")
    await expect(page.locator("[data-role=first-event]")).to_have_text(
        re.compile(r"^first event [\d.]+ m?s$")
    )
    await expect(page.locator("[data-role=speed]")).to_have_text(re.compile(r"^[\d.,]+/s$"))
    assert (await page.locator("svg.spark path").get_attribute("d") or "").startswith("M")


async def test_stop_cancels_the_run_and_keeps_what_came(url: str, page: Page) -> None:
    await open_action(page, url, "count", to=10_000)
    await page.click("button#run")
    await expect(page.locator("[data-role=message]")).to_contain_text("of 10000")

    await page.click("[data-role=stop]")

    await expect(status(page)).to_have_text("cancelled")
    await expect(page.locator("[data-role=error]")).to_contain_text("CANCELLED")
    await expect(page.locator("[data-role=message]")).to_contain_text("of 10000")


async def test_delete_forgets_the_run(url: str, page: Page) -> None:
    await open_action(page, url, "count", to=1)
    await page.click("button#run")
    await expect(status(page)).to_have_text("completed")
    run = await page.locator("article").get_attribute("data-run")

    await page.click("[data-role=delete]")

    await expect(page.locator("article")).to_have_count(0)
    assert (await page.request.get(f"{url}/runs/{run}")).status == 404
    await expect(page.locator(f'tr[data-run="{run}"]')).to_have_count(0)


async def test_a_dropped_connection_is_taken_up_where_it_broke(url: str, page: Page) -> None:
    await open_action(page, url, "count", to=60)
    await page.click("button#run")
    await expect(page.locator("[data-role=message]")).to_contain_text("of 60")

    await page.click("[data-role=detach]")
    await expect(status(page)).to_have_text("running, detached")
    await page.click("[data-role=detach]")

    await expect(status(page)).to_have_text("completed")
    await expect(page.locator("[data-role=event-count]")).to_have_text("61")


async def test_a_cut_connection_is_taken_up_without_a_gap(
    server: ProcessServer, page: Page
) -> None:
    async with ChaosProxy(server.port, lambda _: HEALTHY) as proxy:
        await open_action(page, f"http://127.0.0.1:{proxy.port}", "count", to=60)
        await page.click("button#run")
        await expect(page.locator("[data-role=message]")).to_contain_text("of 60")

        proxy.drop_all()

        await expect(status(page)).to_have_text("completed")
        await expect(page.locator("[data-role=event-count]")).to_have_text("61")


async def test_a_reload_shows_the_same_form_and_follows_the_same_runs(url: str, page: Page) -> None:
    await open_action(page, url, "write", pause=0.3)
    await page.click("button#run")
    await expect(page.locator("[data-role=text]")).to_contain_text("The quick")
    await open_action(page, page.url.split("#")[0].rstrip("/"), "count", to=40)
    await page.click("button#run")
    await expect(page.locator("article [data-role=message]").first).to_contain_text("of 40")

    await page.reload()

    await expect(page.locator("h1")).to_have_text("count")
    await expect(page.locator("article")).to_have_count(2)
    for n in range(2):
        await expect(page.locator("article [data-role=status]").nth(n)).to_have_text("completed")
    await expect(page.locator("article [data-role=event-count]").nth(0)).to_have_text("41")
    await expect(page.locator("article [data-role=event-count]").nth(1)).to_have_text("10")


async def test_actions_that_were_changed_are_there_when_the_window_has_the_focus_again(
    url: str, page: Page
) -> None:
    await open_action(page, url, "count", to=77)
    manifest = await (await page.request.get(f"{url}/manifest.json")).json()
    kept = [action for action in manifest["actions"] if action["name"] in {"count", "write"}]
    kept[1]["doc"] = "Write again."
    await page.route("**/manifest.json", lambda route: route.fulfill(json={"actions": kept}))

    await page.evaluate("dispatchEvent(new Event('focus'))")

    await expect(page.locator("#list a")).to_have_count(2)
    await expect(page.locator("#list")).to_contain_text("Write again.")
    await expect(field(page, "to")).to_have_value("77")


async def test_a_link_to_a_run_shows_it_with_its_action(url: str, page: Page) -> None:
    await open_action(page, url, "count", to=2)
    await page.click("button#run")
    await expect(status(page)).to_have_text("completed")
    link = await page.locator(".panel-id").get_attribute("href")

    await page.goto("about:blank")
    await page.goto(f"{url}/{link}")

    await expect(page.locator("h1")).to_have_text("count")
    assert await result(page) == 2
    await expect(page.locator("article")).to_be_focused()


async def test_a_detached_run_continues_without_the_page(url: str, page: Page) -> None:
    await open_action(page, url, "count", to=3)
    await page.check("#detached")
    await expect(page.locator("[data-role=snippet]")).to_contain_text("respond-async")
    await page.click("button#run")
    run = page.locator("article[data-run^=r]")
    run_id = await run.get_attribute("data-run")

    await page.goto("about:blank")

    await page.request.get(f"{url}/runs/{run_id}/events")  # as long as it takes
    snapshot = await (await page.request.get(f"{url}/runs/{run_id}")).json()
    assert (snapshot["detached"], snapshot["result"]) == (True, 3)


async def test_the_call_is_written_down_for_other_languages(url: str, page: Page) -> None:
    await open_action(page, url, "count", to=7)
    snippet = page.locator("[data-role=snippet]")
    await expect(snippet).to_contain_text('{"to":7,"pause":0.05}')

    await page.get_by_role("tab", name="curl").focus()
    await page.keyboard.press("ArrowRight")
    await expect(snippet).to_contain_text("actions.count({ to: 7, pause: 0.05 })")
    await page.keyboard.press("ArrowRight")

    await expect(snippet).to_contain_text('client.start("count", {"to": 7, "pause": 0.05})')


async def test_an_error_of_the_action_is_shown_next_to_what_came_before(
    url: str, page: Page
) -> None:
    await open_action(page, url, "fail")

    await page.click("button#run")

    await expect(status(page)).to_have_text("failed")
    await expect(page.locator("[data-role=error]")).to_contain_text("OUT_OF_CREDIT")
    await expect(page.locator("[data-role=error]")).to_contain_text('"left": 0')
    await expect(page.locator("[data-role=text]")).to_have_text("0 1")


async def test_an_exception_is_shown_with_its_traceback_from_the_users_own_line(
    url: str, page: Page
) -> None:
    await open_action(page, url, "break_down")

    await page.click("button#run")

    debug = page.locator("[data-role=debug]")
    await expect(debug).to_contain_text("Shown in development only")
    await expect(debug.locator(".error-code")).to_have_text("ValueError")
    await expect(debug.locator(".traceback")).to_contain_text("in break_down")
    await expect(debug.locator(".traceback")).not_to_contain_text("attempt.py")


async def test_an_action_is_run_and_stopped_by_keyboard_alone(url: str, page: Page) -> None:
    await page.goto(url)
    await page.locator("#list a").first.wait_for()

    await page.keyboard.press("/")
    await page.keyboard.type("count")
    await page.keyboard.press("Enter")
    await expect(field(page, "to")).to_be_focused()
    await page.keyboard.press("Control+A")
    await page.keyboard.type("5000")
    await page.keyboard.press("Control+Enter")
    await expect(page.locator("[data-role=message]")).to_contain_text("of 5000")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Tab")
    await expect(page.locator("button#run")).to_be_focused()
    await page.keyboard.press("r")
    await expect(page.locator("article")).to_be_focused()
    await page.keyboard.press("s")

    await expect(status(page)).to_have_text("cancelled")
    await expect(page.locator("#announcement")).to_have_text("count: cancelled")


async def test_a_question_mark_lists_the_keys(url: str, page: Page) -> None:
    await page.goto(url)
    await page.locator("#list a").first.wait_for()

    await page.keyboard.press("?")

    await expect(page.get_by_role("dialog")).to_contain_text("Search actions")
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog")).to_be_hidden()


async def test_an_event_is_picked_by_keyboard_and_shown_whole(url: str, page: Page) -> None:
    await open_action(page, url, "count", to=50, pause=0)
    await page.click("button#run")
    await expect(status(page)).to_have_text("completed")

    await page.locator("[data-role=events]").focus()
    await page.keyboard.press("Home")
    await page.keyboard.press("ArrowDown")

    whole = json.loads(await page.locator("[data-role=event]").inner_text())
    assert (whole["seq"], whole["type"], whole["data"]["current"]) == (2, "chunk", 2)
    await expect(page.locator("[data-role=events] [aria-selected=true]")).to_have_attribute(
        "data-seq", "2"
    )


async def test_a_hundred_thousand_events_never_hold_the_page_up(url: str, page: Page) -> None:
    await open_action(page, url, "flood", events=FLOOD)
    await page.evaluate(WATCH_THE_FRAMES)

    await page.click("button#run")
    await expect(status(page)).to_have_text("completed", timeout=60_000)
    count = page.locator("[data-role=event-count]")
    await expect(count).to_contain_text("100,001")
    seen: dict[str, float] = await page.evaluate("({...frames})")

    assert seen["rows"] < 60
    assert seen["count"] > 5
    # Relative to the whole, because how long that takes is the machine's affair.
    assert seen["gap"] < (seen["last"] - seen["began"]) / 3
    await page.get_by_label("Filter events").fill('"row 77777"')
    await expect(count).to_contain_text("1 of 100,001")
    await expect(page.locator("[data-role=events] [data-seq]")).to_have_attribute(
        "data-seq", "77777"
    )


async def test_the_page_keeps_a_limited_number_of_bytes_of_events_and_says_so(
    url: str, page: Page
) -> None:
    await open_action(page, url, "pour", events=40)

    await page.click("button#run")
    await expect(status(page)).to_have_text("completed", timeout=60_000)
    count = await page.locator("[data-role=event-count]").inner_text()

    kept = re.fullmatch(r"41 · the last (\d+) are kept", count)
    assert kept is not None
    assert 30 <= int(kept[1]) <= 40


async def test_nothing_is_wider_than_a_phone(url: str, page: Page) -> None:
    await page.set_viewport_size({"width": 375, "height": 812})
    await open_action(page, url, "book_journey")
    await fill_journey(page)
    await page.click("button#run")
    await result(page)
    await page.locator("#runs tbody tr").first.wait_for()

    assert await page.evaluate("document.documentElement.scrollWidth") == 375

    await page.get_by_role("button", name="Actions").click()
    await page.locator("#list a[data-action=count]").click()
    await expect(page.locator("h1")).to_have_text("count")
    await expect(page.locator("#sidebar")).to_be_hidden()


async def lightness(page: Page) -> int:
    """Return how light the page is, from 0 to 255."""
    colour: str = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(int(part) for part in re.findall(r"\d+", colour)[:3]) // 3


async def test_colours_follow_the_system_until_they_are_chosen(url: str, page: Page) -> None:
    await page.emulate_media(color_scheme="dark")
    await open_action(page, url, "count")
    assert await lightness(page) < 40

    await page.get_by_role("button", name="Colours: system").click()
    assert await lightness(page) > 220
    await page.reload()

    assert await lightness(page) > 220
    await page.get_by_role("button", name="Colours: light").click()
    await page.emulate_media(color_scheme="light")
    assert await lightness(page) < 40


async def test_the_page_asks_nobody_else_and_runs_nothing_inline(url: str, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    answer = await page.goto(url)
    await open_action(page, url, "count", to=1)
    await page.click("button#run")
    await result(page)

    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert {address.startswith(url) for address in asked} == {True}


AXE = ROOT / "typescript/node_modules/axe-core/axe.min.js"

CHECK = """async () => {
    const {violations} = await axe.run(document, {resultTypes: ["violations"]});
    return violations.flatMap(({id, nodes}) => nodes.map(({html}) => `${id}: ${html}`));
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_passes_the_accessibility_check(
    url: str, page: Page, scheme: Literal["light", "dark"]
) -> None:
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await open_action(page, url, "fail")
    await page.click("button#run")
    await expect(status(page)).to_have_text("failed")
    await open_action(page, url, "book_journey")
    await page.click("button#run")
    await expect(page.locator(".field-error:visible").first).to_be_visible()
    await fill_journey(page)
    await page.click("button#run")
    await result(page)
    await page.locator("#runs tbody tr").first.wait_for()

    await page.evaluate(AXE.read_text("utf-8"))

    assert await page.evaluate(CHECK) == []
