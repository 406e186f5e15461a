"""The file that an application's TypeScript types are written into."""

import sys
from difflib import unified_diff
from pathlib import Path

from yieldwire.cli.display import note
from yieldwire.cli.outcome import Outcome
from yieldwire.errors import UsageError


def write_types(text: str, file: Path | None) -> Outcome:
    """Write the types into ``file`` unless they are there already, or to stdout without one.

    A file that stays the same is not touched: whatever watches it has nothing to do.

    Raises:
        UsageError: If it cannot be written.
    """
    if file is None:
        sys.stdout.buffer.write(text.encode())
    elif read_types(file) == text:
        note(f"{file} is up to date.")
    else:
        try:
            file.write_bytes(text.encode())
        except OSError as exc:
            raise UsageError(f"{file} cannot be written: {exc.strerror}.") from exc
        note(f"{file} is written.")
    return Outcome.COMPLETED


def check_types(text: str, file: Path) -> Outcome:
    """Say whether ``file`` holds the types, with the difference where it does not.

    Raises:
        UsageError: If it cannot be read.
    """
    found = read_types(file)
    if found == text:
        note(f"{file} is up to date.")
        return Outcome.COMPLETED
    old, new = (found or "").splitlines(keepends=True), text.splitlines(keepends=True)
    sys.stdout.writelines(unified_diff(old, new, str(file), "what would be written"))
    state = "does not exist" if found is None else "is not what would be written"
    note(f"{file} {state}; run it again without --check.")
    return Outcome.FAILED


def read_types(file: Path) -> str | None:
    """Return what ``file`` holds, whatever ends its lines; ``None`` if it does not exist.

    Raises:
        UsageError: If it cannot be read.
    """
    try:
        return file.read_text("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{file} cannot be read, so it is not written either: {exc}.") from exc
