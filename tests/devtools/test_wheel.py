"""What a user installs: the wheel in an environment of its own serves the developer page."""

import re
import subprocess
import sys
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.parse import urljoin

import httpx2
import pytest

from tests.support.server import ROOT, announced

APP: Final = """
from yieldwire import Actions

actions = Actions()

@actions.action
async def greet(name: str = "you") -> str:
    return f"Hello, {name}."
"""

NAMED: Final = re.compile(
    r'(?:src|href|from|import)\s*[=(]?\s*"((?:\.{0,2}/)?[\w./]+\.(?:js|css|svg))"'
)
"""Addresses of files, in a page and in what it loads."""

MEDIA_TYPES: Final = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def run(*command: object) -> int:
    """Run a command at the top of the checkout to its end, and return its status."""
    texts = [str(part) for part in command]
    return subprocess.run(texts, check=False, capture_output=True, cwd=ROOT).returncode


def pins() -> str:
    """Return the locked versions without their hashes, which a wheel made here cannot have."""
    locked = (ROOT / "requirements/dev.txt").read_text("utf-8")
    return "\n".join(re.findall(r"^[\w.\[\]-]+==[^\\\n]+", locked, re.MULTILINE))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel, install it with what the tutorial asks for, and return the programs."""
    folder = tmp_path_factory.mktemp("wheel")
    assert run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder) == 0
    (wheel,) = folder.glob("*.whl")
    constraints = folder / "constraints.txt"
    constraints.write_text(pins(), "utf-8")
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    python = folder / "venv/bin/python"
    wanted = ("-q", "-c", constraints, f"yieldwire[cli] @ {wheel.as_uri()}")
    uv = Path(sys.executable).with_name("uv")
    # pip is asked where uv fails: some machines tell only pip where packages come from.
    if run(uv, "pip", "install", "--python", python, *wanted) != 0:
        assert run(sys.executable, "-m", "pip", "--python", python, "install", *wanted) == 0
    return python.parent


@pytest.fixture
def page(installed: Path, tmp_path: Path) -> Iterator[str]:
    """Serve an application from a folder that knows nothing of this checkout, and give its page."""
    (tmp_path / "app.py").write_text(APP, "utf-8")
    command = [str(installed / "yieldwire"), "dev", "app.py", "--port", "0", "--no-reload"]
    with announced(command, tmp_path, {}) as address:
        yield address


def test_the_wheel_alone_serves_the_page_and_all_that_it_loads(page: str) -> None:
    answer = httpx2.get(page)
    assert answer.status_code == 200
    to_load, loaded = [(page, answer.text)], dict[str, str]()

    while to_load:
        base, text = to_load.pop()
        for address in {urljoin(base, name) for name in NAMED.findall(text)} - loaded.keys():
            answer = httpx2.get(address)
            media_type = answer.headers["content-type"].partition(";")[0]
            assert (address, answer.status_code) == (address, 200)
            assert media_type == MEDIA_TYPES[address.rpartition(".")[2]]
            loaded[address] = answer.text
            to_load.append((address, answer.text))

    static = ROOT / "src/yieldwire/devtools/static"
    shipped = {file.name for file in static.iterdir()} - {"index.html"}
    names = {address.removeprefix(page) for address in loaded}
    assert names == {*(f"dev/{name}" for name in shipped), "client.js"}


def test_the_wheel_alone_serves_the_browser_client_as_it_was_built(page: str) -> None:
    built = ROOT / "src/yieldwire/asgi/static/client.js"

    assert httpx2.get(f"{page}client.js").text == built.read_text("utf-8")


def test_the_wheel_alone_runs_an_action(page: str) -> None:
    answer = httpx2.post(
        f"{page}greet", json={"name": "Ada"}, headers={"accept": "application/json"}
    )

    assert answer.json()["result"] == "Hello, Ada."
