"""What must and what must not type-check, for both checkers, on the lines that say so."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
CASES = sorted((Path(__file__).parent / "cases").glob("*.py"))


def expected(case: Path) -> set[int]:
    """Return the numbers of the lines that are marked as errors."""
    lines = case.read_text("utf-8").splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("  # error")}


def run(*command: str) -> str:
    answer = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert answer.returncode in {0, 1}, answer.stderr
    return answer.stdout


def by_case(found: Iterable[tuple[str, int, str]]) -> dict[Path, dict[int, str]]:
    """Return what was found in each case, by line."""
    errors = {case: dict[int, str]() for case in CASES}
    for file, line, message in found:
        errors.setdefault(ROOT / file, {})[line] = message
    return errors


@pytest.fixture(scope="module")
def mypy_errors() -> dict[Path, dict[int, str]]:
    told = run("mypy", "--no-error-summary", *map(str, CASES))
    found = re.findall(r"^(\S+):(\d+): error: (.*)$", told, re.MULTILINE)
    return by_case((file, int(line), message) for file, line, message in found)


@pytest.fixture(scope="module")
def pyright_errors(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, dict[int, str]]:
    # A configuration of its own, as the project's leaves these files out.
    config = tmp_path_factory.mktemp("pyright") / "pyrightconfig.json"
    settings = {
        "include": [str(case) for case in CASES],
        "extraPaths": [str(ROOT / "src")],
        "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    config.write_text(json.dumps(settings), "utf-8")
    told = json.loads(run("basedpyright", "--project", str(config), "--outputjson"))
    return by_case(
        (found["file"], found["range"]["start"]["line"] + 1, found["message"])
        for found in told["generalDiagnostics"]
        if found["severity"] == "error"
    )


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_mypy_finds_the_marked_errors_and_no_other(
    case: Path, mypy_errors: dict[Path, dict[int, str]]
) -> None:
    found = mypy_errors[case]

    assert {line: found.get(line) for line in expected(case) ^ set(found)} == {}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_basedpyright_finds_the_marked_errors_and_no_other(
    case: Path, pyright_errors: dict[Path, dict[int, str]]
) -> None:
    found = pyright_errors[case]

    assert {line: found.get(line) for line in expected(case) ^ set(found)} == {}
