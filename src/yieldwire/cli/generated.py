"""Writes the file that a command generates from an application: its types, its description."""

import sys
from difflib import unified_diff
from pathlib import Path

from yieldwire.cli.outcome import Outcome
from yieldwire.cli.output import note
from yieldwire.errors import UsageError


def check_options(file: Path | None, *, watch: bool, check: bool) -> None:
    """Return if these options can be combined.

    Raises:
        UsageError: If they cannot.
    """
    if file is None and (watch or check):
        raise UsageError("--watch and --check need a file; name it with -o.")
    if watch and check:
        raise UsageError("--watch cannot be combined with --check.")


def put_generated(text: str, file: Path | None, *, check: bool) -> Outcome:
    """Write ``text`` into ``file``, or to stdout without one; to ``check`` only compares them.

    A file that does not change is not touched, so nothing that watches it has to run.

    Raises:
        UsageError: If it cannot be read or written.
    """
    if file is None:
        sys.stdout.buffer.write(text.encode())
    elif check:
        return _check(text, file)
    elif _content(file) == text:
        note(f"{file} is up to date.")
    else:
        try:
            file.write_bytes(text.encode())
        except OSError as exc:
            raise UsageError(f"{file} cannot be written: {exc.strerror}.") from exc
        note(f"Wrote {file}.")
    return Outcome.COMPLETED


def _check(text: str, file: Path) -> Outcome:
    """Return whether ``file`` holds ``text``, and print the difference if it does not."""
    found = _content(file)
    if found == text:
        note(f"{file} is up to date.")
        return Outcome.COMPLETED
    old, new = (found or "").splitlines(keepends=True), text.splitlines(keepends=True)
    sys.stdout.writelines(unified_diff(old, new, str(file), "generated"))
    state = "does not exist" if found is None else "is out of date"
    note(f"{file} {state}; run it again without --check.")
    return Outcome.FAILED


def _content(file: Path) -> str | None:
    """Return the content of ``file`` with LF as line ends; ``None`` if it does not exist."""
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{file} cannot be read, so it is not written either: {exc}.") from exc
