"""The README's two blocks, a file and a page, do together what they say."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin

import pytest
from playwright.async_api import Page, expect

from tests.docs.blocks import ROOT, blocks
from tests.support.server import announced

pytestmark = pytest.mark.asyncio(loop_scope="session")

README = ROOT / "README.md"
COMMAND = "yieldwire dev app.py --static ."


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """Serve the file and the page by the README's command, and give the page's address."""
    [python], [html] = blocks(README, "python"), blocks(README, "html")
    (tmp_path / "app.py").write_text(python.code)
    (tmp_path / "index.html").write_text(html.code)
    assert f"`{COMMAND}`" in README.read_text("utf-8")
    command = [sys.executable, "-m", "yieldwire.cli", *COMMAND.split()[1:], "--port", "0"]
    with announced(command, tmp_path, os.environ) as address:
        yield urljoin(address, "/")


async def test_the_page_of_the_readme_shows_the_progress_of_its_action(
    page: Page, url: str
) -> None:
    bar = page.locator("#bar")

    await page.goto(url)

    await expect(bar).to_have_attribute("max", "50")
    first = await bar.get_attribute("value")
    await expect(bar).to_have_attribute("value", "50")
    assert 0 < float(first or 0) < 50
