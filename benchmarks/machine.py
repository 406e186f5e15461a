"""The machine and the checkout that were measured, and where things are kept."""

import os
import platform
import resource
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
BUILD: Final = ROOT / "build" / "bench"


class BenchmarkError(Exception):
    """Something could not be measured; the message says why."""


def describe() -> dict[str, str]:
    """Return what a reader has to know of the machine, for the head of the table."""
    return {
        "CPU": _cpu(),
        "cores": str(os.cpu_count()),
        "kernel": platform.release().split("-")[0],
        "Python": platform.python_version(),
        "Node": said_by("node", "--version").removeprefix("v"),
        "gcc": said_by("gcc", "-dumpfullversion"),
        "commit": _commit(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _commit() -> str:
    commit = said_by("git", "-C", str(ROOT), "rev-parse", "--short=12", "HEAD")
    changed = said_by("git", "-C", str(ROOT), "status", "--porcelain", "--", "src", "benchmarks")
    lines = [line for line in changed.splitlines() if "benchmarks/RESULTS.md" not in line]
    return f"{commit} with changes" if lines else commit


def said_by(*command: str) -> str:
    """Return what a command prints, or ``unknown``."""
    try:
        answer = subprocess.run(  # noqa: S603 - the callers' own words
            command, capture_output=True, text=True, check=True, timeout=30
        )
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return answer.stdout.strip()


def allow_files() -> int:
    """Let this process and what it starts open as many files as allowed, and return how many."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def pinned(core: int, command: list[str]) -> list[str]:
    """Return the command on one core, where there are two of them and `taskset`."""
    if len(os.sched_getaffinity(0)) < 2 or shutil.which("taskset") is None:  # noqa: PLR2004 - one for each side
        return command
    return ["taskset", "-c", str(sorted(os.sched_getaffinity(0))[core]), *command]
