"""The check of the project's prose, which `make lint` runs."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.style import ROOT, UNCHECKED, WORDS, check, files_of_prose, findings

SENTENCES = [
    "It is no job queue.",
    "Whoever reads it waits.",
    "The page shows who asks.",
    "The run begins anew.",
    "The file is kept beside the database.",
    "The message stands at its field.",
    "Wait so many seconds.",
    "It shall end.",
    "The input is to be validated.",
    "A reader may leave.",
    "Addresses are parted by commas.",
    "It lets go of the connection.",
    "It ends as ever.",
    "It waits for ever.",
    "The run goes on without readers.",
    "A connection is taken up again.",
    "It resumes behind its cursor.",
    "The worker hears of the cancel.",
    "The run is nobody's.",
    "It is written all the same.",
    "The log thus has no gap.",
    "It can simply be repeated.",
    "Enter an e-mail address.",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_of_avoided_words_is_found_with_its_line(sentence: str) -> None:
    found = list(findings("page.md", f"# A page\n\nA plain sentence.\n{sentence}\n"))

    assert [(finding.file, finding.line) for finding in found] == [("page.md", 4)]
    assert str(found[0]) == f"page.md:4: {found[0].words} → {found[0].instead}"


def test_every_entry_of_the_list_finds_something() -> None:
    instead = {finding.instead for each in SENTENCES for finding in findings("page.md", each)}

    assert instead == set(WORDS.values())


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("page.md", "It is\nno job queue."),
        ("module.py", "    # It is\n    # no job queue."),
        ("client.ts", "/**\n * It is\n * no job queue.\n */"),
        ("client.ts", "// It is\n// no job queue."),
    ],
)
def test_words_are_found_over_a_line_break(file: str, text: str) -> None:
    assert [finding.words.lower() for finding in findings(file, text)] == ["is no"]


@pytest.mark.parametrize(
    "sentence",
    [
        "There is no such run.",
        "The run is no longer read.",
        "A server MAY wait until May.",
        "The run may have ended long ago.",
        "The value of `stands` is `anew`.",
        "A standard is understood.",
    ],
)
def test_plain_sentences_and_code_are_not_found(sentence: str) -> None:
    assert list(findings("page.md", sentence)) == []


def test_the_files_that_people_read_are_checked() -> None:
    files = {str(path.relative_to(ROOT)) for path in files_of_prose()}

    assert {"README.md", "docs/reference/cli.md", "src/yieldwire/cli/display.py"} <= files
    assert {"typescript/src/client.ts", "src/yieldwire/devtools/static/index.html"} <= files
    assert files.isdisjoint(UNCHECKED)
    assert not any("node_modules" in file for file in files)


def test_the_check_fails_where_a_file_has_avoided_words(tmp_path: Path) -> None:
    copy = tmp_path / "tests"
    copy.mkdir()
    copy.joinpath("style.py").write_text(Path(ROOT, "tests/style.py").read_text("utf-8"), "utf-8")
    page = tmp_path / "README.md"
    page.write_text("A plain page.\n", "utf-8")

    def run() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "tests/style.py"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout

    assert run() == (0, "")

    page.write_text("A plain page.\nIt is no tutorial.\n", "utf-8")

    assert run() == (1, "README.md:2: is no → 'is not a'; only 'there is no' is plain\n")


def test_the_projects_prose_avoids_the_words() -> None:
    assert check(files_of_prose()) == []
