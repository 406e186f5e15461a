"""Counting instructions with Valgrind's Callgrind, which counts the same ones each time."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[2]
MARKS: Final = Path(__file__).with_name("marks.c")

_SECTION: Final = re.compile(r"^desc: Trigger: Client Request: (.+)$", re.MULTILINE)
_EVENTS: Final = re.compile(r"^events: (.+)$", re.MULTILINE)
_TOTALS: Final = re.compile(r"^totals: (.+)$", re.MULTILINE)
_MISSES: Final = ("DLmr", "DLmw")
"""Reads and writes that were missed in the last cache."""


class MeasurementError(Exception):
    """Nothing could be measured; the message says why."""


def count_instructions(module: str, env: Mapping[str, str] | None = None) -> dict[str, int]:
    """Run a program under Callgrind, and return the instructions of each section it marks.

    Raises:
        MeasurementError: If a tool is missing, or the program failed.
    """
    return {section: costs["Ir"] for section, costs in _measured(module, (), env).items()}


class Costs(NamedTuple):
    """What a section took."""

    instructions: int
    misses: int
    """How often data was not in the cache."""


def count_costs(module: str, cache: Sequence[str]) -> dict[str, Costs]:
    """Run a program with a simulated cache, and return what each section it marks took.

    Args:
        module: The program.
        cache: Callgrind's options about the cache.

    Raises:
        MeasurementError: If a tool is missing, or the program failed.
    """
    found = _measured(module, cache, None)
    return {
        section: Costs(costs["Ir"], sum(costs[name] for name in _MISSES))
        for section, costs in found.items()
    }


def _measured(
    module: str, options: Sequence[str], env: Mapping[str, str] | None
) -> dict[str, dict[str, int]]:
    with TemporaryDirectory() as folder:
        marks = Path(folder) / "marks.so"
        _run(["cc", "-shared", "-fPIC", "-O2", "-o", str(marks), str(MARKS)], {})
        command = [
            "valgrind",
            "--tool=callgrind",
            "--instr-atstart=no",  # importing everything is not measured and takes long
            "--fair-sched=yes",
            *options,
            f"--callgrind-out-file={folder}/out",
            sys.executable,
            "-m",
            module,
            str(marks),
        ]
        _run(command, {"PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
        return dict(_section(file) for file in Path(folder).glob("out.*"))


def _section(file: Path) -> tuple[str, dict[str, int]]:
    text = file.read_text()
    section, events, totals = (each.search(text) for each in (_SECTION, _EVENTS, _TOTALS))
    if section is None or events is None or totals is None:
        raise MeasurementError(f"Callgrind wrote what is not understood: {text[:500]}")
    return section[1], dict(zip(events[1].split(), map(int, totals[1].split()), strict=True))


def _run(command: list[str], env: Mapping[str, str]) -> None:
    try:
        subprocess.run(
            command, check=True, capture_output=True, cwd=ROOT, env={**os.environ, **env}
        )
    except FileNotFoundError as exc:
        raise MeasurementError(f"{command[0]} is not installed.") from exc
    except subprocess.CalledProcessError as exc:
        raise MeasurementError(f"{command[0]} failed: {exc.stderr.decode()[-2000:]}") from exc
