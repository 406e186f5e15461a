"""The README's two blocks, a file and a page, do together what they say."""

import pytest
from playwright.async_api import Page, expect
from starlette.applications import Starlette
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from tests.conftest import Serve
from tests.docs.blocks import ROOT, blocks
from yieldwire import Actions

pytestmark = pytest.mark.asyncio(loop_scope="session")

README = ROOT / "README.md"


@pytest.fixture
def url(serve: Serve) -> str:
    """Serve the file and the page, and give their address."""
    [python], [html] = blocks(README, "python"), blocks(README, "html")
    namespace: dict[str, Actions] = {}
    exec(python.code, namespace)  # noqa: S102 - the README is ours
    actions, answer = namespace["actions"], HTMLResponse(html.code)
    app = Starlette(routes=[Route("/", lambda _: answer), Mount("/api/_actions", actions)])
    return serve(app, actions=actions).url


async def test_the_page_of_the_readme_shows_the_progress_of_its_action(
    page: Page, url: str
) -> None:
    bar = page.locator("#bar")

    await page.goto(url)

    await expect(bar).to_have_attribute("max", "50")
    first = await bar.get_attribute("value")
    await expect(bar).to_have_attribute("value", "50")
    assert 0 < float(first or 0) < 50
