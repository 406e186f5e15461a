"""The conformance matrix: which client, which version, which feature, and the test that proves it.

A test of a published client names what it proves: ``@proves("nuxt-actions", "stop")``. The page
``docs/reference/clients.md`` is made of these names by ``python -m tests.vendor.conformance``.
"""

import importlib
import json
from collections import defaultdict
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Final, TypeVar

T = TypeVar("T", bound=Callable[..., object])

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parent.parent
PAGE: Final = ROOT / "docs" / "reference" / "clients.md"
ELSEWHERE: Final = (
    "tests.browser.test_ai_sdk",
    "tests.browser.test_htmx",
    "tests.cli.test_agents",
    "tests.durability.test_agent_restarts",
)
"""The tests of published clients in other folders."""
PYTHON: Final = ("a2a-sdk", "mcp")
"""The packages that are clients in Python, of the tests' own environment."""
_START, _END = "<!-- matrix -->\n", "<!-- end of matrix -->\n"

_proved: Final[dict[str, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(list))
"""For each package the features, and the tests that prove each."""


def proves(package: str, *features: str) -> Callable[[T], T]:
    """Say which features of a published package a test proves.

    Args:
        package: The package's name in ``package.json``; a version of several is an alias there. Or
            that of a package in Python.
        features: What a user of the package would call each of them.
    """

    def note(test: T) -> T:
        place = f"{test.__module__.rpartition('.')[2]}::{test.__name__}"
        for feature in features:
            if place not in _proved[package][feature]:
                _proved[package][feature].append(place)
        return test

    return note


def versions() -> dict[str, str]:
    """Return the name and the version of each package, by the name that it is installed under."""
    wanted = json.loads((HERE / "package.json").read_text())["dependencies"]
    told = dict[str, str]()
    for name, version in wanted.items():
        alias = version.removeprefix("npm:")
        told[name] = " ".join(alias.rsplit("@", 1)) if alias != version else f"{name} {version}"
    for name in PYTHON:
        told[name] = f"{name} {metadata.version(name)} for Python"
    return told


def matrix() -> str:
    """Return the matrix as Markdown, of every test in this folder, and of those elsewhere."""
    for file in sorted(HERE.glob("test_*.py")):
        importlib.import_module(f"tests.vendor.{file.stem}")
    for name in ELSEWHERE:
        importlib.import_module(name)
    known = versions()
    lines = ["| Client | Feature | Proved by |", "| --- | --- | --- |"]
    for package, features in sorted(_proved.items()):
        # By file, because pytest imports the files in an order of its own.
        for feature, tests in sorted(features.items(), key=lambda each: each[1][0].split("::")[0]):
            places = ", ".join(f"`{each}`" for each in tests)
            lines.append(f"| {known[package]} | {feature} | {places} |")
    return "\n".join(["", *lines, "", ""])


def page() -> str:
    """Return the page as it has to be: its own text, with the current matrix in it."""
    before, _, rest = PAGE.read_text("utf-8").partition(_START)
    _, _, after = rest.partition(_END)
    return before + _START + matrix() + _END + after


if __name__ == "__main__":
    # As the tests import this module: they register what they prove there.
    current = importlib.import_module("tests.vendor.conformance")
    PAGE.write_text(current.page(), "utf-8")
