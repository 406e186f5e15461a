"""The database that a server's processes share: started before them, and asked what it has done."""

import json
import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.environment import Environment
from benchmarks.machine import ROOT, BenchmarkError, pinned
from benchmarks.process import cpu_of, tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a database has done since it started.

    Attributes:
        cpu: Seconds of CPU.
        operations: Commands at Valkey, those within scripts too; committed writes at PostgreSQL.
        bytes: To and from Valkey over the network; to PostgreSQL's write-ahead log.
    """

    cpu: float
    operations: int
    bytes: int


class Database:
    """A running `database_server`."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        said = self._read()
        self.url = str(said["url"])
        self._pid = int(said["pid"])

    def counts(self) -> Counts:
        """Return what it has done."""
        if self._process.stdin is not None:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        said = self._read()
        cpu = sum(map(cpu_of, tree(self._pid)))
        return Counts(cpu=cpu, operations=int(said["operations"]), bytes=int(said["bytes"]))

    def _read(self) -> dict[str, str | int]:
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise BenchmarkError("The database did not start.")
        said: dict[str, str | int] = json.loads(line)
        return said


@contextmanager
def sharing(environment: Environment) -> Generator[Database]:
    """Start the database of a server, and end it afterwards.

    It shares the load client's core, so that the server has its own to itself.

    Raises:
        BenchmarkError: If it does not start.
    """
    process = subprocess.Popen(  # noqa: S603 - a command of `environment`
        pinned(1, list(environment.database)),
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Database(process)
    finally:
        process.communicate()  # the end of its input ends it
