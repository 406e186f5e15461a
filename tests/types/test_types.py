"""What must and what must not type-check, for both checkers, on the lines that say so."""

import json
import re
import subprocess
import sys
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


def mypy_errors(case: Path, cache: Path) -> dict[int, str]:
    told = run("mypy", "--no-error-summary", "--cache-dir", str(cache), str(case))
    found = re.findall(
        rf"^{re.escape(str(case.relative_to(ROOT)))}:(\d+): error: (.*)$", told, re.MULTILINE
    )
    return {int(line): message for line, message in found}


def pyright_errors(case: Path, config: Path) -> dict[int, str]:
    # A configuration of its own, as the project's leaves these files out.
    settings = {
        "include": [str(case)],
        "extraPaths": [str(ROOT / "src")],
        "pythonVersion": "3.11",
        "typeCheckingMode": "standard",
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    config.write_text(json.dumps(settings), "utf-8")
    told = json.loads(run("basedpyright", "--project", str(config), "--outputjson"))
    return {
        found["range"]["start"]["line"] + 1: found["message"]
        for found in told["generalDiagnostics"]
        if found["severity"] == "error"
    }


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mypy")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_mypy_finds_the_marked_errors_and_no_other(case: Path, cache: Path) -> None:
    found = mypy_errors(case, cache)

    assert {line: found.get(line) for line in expected(case) ^ set(found)} == {}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_basedpyright_finds_the_marked_errors_and_no_other(case: Path, tmp_path: Path) -> None:
    found = pyright_errors(case, tmp_path / "pyrightconfig.json")

    assert {line: found.get(line) for line in expected(case) ^ set(found)} == {}
