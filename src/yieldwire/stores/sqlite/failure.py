"""What it means when SQLite fails, and what there is to do about it."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from yieldwire.errors import StoreError


def primary(exc: BaseException) -> int | None:
    """Return SQLite's own number for an error, without its finer shades."""
    code: int | None = getattr(exc, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_of_item(exc: Exception) -> bool:
    """Whether an error is about what was to be written, so that other work may still succeed.

    All others are about the file, the disk or a lock, or mean that SQLite has rolled back.
    """
    code = primary(exc)
    return code is None or code in _OF_ITEM


_OF_ITEM: Final = frozenset(
    {
        sqlite3.SQLITE_CONSTRAINT,
        sqlite3.SQLITE_MISMATCH,
        sqlite3.SQLITE_MISUSE,
        sqlite3.SQLITE_RANGE,
        sqlite3.SQLITE_TOOBIG,
    }
)


def explain(exc: Exception, path: Path) -> StoreError:
    """Return the error that says what happened to the file, and what to do. It may touch the disk.

    An error that says so already is returned as it is.
    """
    if isinstance(exc, StoreError):
        return exc
    say = _SAYINGS.get(primary(exc) or 0)
    told = f"{exc}." if say is None else say(path)
    error = StoreError(f"Runs cannot be kept in {path}: {told}")
    error.__cause__ = exc
    return error


def _cannot_open(path: Path) -> str:
    with suppress(OSError):  # a folder above it may not even be looked into
        if path.is_dir():
            return "it is a folder. Name a file in it."
        if not path.parent.is_dir():
            return f"the folder {path.parent} does not exist. Create it."
    return "the file cannot be opened or made. Let this process write it and its folder."


_SAYINGS: Final[dict[int, Callable[[Path], str]]] = {
    sqlite3.SQLITE_FULL: lambda _: "the disk is full. Make room on it.",
    sqlite3.SQLITE_IOERR: lambda _: (
        "the disk refuses to be read or written. It may be full, over a quota, or failing."
    ),
    sqlite3.SQLITE_READONLY: lambda _: (
        "the file or its folder is read-only. Let this process write both."
    ),
    sqlite3.SQLITE_BUSY: lambda _: (
        "another process has kept the file locked for too long. "
        "See what it does, or give SQLiteStore a longer busy_timeout."
    ),
    sqlite3.SQLITE_CORRUPT: lambda path: (
        f"the file is damaged. Restore it from a backup, or move it away with {path.name}-wal "
        f"and {path.name}-shm to begin with a new one."
    ),
    sqlite3.SQLITE_NOTADB: lambda _: (
        "it is a file, but not an SQLite database. Name another, or move it away."
    ),
    sqlite3.SQLITE_CANTOPEN: _cannot_open,
}
