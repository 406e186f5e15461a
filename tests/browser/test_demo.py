"""The demo in a real browser: its developer page, its feed, its form without scripts."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import airportsdata
import pytest
from playwright.async_api import Page, expect

from tests.conftest import ServeProcess
from tests.support.chaos import HEALTHY, ChaosProxy
from tests.support.server import ROOT, ProcessServer, announced

pytestmark = pytest.mark.asyncio(loop_scope="session")

AIRPORTS = Path(airportsdata.__file__).with_name("airports.csv")
TICKS = 60

WATCH_THE_BAR = """() => {
    window.seen = [];
    new MutationObserver(() => {
        for (const bar of document.querySelectorAll("progress[data-role=progress][value]"))
            if (window.seen.at(-1) !== bar.value) window.seen.push(bar.value);
    }).observe(document, {subtree: true, childList: true, attributeFilter: ["value"]});
}"""

LISTEN = """(address) => {
    window.ticks = [], window.ends = 0, window.breaks = 0;
    window.source = new EventSource(address);
    source.onmessage = (event) => ticks.push(JSON.parse(event.data).n);
    source.addEventListener("done", () => ends++);
    source.onerror = () => breaks++;
}"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve what `make demo` serves, and give its address."""
    folder = tmp_path_factory.mktemp("demo")
    program = [sys.executable, "-m", "yieldwire.cli", "dev", "examples/demo.py"]
    # Restarted, because somebody saved a file, it would lose the runs that the tests look at.
    command = [*program, "--port", "0", "--no-reload"]
    env = {
        **os.environ,
        "AIRPORTS_DATABASE": str(folder / "airports.db"),
        "DEMO_STORE": f"sqlite:///{folder}/demo.db",
    }
    with announced(command, ROOT, env) as address:
        yield address


async def test_a_file_is_uploaded_and_its_progress_bar_moves_to_the_result(
    demo: str, page: Page
) -> None:
    await page.goto(f"{demo}#/action/import_airports")
    await page.locator("form#action-form input[name=file]").set_input_files(AIRPORTS)

    await page.fill("form#action-form [name=pace]", "0.002")
    await page.evaluate(WATCH_THE_BAR)
    await page.click("button#run")

    await expect(page.locator("[data-role=result]")).to_contain_text('"airports": 28')
    await expect(page.locator("[data-role=result]")).to_contain_text('"country": "US"')
    seen: list[float] = await page.evaluate("seen")
    assert len(seen) >= 5
    assert seen == sorted(seen)


async def test_a_text_is_typed_onto_the_page(demo: str, page: Page) -> None:
    await page.goto(f"{demo}#/action/typewriter")
    await page.fill("form#action-form [name=text]", "word <b>by</b> word")

    await page.click("button#run")

    await expect(page.locator("[data-role=text]")).to_have_text("word <b>by</b> word")
    await expect(page.locator("article [data-role=status]")).to_have_text("completed")


async def test_a_batch_is_stopped_by_its_button(demo: str, page: Page) -> None:
    await page.goto(f"{demo}#/action/write_invoices")
    await page.click("button#run")
    await page.locator("progress[data-role=progress][value]").wait_for()

    await page.click("[data-role=stop]")

    await expect(page.locator("article [data-role=status]")).to_have_text("cancelled")
    await expect(page.locator("[data-role=error]")).to_contain_text("CANCELLED")


async def test_a_report_shows_the_progress_of_the_whole_and_its_chapters_below_it(
    demo: str, page: Page
) -> None:
    await page.goto(f"{demo}#/action/write_report")
    await page.fill("form#action-form [name=pause]", "0.01")
    await page.evaluate(WATCH_THE_BAR)

    await page.click("button#run")
    await expect(page.locator("[data-role=result]")).to_contain_text("8 chapters, 136 words")
    await page.wait_for_function("seen.at(-1) === 8")  # the bar is painted at its own pace
    seen: list[float] = await page.evaluate("seen")
    whole = page.locator("#runs tr", has_text="write_report")
    await whole.get_by_role("button", name="8 children").click()

    assert seen == sorted(seen)
    assert await page.locator("article progress[data-role=progress]").get_attribute("max") == "8"
    await expect(page.locator('#runs tr[data-depth="1"]')).to_have_count(8)


async def test_an_event_source_survives_a_cut_without_a_gap_and_stays_closed_at_the_end(
    demo: str, page: Page
) -> None:
    port = urlsplit(demo).port or 80
    async with ChaosProxy(port, lambda _: HEALTHY) as proxy:
        await page.goto(demo.replace(str(port), str(proxy.port)) + "manifest.json")
        await page.evaluate(LISTEN, f"clock?every=0.05&ticks={TICKS}")
        await page.wait_for_function("ticks.length > 5")

        proxy.drop_all()
        await page.wait_for_function("source.readyState === EventSource.CLOSED")

        heard: dict[str, Any] = await page.evaluate("({ticks, ends, breaks})")
    assert heard["ticks"] == list(range(1, TICKS + 1))
    assert heard["ends"] == 1
    assert heard["breaks"] == 3  # the cut, the end of the body, and the 204


@pytest.fixture
def form(serve_process: ServeProcess, tmp_path: Path) -> ProcessServer:
    """Serve the page with the plain form."""
    database = str(tmp_path / "airports.db")
    return serve_process("examples.plain_form:app", AIRPORTS_DATABASE=database)


async def test_a_form_without_scripts_ends_on_a_page_that_follows_the_run_to_its_result(
    form: ProcessServer, page_without_scripts: Page
) -> None:
    page = page_without_scripts
    visited: list[str] = []
    page.on("framenavigated", lambda frame: visited.append(frame.url))

    await page.goto(form.url)
    await page.set_input_files("input[name=file]", AIRPORTS)
    await page.click("button")
    await expect(page.locator("main")).to_have_attribute("data-status", "completed")

    await expect(page.locator("[data-role=result]")).to_contain_text("Airports28")
    assert page.url.startswith(f"{form.url}/api/_actions/runs/r")
    assert visited.count(page.url) >= 2  # it came to its result by asking again


async def test_the_page_after_a_form_follows_the_run_live_where_scripts_run(
    form: ProcessServer, page: Page
) -> None:
    await page.goto(form.url)
    await page.click("button")
    await page.wait_for_url("**/runs/*")
    await page.evaluate(WATCH_THE_BAR)

    await expect(page.locator("main")).to_have_attribute("data-status", "completed")

    await expect(page.locator("[data-role=result]")).to_contain_text("Airports28")
    seen: list[float] = await page.evaluate("seen")  # gone, had the page loaded itself again
    assert len(seen) >= 5
    assert seen == sorted(seen)


async def test_the_page_after_a_form_has_a_button_that_stops_the_run(
    form: ProcessServer, page_without_scripts: Page
) -> None:
    page = page_without_scripts
    await page.goto(form.url)
    await page.click("button")
    await page.wait_for_url("**/runs/*")

    await page.click("[data-role=stop] button")

    await expect(page.locator("main")).to_have_attribute("data-status", "cancelled")
