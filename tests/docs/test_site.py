"""The documentation site: what becomes a page, what its check finds, and its versions.

``make site`` builds the real one, and fails if its check finds anything.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import DOCS, ROOT
from website.links import problems
from website.pages import navigation, pages
from website.reference import reference
from website.versions import publish


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with a document that links to a source file and to a folder."""
    files = {
        "README.md": "[start](docs/README.md)\n\n```md\n[code](nowhere.md)\n```\n",
        "docs/README.md": "[file](../examples/app.py), [folder](../deploy)\n\n|`x \\| y`|\n",
        "examples/app.py": "answer = 42\n",
        "deploy/web.yaml": "kind: web\n",
        "deploy/secret.env": "",
    }
    for name, text in files.items():
        tmp_path.joinpath(name).parent.mkdir(exist_ok=True)
        tmp_path.joinpath(name).write_text(text, "utf-8")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)  # noqa: S607 - any git
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)  # noqa: S607 - the same
    tmp_path.joinpath("deploy/untracked.yaml").write_text("kind: secret\n", "utf-8")
    return tmp_path


def test_what_a_document_links_to_is_a_page_that_shows_it(checkout: Path) -> None:
    found = pages(checkout)

    assert found.keys() == {
        "README.md",
        "docs/README.md",
        "examples/app.py.md",
        "deploy/README.md",
    }
    assert "[file](../examples/app.py.md), [folder](../deploy/README.md)" in found["docs/README.md"]
    assert "````python\nanswer = 42\n````" in found["examples/app.py.md"]
    assert "kind: web" in found["deploy/README.md"]
    assert "secret" not in found["deploy/README.md"]


def test_an_unpacked_sdist_has_the_same_pages(checkout: Path) -> None:
    expected = pages(checkout).keys()
    shutil.rmtree(checkout / ".git")
    checkout.joinpath("deploy/untracked.yaml").unlink()

    found = pages(checkout)

    assert found.keys() == expected
    assert "kind: web" in found["deploy/README.md"]


def test_a_line_in_the_code_of_a_table_needs_no_backslash(checkout: Path) -> None:
    assert "|`x | y`|" in pages(checkout)["docs/README.md"]


def test_every_document_is_in_the_navigation() -> None:
    nav = json.dumps(navigation(DOCS.joinpath("README.md").read_text("utf-8"), []))

    every = {str(page.relative_to(ROOT)) for page in DOCS.rglob("*.md")} - {"docs/README.md"}
    assert {page for page in every if f'"{page}"' not in nav} == set()


def test_the_generated_reference_has_every_name_that_is_listed_by_its_path() -> None:
    generated = {
        name for page in reference().values() for name in re.findall(r"::: ([\w.]+)", page)
    }
    modules = {name.rpartition(".")[0] for name in generated}

    listed: set[str] = set()
    for line in DOCS.joinpath("reference/names.md").read_text("utf-8").splitlines():
        if line.startswith("| `yieldwire."):
            first, *others = re.findall(r"`([\w.]+)", line.split("|")[1])
            listed |= {first, *(f"{first.rpartition('.')[0]}.{name}" for name in others)}

    assert len(listed) > 20
    assert listed - generated - modules == set()


@pytest.mark.parametrize(
    ("html", "found"),
    [
        ('<a href="other/#there">', []),
        ('<a href="https://example.com/">', []),
        ('<a href="missing/">', ["missing/ leads nowhere"]),
        ('<a href="../index.html">', ["../index.html leads nowhere"]),
        ('<a href="other/#gone">', ["other/#gone names an anchor that is not on its page"]),
        ('<a href="#gone">', ["#gone names an anchor that is not on its page"]),
        ('<img src="missing.png">', ["missing.png leads nowhere"]),
        (
            '<link rel="stylesheet" href="https://fonts.example/">',
            ["https://fonts.example/ is loaded from another server"],
        ),
    ],
)
def test_the_check_of_the_site_finds_what_leads_nowhere(
    tmp_path: Path, html: str, found: list[str]
) -> None:
    site = tmp_path / "site"
    site.joinpath("other").mkdir(parents=True)
    site.joinpath("index.html").write_text(html, "utf-8")
    site.joinpath("other/index.html").write_text('<h1 id="there">There</h1>', "utf-8")
    tmp_path.joinpath("index.html").touch()

    assert problems(site) == [f"index.html: {each}" for each in found]


def test_the_start_page_of_all_versions_leads_to_the_latest_release(tmp_path: Path) -> None:
    built, folder = tmp_path / "built", tmp_path / "site"
    built.mkdir()

    for text, version in [("1", "dev"), ("2", "0.9"), ("3", "0.10"), ("4", "0.9")]:
        built.joinpath("index.html").write_text(text, "utf-8")
        publish(built, version, folder)

    listed = json.loads(folder.joinpath("versions.json").read_text("utf-8"))
    assert [(each["version"], each["aliases"]) for each in listed] == [
        ("0.10", ["latest"]),
        ("0.9", []),
        ("dev", []),
    ]
    assert 'url=0.10/"' in folder.joinpath("index.html").read_text("utf-8")
    assert folder.joinpath("0.9/index.html").read_text("utf-8") == "4"
