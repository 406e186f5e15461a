"""Runs mypy and basedpyright in their strict modes, over files outside of the repository."""

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def complaints(folder: Path) -> list[tuple[str, int, str]]:
    """Return what both type checkers find in a folder's files: file, line and checker."""
    return sorted({*mypy(folder), *basedpyright(folder)})


def mypy(folder: Path) -> list[tuple[str, int, str]]:
    """Return what mypy finds in a folder's files."""
    files = sorted(map(str, folder.glob("*.py")))
    said = run(
        "mypy", "--strict", "--no-error-summary", f"--cache-dir={folder}/.mypy", *files, at=folder
    )
    found = re.findall(r"^([^:\n]+):(\d+): error: ", said, re.MULTILINE)
    return [(Path(file).name, int(line), "mypy") for file, line in found]


def basedpyright(folder: Path) -> list[tuple[str, int, str]]:
    """Return what basedpyright finds in a folder's files."""
    settings = {
        "include": ["*.py"],
        "extraPaths": [str(ROOT / "src")],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
        "venvPath": str(Path(sys.prefix).parent),
        "venv": Path(sys.prefix).name,
    }
    folder.joinpath("pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    told = json.loads(run("basedpyright", "--outputjson", at=folder))
    assert told["summary"]["filesAnalyzed"] == len(list(folder.glob("*.py")))
    return [
        (Path(found["file"]).name, found["range"]["start"]["line"] + 1, "basedpyright")
        for found in told["generalDiagnostics"]
        if found["severity"] == "error"
    ]


def run(*command: str, at: Path) -> str:
    """Return what a checker says."""
    answer = subprocess.run(
        [sys.executable, "-m", *command], cwd=at, capture_output=True, text=True, check=False
    )
    assert answer.returncode in {0, 1}, answer.stdout + answer.stderr
    return answer.stdout
