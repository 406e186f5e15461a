"""Record the moving pictures of the documents from the product itself: ``make recordings``.

They are ``docs/media/terminal.svg``, the example of the README in a terminal, and
``docs/media/page.webp``, the demo in a browser while its server is killed.
"""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Page, ViewportSize, sync_playwright

from website.terminal import Terminal

ROOT: Final = Path(__file__).parent.parent
MEDIA: Final = ROOT / "docs" / "media"
CHROMIUM: Final = "/usr/bin/chromium-headless-shell"
PORT: Final = 8766
SIZE: Final[ViewportSize] = {"width": 900, "height": 560}
EVERY: Final = 0.1
"""Seconds between two looks at the page."""
LONGEST: Final = 700
"""Milliseconds to which a moment in which nothing changes is shortened."""
LAST: Final = 3000
"""Milliseconds for which the last moment is shown before everything starts again."""


def terminal(folder: Path) -> str:
    """Call the README's action, and that of a guide, which asks something."""
    folder.joinpath("app.py").write_text(_example("README.md"), "utf-8")
    folder.joinpath("publish.py").write_text(_example("docs/guides/ask-a-person.md"), "utf-8")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    screen = Terminal(folder, {"PATH": path})
    try:
        screen.watch(60, "$")
        screen.type("yieldwire call app.py count to=20")
        screen.watch(60, "\n$")
        screen.watch(1)
        screen.type("yieldwire call publish.py publish draft='We ship on Monday.'")
        for answer in ("y", "Well done."):
            screen.watch(60, ": ")
            screen.watch(1.5)
            screen.type(answer)
        screen.watch(60, "published")
        screen.watch(2)
    finally:
        screen.close()
    return screen.picture()


def _example(page: str) -> str:
    """Return the first Python block of a page."""
    text = ROOT.joinpath(page).read_text("utf-8")
    return text.partition("```python\n")[2].partition("```")[0]


class Film:
    """What a page shows, moment by moment."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._moments: list[tuple[float, bytes]] = []

    def watch(self, seconds: float, until: str | None = None) -> None:
        """Look at the page for some time, or until an element that a selector names is there."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self._page.screenshot(type="png")
            if not self._moments or self._moments[-1][1] != shown:
                self._moments.append((time.monotonic(), shown))
            if until is not None and self._page.locator(until).count():
                return
            time.sleep(EVERY)
        if until is not None:
            raise TimeoutError(f"{until} was not shown in {seconds} seconds.")

    def write(self, file: Path) -> None:
        """Write everything that was shown as one animated WebP."""
        times = [moment for moment, _ in self._moments]
        lasted = [min(round(1000 * (b - a)), LONGEST) for a, b in pairwise(times)]
        pictures = [Image.open(BytesIO(shown)).convert("RGB") for _, shown in self._moments]
        pictures[0].save(
            file,
            save_all=True,
            append_images=pictures[1:],
            duration=[*lasted, LAST],
            loop=0,
            quality=60,
            method=6,
            minimize_size=True,
        )


@contextmanager
def demo(folder: Path) -> Generator[None]:
    """Serve the demo as ``make demo`` does, until a signal that it cannot catch."""
    env = {
        "AIRPORTS_DATABASE": str(folder / "airports.db"),
        "DEMO_STORE": f"sqlite:///{folder}/demo.db",
    }
    command = [sys.executable, "-m", "yieldwire.cli", "dev", "examples/demo.py", "--no-reload"]
    server = subprocess.Popen(  # noqa: S603 - our own
        [*command, "--port", str(PORT)], cwd=ROOT, env={**os.environ, **env}
    )
    try:
        while True:
            with suppress(OSError), socket.create_connection(("127.0.0.1", PORT), 1):
                break
            time.sleep(EVERY)
        yield
    finally:
        server.kill()
        server.wait()


def page(folder: Path, film: Film, shown: Page) -> None:
    """Import a file in the demo, kill its server in the middle, and start it again."""
    with demo(folder):
        shown.goto(f"http://127.0.0.1:{PORT}/api/_actions/#/action/import_airports")
        shown.locator("form#action-form [name=pace]").fill("0.01")
        film.watch(1)
        shown.locator("button#run").click()
        film.watch(30, "progress[data-role=progress][value]")
        film.watch(3)
    film.watch(2)
    with demo(folder):
        film.watch(90, 'article [data-role=status]:text-is("completed")')
        film.watch(1)


def main() -> None:
    """Write all recordings."""
    MEDIA.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        MEDIA.joinpath("terminal.svg").write_text(terminal(Path(folder)), "utf-8")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        shown = browser.new_page(viewport=SIZE, color_scheme="dark")
        film = Film(shown)
        page(Path(folder), film, shown)
        film.write(MEDIA / "page.webp")
        browser.close()


if __name__ == "__main__":
    main()
