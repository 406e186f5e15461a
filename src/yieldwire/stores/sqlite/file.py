"""The database file: opening, layout, and the restart of its clock after a reboot."""

import sqlite3
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from pydantic_core import from_json, to_json

from yieldwire.clock import Clock
from yieldwire.errors import StoreError
from yieldwire.log.events import Block, EventType
from yieldwire.log.run import RunRecord, Status
from yieldwire.stores.machine import boot_id
from yieldwire.stores.sqlite.failure import primary
from yieldwire.stores.statements import statements

_SWITCH_SECONDS: Final = 0.02
"""How often to retry a new file while another process creates it."""

_CHECKPOINT_PAGES: Final = 4000
"""How many pages of 4 KB are written before a checkpoint. Runs that append at the same time write
the same pages again and again, and only the last version has to be copied into the file."""

Synchronous = Literal["NORMAL", "FULL"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSettings:
    """The location of the file, and how it is written.

    Attributes:
        path: The file.
        synchronous: What acknowledged events survive.
        busy_timeout: How many seconds a write waits for another process's write.
    """

    path: Path
    synchronous: Synchronous
    busy_timeout: float


def connect(settings: FileSettings, *, read_only: bool = False) -> sqlite3.Connection:
    """Open a connection for one thread.

    Raises:
        sqlite3.Error: If the file cannot be opened.
        StoreError: If it is another application's, or two processes could not share it.
    """
    connection = sqlite3.connect(
        settings.path, timeout=settings.busy_timeout, isolation_level=None, check_same_thread=False
    )
    try:
        connection.row_factory = sqlite3.Row
        _look_into(connection, settings.path)
        _share(connection, settings)
        connection.execute(f"PRAGMA synchronous = {settings.synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA query_only = {int(read_only)}")
    except BaseException:
        connection.close()
        raise
    return connection


def _look_into(connection: sqlite3.Connection, path: Path) -> None:
    # Before anything is changed: the database of another application stays untouched.
    tables = _tables(connection)
    if tables and "about" not in tables:
        raise StoreError(
            f"Runs cannot be kept in {path}: it is another application's database. "
            "Name another file."
        )


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}


def _share(connection: sqlite3.Connection, settings: FileSettings) -> None:
    """Set the file's journal mode so that others can read during a write."""
    until = time.monotonic() + settings.busy_timeout
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as exc:
            # SQLite's own busy timeout does not apply to this one statement.
            if primary(exc) != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(_SWITCH_SECONDS)
        else:
            break
    if mode != "wal":
        raise StoreError(
            f"Runs cannot be kept in {settings.path}: it must be a file on a disk of this machine."
        )


def prepare(
    connection: sqlite3.Connection, path: Path, clock: Clock, known: Mapping[int, str]
) -> None:
    """Change the file's layout to the newest of those `layouts`; after a reboot, restart its clock.

    It is one transaction: of several processes that open the file, one changes its layout.

    Raises:
        StoreError: If the file's layout is newer, or too old.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _update(connection, path, known)
        if connection.execute("SELECT boot FROM about").fetchone()[0] != boot_id():
            times = {"now": clock.monotonic(), "wall": clock.now()}
            sql = statements(__package__)
            connection.execute(sql["restart_clock"], times)
            connection.execute(sql["restart_refusals"], times)
            connection.execute(sql["restart_deliveries"], times)
            connection.execute(sql["forget_every_reader"])
            connection.execute(sql["forget_every_revocation"])
            connection.execute("UPDATE about SET boot = ?", [boot_id()])
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _update(connection: sqlite3.Connection, path: Path, known: Mapping[int, str]) -> None:
    version, latest = 0, max(known)
    if _tables(connection):
        (version,) = connection.execute("SELECT version FROM about").fetchone()
    if version > latest:
        raise StoreError(
            f"Runs cannot be kept in {path}: it has layout {version}, and this version of "
            f"Yieldwire knows {latest}. Use the newer version that wrote it, or move it away."
        )
    if version and version not in known:
        raise StoreError(
            f"Runs cannot be kept in {path}: its layout {version} is too old for this version of "
            "Yieldwire. Use the version that wrote it, or move it away."
        )
    for number, script in known.items():
        if number > version:
            for statement in _statements_of(script):
                connection.execute(statement)
    if not version:
        connection.execute("INSERT INTO about VALUES (?, ?)", [latest, boot_id()])
    elif version < latest:
        connection.execute("UPDATE about SET version = ?", [latest])


def _statements_of(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


_URLS: Final = ("webhooks", "question_webhooks")
"""Columns that have a JSON array, or nothing."""


def to_row(run: RunRecord) -> dict[str, Any]:
    """Return a record as the columns of its row."""
    row = run._asdict()
    row["labels"] = to_json(run.labels).decode()
    for name in _URLS:
        row[name] = to_json(row[name]).decode() if row[name] else None
    row["status"] = run.status.value
    return row


def to_record(row: sqlite3.Row) -> RunRecord:
    """Return a row as a record."""
    columns = dict(zip(row.keys(), row, strict=True))  # a row searches all names for each access
    columns["labels"] = tuple(from_json(columns["labels"]))
    for name in _URLS:
        columns[name] = tuple(from_json(columns[name])) if columns[name] else ()
    columns["status"] = Status(columns["status"])
    columns["detached"] = bool(columns["detached"])
    return RunRecord._make(map(columns.__getitem__, RunRecord._fields))


def to_block(run_id: str, row: sqlite3.Row) -> Block:
    """Return a row of the log as a block."""
    ending = None if row["ending"] is None else EventType(row["ending"])
    return Block(run_id, row["first"], row["last"], row["body"], ending, row["at"])


def block_row(n: int, block: Block) -> dict[str, Any]:
    """Return a block as the columns of its row."""
    return {
        "run": n,
        "first": block.first,
        "last": block.last,
        "ending": None if block.end is None else block.end.value,
        "body": block.body,
        "at": block.at,
    }
