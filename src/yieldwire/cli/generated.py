"""Writes the file that a command generates from an application: its types, its description."""

import sys
from difflib import unified_diff
from pathlib import Path

from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import note
from yieldwire.errors import UsageError


def write_generated(text: str, file: Path | None) -> Outcome:
    """Write ``text`` into ``file`` unless it already has it, or to stdout without one.

    A file that does not change is not touched, so nothing that watches it has to run.

    Raises:
        UsageError: If it cannot be written.
    """
    if file is None:
        sys.stdout.buffer.write(text.encode())
    elif read_generated(file) == text:
        note(f"{file} is up to date.")
    else:
        try:
            file.write_bytes(text.encode())
        except OSError as exc:
            raise UsageError(f"{file} cannot be written: {exc.strerror}.") from exc
        note(f"Wrote {file}.")
    return Outcome.COMPLETED


def check_generated(text: str, file: Path) -> Outcome:
    """Return whether ``file`` holds ``text``, and print the difference if it does not.

    Raises:
        UsageError: If it cannot be read.
    """
    found = read_generated(file)
    if found == text:
        note(f"{file} is up to date.")
        return Outcome.COMPLETED
    old, new = (found or "").splitlines(keepends=True), text.splitlines(keepends=True)
    sys.stdout.writelines(unified_diff(old, new, str(file), "generated"))
    state = "does not exist" if found is None else "is out of date"
    note(f"{file} {state}; run it again without --check.")
    return Outcome.FAILED


def read_generated(file: Path) -> str | None:
    """Return the content of ``file`` with LF as line ends; ``None`` if it does not exist.

    Raises:
        UsageError: If it cannot be read.
    """
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{file} cannot be read, so it is not written either: {exc}.") from exc
