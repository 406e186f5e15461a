"""The pages after a plain HTML form, as a visitor meets them: with scripts and without."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Final, Literal
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from jinja2 import Environment
from playwright.async_api import Browser, Page, ViewportSize, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from tests.browser.conftest import PATIENCE_MS
from tests.conftest import Serve
from tests.support.chaos import HEALTHY, ChaosProxy
from tests.support.server import ROOT, ProcessServer
from yieldwire import Actions, Pages, Result, Text

pytestmark = pytest.mark.asyncio(loop_scope="session")

AXE: Final = ROOT / "typescript/node_modules/axe-core/axe.min.js"
CHECK: Final = """async () => {
    const {violations} = await axe.run(document, {resultTypes: ["violations"]});
    return violations.flatMap(({id, nodes}) => nodes.map(({html}) => `${id}: ${html}`));
}"""
SIDEWAYS: Final = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
WIDTHS: Final = {"390": {"width": 390, "height": 844}, "1280": {"width": 1280, "height": 800}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessServer]:
    log = tmp_path_factory.mktemp("desk") / "server.log"
    with ProcessServer("tests.support.desk:app", log) as server:
        yield server


@pytest.fixture
def url(server: ProcessServer) -> str:
    return server.url


@pytest_asyncio.fixture(params=["scripts", "no-scripts"], loop_scope="session")
async def visitor(request: pytest.FixtureRequest, browser: Browser) -> AsyncIterator[Page]:
    """A page with scripts, and one without."""
    context = await browser.new_context(java_script_enabled=request.param == "scripts")
    context.set_default_timeout(PATIENCE_MS)
    yield await context.new_page()
    await context.close()


async def send(page: Page, url: str, action: str, **fields: object) -> None:
    """Fill in a form of the office, and send it."""
    await page.goto(url)
    for name, value in fields.items():
        await page.locator(f"form#{action} [name={name}]").first.fill(str(value))
    await page.locator(f"form#{action} button").click()


def part(page: Page, role: str) -> Any:  # noqa: ANN401 - a locator
    return page.locator(f"[data-role={role}]")


async def expect_status(page: Page, status: str) -> None:
    await expect(page.locator("main")).to_have_attribute("data-status", status)


async def test_a_form_leads_to_progress_that_moves(visitor: Page, url: str) -> None:
    await send(visitor, url, "import_contacts", rows=200, pause=0.5)

    await expect(part(visitor, "status")).to_have_text("Running")
    await expect(part(visitor, "message")).to_contain_text("Importing")
    await expect(part(visitor, "percent")).to_have_text(re.compile("[12]%"))
    seen = await part(visitor, "percent").text_content() or ""
    await expect(part(visitor, "percent")).not_to_have_text(seen)
    assert float(await visitor.locator("progress").get_attribute("value") or 0) > 0


async def test_a_form_leads_to_the_result_and_on(visitor: Page, url: str) -> None:
    await send(visitor, url, "import_contacts", rows=20)
    await expect_status(visitor, "completed")

    await expect(part(visitor, "status")).to_have_text("Completed")
    result = part(visitor, "result")
    await expect(result.locator("th")).to_have_text(["Name", "Email", "Age", "Is new"])
    await expect(result.locator("tbody tr")).to_have_count(6)
    await expect(result.locator("dt")).to_have_text(
        ["Added", "Skipped", "Contacts", "Full report", "Chart"]
    )
    await expect(result.get_by_role("link")).to_have_attribute(
        "href", "https://example.com/reports/2027-03-01"
    )
    assert await result.get_by_role("img").bounding_box() is not None
    await visitor.get_by_role("link", name="Continue").click()
    await expect(visitor.locator("h1")).to_have_text("Contacts")


async def test_a_text_is_read_as_it_comes(visitor: Page, url: str) -> None:
    await send(visitor, url, "write_letter", words=100, pause=0.03)

    await expect(part(visitor, "text")).to_contain_text("Dear Ada,\n\nthe harbour is")
    await expect_status(visitor, "completed")

    said = "the harbour is open again. " * 20
    assert await part(visitor, "text").text_content() == f"Dear Ada,\n\n{said}"


async def test_rows_are_shown_as_a_table_while_they_come(visitor: Page, url: str) -> None:
    await send(visitor, url, "list_ships", ships=60)
    await expect(part(visitor, "output").locator("th")).to_have_text(["Berth", "Ship", "Cargo"])

    await expect_status(visitor, "completed")

    await expect(part(visitor, "output").locator("tbody tr").last).to_have_text(
        "60MS Example 60tea"
    )


async def test_a_run_is_stopped_and_leads_back_to_its_form(visitor: Page, url: str) -> None:
    await send(visitor, url, "wait_for_ship")
    await expect(part(visitor, "text")).to_have_text("Waiting for MS Example")

    await visitor.get_by_role("button", name="Stop").click()

    await expect_status(visitor, "cancelled")
    await expect(part(visitor, "reason")).to_have_text("The run was cancelled.")
    await expect(visitor.get_by_role("button", name="Stop")).to_have_count(0)
    await visitor.get_by_role("link", name="Back").click()
    assert visitor.url == f"{url}/"


async def test_a_run_that_fails_says_why(visitor: Page, url: str) -> None:
    await send(visitor, url, "pay_fee")

    await expect_status(visitor, "failed")

    await expect(part(visitor, "reason")).to_have_text("Your credit does not cover 100 euros.")
    await expect(part(visitor, "code")).to_have_text("OUT_OF_CREDIT")
    await expect(part(visitor, "text")).to_have_text("Asking the bank.")


async def test_a_run_that_breaks_down_shows_no_details(visitor: Page, url: str) -> None:
    await send(visitor, url, "break_down")

    await expect_status(visitor, "failed")

    await expect(part(visitor, "code")).to_contain_text("INTERNAL_ERROR")
    assert "canary" not in await visitor.content()


async def fill_berth(page: Page, url: str) -> None:
    """Send a form with many mistakes."""
    await send(
        page,
        url,
        "book_berth",
        captain="X",
        email="nobody",
        arrives="tomorrow",
        length="long",
        password="canary",
        remarks="Two\nlines",
        passengers="Grace",
        contact='{"name": "Ada"}',
    )
    await expect_status(page, "refused")


async def test_a_form_with_mistakes_is_shown_again_and_can_be_corrected(
    visitor: Page, url: str
) -> None:
    await fill_berth(visitor, url)
    await expect(visitor).to_have_title("Error: Book berth · Harbour Office")
    await expect(visitor.get_by_role("alert").get_by_role("link")).to_have_count(5)
    assert "canary" not in await visitor.content()

    await visitor.get_by_role("alert").get_by_role("link", name="Captain").click()
    assert await visitor.evaluate("document.activeElement.id") == "field-captain"
    field = visitor.get_by_label
    await expect(field("Captain")).to_have_accessible_description(re.compile("^As in the passport"))
    await expect(field("Captain")).to_have_value("X")
    await expect(field("Remarks")).to_have_value("Two\nlines")
    await field("Captain").fill("Grace")
    await field("Email").fill("grace@example.com")
    await field("Arrives").fill("2027-03-01")
    await field("Length in metres").fill("12.5")
    await field("Contact").fill('{"name": "Ada", "email": "ada@example.com"}')
    await field("Cargo").select_option("cocoa")
    await field("Needs pilot").uncheck()
    await visitor.get_by_role("button", name="Send again").click()

    await expect_status(visitor, "completed")
    told = {"Captain": "Grace", "Length": "12.5", "Cargo": "cocoa", "Flag": "\u2013"}
    for name, value in {**told, "Passengers": "Grace", "Needs pilot": "No"}.items():
        shown = part(visitor, "result").locator(f'dt:text-is("{name}") + dd')
        await expect(shown).to_have_text(value)
    await expect(visitor.get_by_role("link", name="Continue")).to_have_attribute(
        "href", "/contacts"
    )
    await expect(visitor.get_by_role("link", name="Back")).to_have_attribute("href", "/")


async def test_a_reload_continues_where_the_run_is(page: Page, url: str) -> None:
    await send(page, url, "write_letter", words=60, pause=0.05)
    await expect(part(page, "text")).to_contain_text("the harbour")

    await page.reload()

    await expect(part(page, "text")).to_contain_text("Dear Ada,\n\nthe harbour is")
    await expect_status(page, "completed")
    said = "the harbour is open again. " * 12
    assert await part(page, "text").text_content() == f"Dear Ada,\n\n{said}"


async def test_a_page_with_scripts_is_never_loaded_again(page: Page, url: str) -> None:
    visited: list[str] = []
    await page.goto(url)
    page.on("framenavigated", lambda frame: visited.append(frame.url))

    await send(page, url, "import_contacts", rows=60, pause=0.05)
    await expect_status(page, "completed")

    assert len([each for each in visited if "/runs/" in each]) == 1
    await expect(page).to_have_title("Import contacts: Completed · Harbour Office")


async def test_a_lost_connection_is_said_and_the_text_has_no_gap(
    page: Page, server: ProcessServer
) -> None:
    async with ChaosProxy(urlsplit(server.url).port or 80, lambda _: HEALTHY) as proxy:
        await send(page, f"http://127.0.0.1:{proxy.port}", "write_letter", words=9999, pause=0.05)
        await expect(part(page, "text")).to_contain_text("the harbour")
        await page.context.set_offline(True)
        proxy.drop_all()

        await expect(part(page, "trouble")).to_contain_text("Reconnecting")
        await page.context.set_offline(False)

        await expect(part(page, "trouble")).to_be_hidden()
        await page.get_by_role("button", name="Stop").click()
        await expect_status(page, "cancelled")
        said = "the harbour is open again. " * 2000
        text = await part(page, "text").text_content()
        assert f"Dear Ada,\n\n{said}".startswith(text or "nothing")


async def test_the_focus_is_not_lost_when_the_run_ends(page: Page, url: str) -> None:
    await send(page, url, "wait_for_ship")
    await page.get_by_role("button", name="Stop").focus()

    await page.keyboard.press("Enter")
    await expect_status(page, "cancelled")

    await expect(page.locator("main")).to_be_focused()


HOSTILE: Final = [
    "<script>document.title = 'taken'</script>",
    "<img src=x onerror=\"document.title = 'taken'\">",
    '"><svg onload="document.title = \'taken\'">',
    "javascript:document.title='taken'",
    "</textarea></title></noscript><script>document.title = 'taken'</script>",
]


async def test_nothing_that_was_entered_runs(visitor: Page, url: str) -> None:
    text = " ".join(HOSTILE)
    await send(visitor, url, "write_letter", to=text, words=1)
    await expect_status(visitor, "completed")
    await expect(part(visitor, "text")).to_contain_text(text)
    await expect(visitor).to_have_title("Write letter: Completed · Harbour Office")

    await send(visitor, url, "book_berth", captain=text, email=text, contact=text, remarks=text)

    await expect(visitor).to_have_title("Error: Book berth · Harbour Office")
    await expect(visitor.get_by_label("Captain")).to_have_value(text)
    await expect(visitor.get_by_label("Remarks")).to_have_value(text)


# The application's own template.


@pytest.fixture
def own(serve: Serve) -> str:
    """Serve an application with a template of its own, and return its address."""
    template = Environment(autoescape=True).from_string(
        '<!doctype html><html lang="en"><head><title>{{ title }}</title>{{ head }}</head>'
        "<body><p id=menu>Menu</p>{{ content }}</body></html>"
    )
    actions = Actions(pages=Pages(template=template.render))

    @actions.action
    async def greet(name: str) -> AsyncIterator[Text | Result[dict[str, str]]]:
        yield Text(f"Hello, {name}")
        yield Result({"name": name})

    async def form(_request: Request) -> HTMLResponse:
        return HTMLResponse(
            '<form id="greet" method="post" action="/x/greet"><input name="name"><button>Go'
        )

    routes = [Route("/", form), Mount("/x", actions)]
    return serve(Starlette(routes=routes, lifespan=actions.lifespan), actions=actions).url


async def test_a_template_of_ones_own_is_followed_like_the_packages(
    visitor: Page, own: str
) -> None:
    await send(visitor, own, "greet", name="<b>Ada</b>")

    await expect_status(visitor, "completed")
    await expect(visitor.locator("#menu")).to_have_text("Menu")
    await expect(part(visitor, "text")).to_have_text("Hello, <b>Ada</b>")
    await expect(part(visitor, "result").locator("dd")).to_have_text("<b>Ada</b>")


# How it looks.


async def completed(page: Page, url: str) -> None:
    await send(page, url, "import_contacts")
    await expect_status(page, "completed")


async def running(page: Page, url: str) -> None:
    await send(page, url, "import_contacts", rows=500, pause=1)
    await expect(part(page, "message")).to_contain_text("Importing")


async def failed(page: Page, url: str) -> None:
    await send(page, url, "pay_fee")
    await expect_status(page, "failed")


async def stopped(page: Page, url: str) -> None:
    await send(page, url, "wait_for_ship")
    await page.get_by_role("button", name="Stop").click()
    await expect_status(page, "cancelled")


async def rows(page: Page, url: str) -> None:
    await send(page, url, "list_ships")
    await expect_status(page, "completed")


async def unknown(page: Page, url: str) -> None:
    await page.goto(f"{url}/api/_actions/runs/r{'0' * 20}")
    await expect_status(page, "refused")


SCENES: Final[dict[str, Callable[[Page, str], Awaitable[None]]]] = {
    each.__name__: each for each in (completed, running, failed, stopped, rows, fill_berth, unknown)
}


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_every_page_is_accessible_and_fits_its_screen(
    page: Page, url: str, scene: str, scheme: Literal["light", "dark"], width: str
) -> None:
    await page.set_viewport_size(ViewportSize(**WIDTHS[width]))  # type: ignore[typeddict-item]
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")

    await SCENES[scene](page, url)
    # A navigation that starts another process of the browser can forget what is emulated.
    await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    await page.wait_for_function(
        "(s) => matchMedia(`(prefers-color-scheme: ${s})`).matches", arg=scheme
    )

    ground: str = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    red = int(re.findall(r"\d+", ground)[0])
    assert (red < 60) is (scheme == "dark")
    assert await page.evaluate(SIDEWAYS) == 0
    await page.evaluate(AXE.read_text("utf-8"))
    assert await page.evaluate(CHECK) == []
