"""The pages of `examples/web` in a real browser: in React, in Vue and without a framework.

Each is what a build makes of it, served by one server, and what stands between the two is
sometimes kind and sometimes not.
"""

import asyncio
from collections.abc import AsyncIterator
from itertools import count
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, Request, expect

from tests.support.chaos import HEALTHY, ChaosProxy
from tests.support.command import CommandServer
from tests.support.nginx import Nginx
from tests.support.server import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANSWER: Final = "That is what you wrote. A real answer would come from a model, at about this pace."
COMPRESSES: Final = "gzip on; gzip_types text/event-stream;"
HOLDS_BACK: Final = COMPRESSES + "proxy_ignore_headers X-Accel-Buffering;"
APP: Final = "examples.web.app:app"
PATHS: Final = {"plain": "", "react": "react/", "vue": "vue/"}
TABS: Final = 8
CUTS: Final = 8

WATCH_THE_BAR: Final = """() => {
    window.seen = [];
    new MutationObserver(() => {
        const { value } = document.querySelector("progress");
        if (window.seen.at(-1) !== value) window.seen.push(value);
    }).observe(document.querySelector("progress"), {attributes: true});
}"""


class Front:
    """One of the pages, as somebody uses it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.imports, self.chat, self.news, self.order = (
            page.locator(f"#{name}") for name in ("import", "chat", "news", "order")
        )
        self.bar = self.imports.locator("progress")

    async def open(self, url: str) -> "Front":
        await self.page.goto(url)
        await expect(self.news.locator("li").first).to_be_visible()
        return self

    async def start_import(self, rows: int) -> None:
        lines = [f"{name},{name}@example.com" for name in names(rows)]
        await self.import_file("\n".join(["name,email", *lines]))

    async def import_file(self, text: str) -> None:
        file = {"name": "contacts.csv", "mimeType": "text/csv", "buffer": text.encode()}
        await self.imports.locator("input").set_input_files(file)  # type: ignore[arg-type]
        await self.page.evaluate(WATCH_THE_BAR)
        await press(self.imports, "Import")

    async def say(self, message: str) -> None:
        await self.chat.get_by_label("Message").fill(message)
        await press(self.chat, "Send")

    async def wait_for_rows(self, least: int) -> None:
        row = self.imports.locator(f"li[value='{least}']")
        await expect(row).to_be_attached()

    async def rows(self) -> list[str]:
        """Return the imported rows in the order in which they came."""
        return (await self.imports.locator("li").all_inner_texts())[::-1]

    async def seen(self) -> list[float]:
        """Return the values that the bar has had since the import was started here."""
        seen: list[float] = await self.page.evaluate("seen")
        return seen


def names(rows: int) -> list[str]:
    return [f"row{number}" for number in range(1, rows + 1)]


async def press(section: Locator, button: str) -> None:
    await section.get_by_role("button", name=button, exact=True).click()


async def expect_status(section: Locator, status: str) -> None:
    await expect(section).to_have_attribute("data-status", status)


def answer_to(message: str) -> str:
    return f"“{message}” {ANSWER}"


@pytest.fixture(params=PATHS)
def path(request: pytest.FixtureRequest) -> str:
    path = PATHS[request.param]
    built = ROOT / "examples/web/dist" / path / "index.html"
    assert not path or built.exists(), "`make examples/web/dist` builds the pages"
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[CommandServer]:
    folder = tmp_path_factory.mktemp("pages")
    with CommandServer(APP, folder / "log", {"RUNS": str(folder / "runs.db")}) as server:
        await server.wait_until_listening()
        yield server
        server.kill()  # the feed's readers have left, and nobody waits for it


@pytest.fixture
async def url(server: CommandServer, path: str) -> str:
    return f"http://127.0.0.1:{server.port}/{path}"


@pytest.fixture
async def mortal(tmp_path: Path) -> AsyncIterator[CommandServer]:
    """Serve the pages by a server that may be killed."""
    with CommandServer(APP, tmp_path / "log", {"RUNS": str(tmp_path / "runs.db")}) as server:
        await server.wait_until_listening()
        yield server
        server.kill()


async def test_an_import_moves_its_bar_to_the_result(page: Page, url: str) -> None:
    front = await Front(page).open(url)

    await front.start_import(30)
    await expect_status(front.imports, "done")

    await expect(front.imports.get_by_role("status")).to_have_text("30 imported, 0 skipped.")
    seen = await front.seen()
    assert len(seen) >= 5
    assert (seen, seen[-1]) == (sorted(seen), 100)
    assert await front.rows() == names(30)


async def test_another_tab_shows_the_import_and_stops_it(page: Page, url: str) -> None:
    front = await Front(page).open(url)
    await front.start_import(400)
    await front.wait_for_rows(5)
    other = await Front(await page.context.new_page()).open(url)
    await other.wait_for_rows(5)

    await press(other.imports, "Stop")

    for each in (front, other):
        await expect_status(each.imports, "cancelled")
        await expect(each.imports.get_by_role("status")).to_have_text("Stopped.")
    rows = await front.rows()
    assert rows == names(len(rows))
    assert rows == await other.rows()


async def test_a_reload_goes_on_where_the_import_and_the_answer_are(page: Page, url: str) -> None:
    front = await Front(page).open(url)
    await front.say("one two three four five six seven eight nine ten")
    await front.start_import(60)
    await front.wait_for_rows(10)
    before = await front.bar.get_attribute("value")

    await page.reload()
    await front.wait_for_rows(10)
    after = await front.bar.get_attribute("value")

    assert float(after or 0) >= float(before or 0) > 0
    await expect_status(front.imports, "done")
    assert await front.rows() == names(60)
    await expect(front.chat.locator(".answer")).to_have_text(
        answer_to("one two three four five six seven eight nine ten")
    )


async def test_a_run_that_the_server_has_forgotten_is_forgotten_by_the_page(
    page: Page, url: str
) -> None:
    front = await Front(page).open(url)
    await page.evaluate("localStorage.setItem('import', 'r'.repeat(21))")

    await page.reload()
    await page.wait_for_function("localStorage.getItem('import') === null")
    await page.reload()

    await expect_status(front.imports, "idle")


async def test_an_answer_is_stopped_and_keeps_its_words(page: Page, url: str) -> None:
    front = await Front(page).open(url)
    message = " ".join(names(200))
    await front.say(message)
    await expect(front.chat.locator(".answer")).to_contain_text("row5 ")

    await press(front.chat, "Stop")

    await expect_status(front.chat, "cancelled")
    said = await front.chat.locator(".answer").inner_text()
    assert said.startswith("“row1 row2 row3")
    assert answer_to(message).startswith(said.strip())


async def test_a_file_that_cannot_be_imported_is_refused_with_its_code(
    page: Page, url: str
) -> None:
    front = await Front(page).open(url)

    await front.import_file("first,last")

    await expect(front.imports.get_by_role("status")).to_have_text(
        "contacts.csv is no CSV file with the columns name and email. (NOT_A_CSV)"
    )
    await expect_status(front.imports, "error")


async def test_what_is_wrong_stands_at_its_field_and_a_code_has_its_own_words(
    page: Page, url: str
) -> None:
    front = await Front(page).open(url)
    field, said = front.order.get_by_label, front.order.get_by_role("status")

    await field("E-mail").fill("nobody")
    await field("Quantity").fill("40")
    await press(front.order, "Order")

    await expect(field("E-mail")).to_have_attribute("aria-invalid", "true")
    await expect(front.order.locator("label", has_text="E-mail")).to_contain_text(
        "no e-mail address"
    )
    await expect(front.order.locator("label", has_text="Quantity")).to_contain_text("equal to 10")
    await expect(field("Product")).not_to_have_attribute("aria-invalid", "true")

    await field("Name").fill("Ada")
    await field("E-mail").fill("ada@example.com")
    await field("Quantity").fill("4")
    await field("Product").select_option("cocoa")
    await press(front.order, "Order")
    await expect(said).to_have_text("Sold out. Take something else.")
    await expect(field("E-mail")).not_to_have_attribute("aria-invalid", "true")

    await field("Product").select_option("tea")
    await press(front.order, "Order")
    await expect(said).to_have_text("4 x tea for Ada")


async def test_a_killed_server_leaves_each_page_in_the_right_state(
    page: Page, path: str, mortal: CommandServer
) -> None:
    front = await Front(page).open(f"http://127.0.0.1:{mortal.port}/{path}")
    message = " ".join(names(60))
    await front.say(message)
    await front.start_import(400)
    await front.wait_for_rows(10)

    mortal.kill()
    mortal.start()

    # An import is not begun twice by itself; an answer is asked for again, from its first word.
    await expect_status(front.imports, "error")
    await expect(front.imports.get_by_role("status")).to_contain_text("(INTERRUPTED)")
    rows = await front.rows()
    assert rows == names(len(rows))
    assert len(rows) >= 10
    await expect_status(front.chat, "done")
    await expect(front.chat.locator(".answer")).to_have_text(answer_to(message))


async def test_many_cuts_lose_and_repeat_nothing(
    page: Page, path: str, server: CommandServer
) -> None:
    async with ChaosProxy(server.port, lambda _: HEALTHY) as proxy:
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
        assert proxy.connections > CUTS


async def test_a_page_that_was_offline_goes_on_when_it_is_online(
    page: Page, path: str, server: CommandServer
) -> None:
    async with ChaosProxy(server.port, lambda _: HEALTHY) as proxy:
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
    page: Page, path: str, server: CommandServer, tmp_path: Path
) -> None:
    async with Nginx(server.port, tmp_path, COMPRESSES) as nginx:
        front = await Front(page).open(nginx.url + path)
        await front.start_import(60)
        await expect_status(front.imports, "done")

        assert len(await front.seen()) >= 5  # the import is over before anybody would poll
        assert await front.rows() == names(60)


async def test_behind_a_proxy_that_holds_streams_back_the_page_polls(
    page: Page, path: str, server: CommandServer, tmp_path: Path
) -> None:
    polls = polls_of(page)
    async with Nginx(server.port, tmp_path, HOLDS_BACK) as nginx:
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


async def test_eight_tabs_are_none_of_them_stuck(page: Page, url: str) -> None:
    pages = [page, *[await page.context.new_page() for _ in range(TABS - 1)]]
    fronts: list[Front] = []

    for number, each in zip(count(1), pages, strict=False):
        front = await Front(each).open(url)
        await front.say(f"tab {number} " + " ".join(names(40)))
        fronts.append(front)

    for number, front in enumerate(fronts, 1):
        await expect(front.chat.locator(".answer")).to_have_text(
            answer_to(f"tab {number} " + " ".join(names(40)))
        )
        await expect_status(front.chat, "done")
