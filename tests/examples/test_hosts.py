"""The example projects: their own tests pass, and they stay as small as they say."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.hosts import FOLDER, HOSTS, environment, run

MOST_LINES = 60
MOST_MOUNTING_LINES = 3
APART = ("test_app.py", "tests.py", "migrations")
MOUNTING = ("mount(", "ActionsPlugin", "yieldwire.integrations", "plugin", "YIELDWIRE_ACTIONS")

pytestmark = pytest.mark.timeout(300)  # processes that import a framework, an ORM and an SDK


@pytest.mark.parametrize("host", [host for host in HOSTS if host != "django"])
def test_the_tests_of_a_project_pass_in_its_own_folder(host: str, tmp_path: Path) -> None:
    loop = "asyncio_default_fixture_loop_scope=function"

    told = run(
        host,
        environment(host, tmp_path),
        *("-W", "error", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", "/dev/null"),
        *("--rootdir", ".", "-o", loop, "test_app.py"),
    )

    assert " passed" in told


def test_the_tests_of_the_django_project_pass(tmp_path: Path) -> None:
    told = run("django", environment("django", tmp_path), "-W", "error", "manage.py", "test")

    assert "Ran 2 tests" in told


@pytest.mark.parametrize("host", HOSTS)
def test_a_project_is_small_and_almost_nothing_of_it_is_about_mounting(host: str) -> None:
    lines = [line for file in sources(host) for line in code_of(file)]

    about_mounting = [line for line in lines if any(word in line for word in MOUNTING)]

    assert len(lines) <= MOST_LINES
    assert len(about_mounting) <= MOST_MOUNTING_LINES, about_mounting


def sources(host: str) -> Iterator[Path]:
    for file in sorted((FOLDER / host).rglob("*.py")):
        if not any(part in APART for part in file.parts):
            yield file


def code_of(file: Path) -> list[str]:
    """Return the lines of a file that do something: no imports, no docstrings, no comments."""
    text = file.read_text("utf-8")
    apart = set[int]()
    for node in ast.walk(ast.parse(text)):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_import = isinstance(node, (ast.Import, ast.ImportFrom))
        if (is_text or is_import) and isinstance(node, ast.stmt):
            apart |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return [
        line
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and number not in apart and not line.lstrip().startswith("#")
    ]
