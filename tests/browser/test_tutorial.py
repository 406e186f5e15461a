"""The page of the front end tutorial, as its blocks make it: what it shows, and how it looks."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import urljoin

import pytest
from playwright.async_api import Page, expect

from tests.browser.test_page import AXE, CHECK
from tests.docs.blocks import DOCS, FENCE, ROOT
from tests.support.server import announced

pytestmark = pytest.mark.asyncio(loop_scope="session")

TYPESCRIPT = ROOT / "typescript"
TEMPLATE = {  # as Vite's template has them
    "main.tsx": """
import { createRoot } from "react-dom/client";
import "./index.css";
import App from "./App.tsx";
createRoot(document.getElementById("root")!).render(<App />);
""",
    "dist/index.html": """<!doctype html>
<html lang="en"><head><meta charset="UTF-8" /><link rel="icon" href="data:," />
<meta name="viewport" content="width=device-width, initial-scale=1.0" /><title>web</title>
<link rel="stylesheet" href="main.css" /></head>
<body><div id="root"></div><script type="module" src="main.js"></script></body></html>
""",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the tutorial, with its page built."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "dist").mkdir()
    for _, code in FENCE.findall((DOCS / "tutorial/front-end.md").read_text("utf-8")):
        if named := re.match(r"(?:#|//|/\*) (\w+\.\w+)", code):
            (folder / named[1]).write_text(code)
    for name, code in TEMPLATE.items():
        (folder / name).write_text(code)
    subprocess.run(
        [
            str(TYPESCRIPT / "node_modules/.bin/esbuild"),
            str(folder / "main.tsx"),
            f"--outfile={folder / 'dist/main.js'}",
            "--bundle",
            "--format=esm",
            "--jsx=automatic",
            "--log-level=error",
            f"--alias:yieldwire={TYPESCRIPT / 'src/index.ts'}",
            f"--alias:yieldwire/react={TYPESCRIPT / 'src/react.ts'}",
        ],
        env={**os.environ, "NODE_PATH": str(TYPESCRIPT / "node_modules")},
        check=True,
    )
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    command = ["dev", "app.py", "--static", "dist", "--port", "0"]
    with announced(
        [sys.executable, "-m", "yieldwire.cli", *command], folder, os.environ
    ) as address:
        yield urljoin(address, "/")


async def send(page: Page, title: str, pages: int) -> None:
    await page.fill("[name=title]", title)
    await page.fill("[name=pages]", str(pages))
    await page.get_by_role("button", name="Print").click()


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_its_window_and_can_be_read(
    page: Page, url: str, width: int, scheme: Literal["light", "dark"]
) -> None:
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 640})
    await page.goto(url)

    await send(page, "ab", 60)
    title, error = (
        page.locator("[name=title]"),
        page.locator("label", has_text="Title").locator("small"),
    )
    await expect(error).to_have_text(re.compile("at least 3 characters"))

    field, told = await title.bounding_box(), await error.bounding_box()
    assert field is not None
    assert told is not None
    assert 0 <= told["y"] - field["y"] - field["height"] < 16
    card = await page.locator("main").bounding_box()
    assert card is not None
    assert card["x"] >= 16
    assert abs(card["x"] - (width - card["x"] - card["width"])) <= 1  # in the middle
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await page.evaluate(AXE.read_text("utf-8"))
    assert await page.evaluate(CHECK) == []


async def test_the_run_is_found_again_after_a_reload_and_can_be_stopped(
    page: Page, url: str
) -> None:
    await page.goto(url)
    status = page.locator("[role=status]")

    await send(page, "A book of hours", 150)
    await expect(status).to_have_text(re.compile(r"Page \d+"))
    await page.reload()
    await expect(status).to_have_text(re.compile(r"Page \d+"))
    await page.get_by_role("button", name="Stop").click()
    await expect(status).to_have_text("Stopped.")

    await send(page, "A book of hours", 170)
    await expect(status).to_have_text("Please refill the paper.")
    await send(page, "A book of hours", 1)
    await expect(status).to_have_text("A book of hours has 1 pages.")
