"""Explains SQLite's failures, and what to do about them."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from yieldwire.errors import StoreError


def primary(exc: BaseException) -> int | None:
    """Return SQLite's primary number for an error, without the extended part."""
    code: int | None = getattr(exc, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF


def is_of_item(exc: Exception) -> bool:
    """Whether an error is about the data to write, so that other work can still succeed.

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
    """Return the error that says what happened to the file, and what to do. Can access the disk.

    An error that already says so is returned unchanged.
    """
    if isinstance(exc, StoreError):
        return exc
    say = _SAYINGS.get(primary(exc) or 0)
    told = f"{exc}." if say is None else say(path)
    error = StoreError(f"Runs cannot be kept in {path}: {told}")
    error.__cause__ = exc
    return error


def _cannot_open(path: Path) -> str:
    with suppress(OSError):  # the folders above it can be unreadable
        if path.is_dir():
            return "it is a folder. Name a file in it."
        if not path.parent.is_dir():
            return f"the folder {path.parent} does not exist. Create it."
    return "the file cannot be opened or created. Let this process write it and its folder."


_SAYINGS: Final[dict[int, Callable[[Path], str]]] = {
    sqlite3.SQLITE_FULL: lambda _: "the disk is full. Free some space.",
    sqlite3.SQLITE_IOERR: lambda _: (
        "reading or writing the disk failed. It is full, over a quota, or broken."
    ),
    sqlite3.SQLITE_READONLY: lambda _: (
        "the file or its folder is read-only. Let this process write both."
    ),
    sqlite3.SQLITE_BUSY: lambda _: (
        "another process has kept the file locked for too long. "
        "Check what it does, or give SQLiteStore a longer busy_timeout."
    ),
    sqlite3.SQLITE_CORRUPT: lambda path: (
        f"the file is damaged. Restore it from a backup, or move it away with {path.name}-wal "
        f"and {path.name}-shm to start with a new one."
    ),
    sqlite3.SQLITE_NOTADB: lambda _: (
        "it is a file, but not an SQLite database. Name another, or move it away."
    ),
    sqlite3.SQLITE_CANTOPEN: _cannot_open,
}
