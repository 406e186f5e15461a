"""Counting instructions with Valgrind's Callgrind, which counts the same ones each time."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

ROOT: Final = Path(__file__).parents[2]
MARKS: Final = Path(__file__).with_name("marks.c")

_SECTION: Final = re.compile(r"^desc: Trigger: Client Request: (.+)$", re.MULTILINE)
_TOTAL: Final = re.compile(r"^totals: (\d+)$", re.MULTILINE)


class MeasurementError(Exception):
    """Nothing could be measured; the message says why."""


def count_instructions(module: str, env: Mapping[str, str] | None = None) -> dict[str, int]:
    """Run a program under Callgrind, and return the instructions of each section it marks.

    Raises:
        MeasurementError: If a tool is missing, or the program failed.
    """
    with TemporaryDirectory() as folder:
        marks = Path(folder) / "marks.so"
        _run(["cc", "-shared", "-fPIC", "-O2", "-o", str(marks), str(MARKS)], {})
        command = [
            "valgrind",
            "--tool=callgrind",
            "--instr-atstart=no",  # importing everything is not measured and takes long
            "--fair-sched=yes",
            f"--callgrind-out-file={folder}/out",
            sys.executable,
            "-m",
            module,
            str(marks),
        ]
        _run(command, {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
        return dict(_section(file) for file in Path(folder).glob("out.*"))


def _section(file: Path) -> tuple[str, int]:
    text = file.read_text()
    section, total = _SECTION.search(text), _TOTAL.search(text)
    if section is None or total is None:
        raise MeasurementError(f"Callgrind wrote what is not understood: {text[:500]}")
    return section[1], int(total[1])


def _run(command: list[str], env: Mapping[str, str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, cwd=ROOT, env={**os.environ, **env}
        )
    except FileNotFoundError as exc:
        raise MeasurementError(f"{command[0]} is not installed.") from exc
    except subprocess.CalledProcessError as exc:
        raise MeasurementError(f"{command[0]} failed: {exc.stderr.decode()[-2000:]}") from exc
