"""Ways in which an SQLite file fails: at a statement, by another process's lock, on a full disk."""

import sqlite3
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import Any, Final, Self

import pytest


class When(Enum):
    """When a statement fails: before it is done, or when it has been done."""

    BEFORE = "before"
    AFTER = "after"


class Faults:
    """Lets the statements of real connections fail, as it is told.

    `plan` says of the next statements that are planned for, one after another, when they fail.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.fails: Callable[[str], bool] = lambda _: False
        """Which statements fail, whatever the plan says."""
        self.plan: deque[When | None] = deque()
        self.planned = "COMMIT"
        """How the statements begin that the plan is for."""

    def connect(self, *args: Any, **named: Any) -> sqlite3.Connection:  # noqa: ANN401 - sqlite3's own
        """Open a connection that obeys."""
        self.connections += 1
        faults = self

        class Faulty(sqlite3.Connection):
            def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:  # noqa: ANN401
                when = faults.take(sql)
                if when is When.BEFORE:
                    raise disk_error()
                cursor = super().execute(sql, *values)
                if when is When.AFTER:
                    raise disk_error()
                return cursor

        return _connect(*args, factory=Faulty, **named)

    def take(self, sql: str) -> When | None:
        """Return when this statement fails, if it does."""
        if self.fails(sql):
            return When.BEFORE
        if self.plan and sql.startswith(self.planned):
            return self.plan.popleft()
        return None

    @contextmanager
    def installed(self, plan: Iterable[When | None] = ()) -> Generator["Faults", None, None]:
        """Let every connection that is opened meanwhile obey."""
        self.plan = deque(plan)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sqlite3, "connect", self.connect)
            yield self

    def repair(self) -> None:
        """Let nothing fail any more."""
        self.fails = lambda _: False
        self.plan.clear()


_connect: Final = sqlite3.connect


def disk_error() -> sqlite3.OperationalError:
    """Return the error of a disk that did not take what was written."""
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_WRITE
    return error


def everything(_sql: str) -> bool:
    """Fail at every statement."""
    return True


def writing(sql: str) -> bool:
    """Fail on every write, as a full disk does."""
    return sql.split(None, 1)[0] in {"INSERT", "UPDATE", "DELETE"}


_HOLD: Final = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
print("held", flush=True)
sys.stdin.read()
"""


class Lock:
    """Another process that has the file locked, until it is told to let go."""

    def __init__(self, path: Path, statement: str = "BEGIN IMMEDIATE") -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", _HOLD, str(path), statement],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"held\n"

    def release(self) -> None:
        """Let go."""
        self._process.communicate()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.communicate()
