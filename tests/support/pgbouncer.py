"""Debian's PgBouncer in front of a PostgreSQL server: each transaction gets any connection."""

import os
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import psycopg

from tests.support.postgres import PostgresServer

PROGRAM: Final = "/usr/sbin/pgbouncer"
CONFIGURATION: Final = """
[databases]
* = host={host} port={server_port} user=ada
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
logfile = {folder}/bouncer.log
"""
START_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.02


class PgBouncer:
    """Passes transactions on to a server, over two connections."""

    def __init__(self, server: PostgresServer, folder: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as place:
            self._port: Final[int] = place.getsockname()[1]
        self.dsn: Final = f"postgresql://ada@127.0.0.1:{self._port}/postgres"
        self._file = server.folder / f"bouncer{self._port}.ini"
        self._file.write_text(
            CONFIGURATION.format(
                host=server.folder, server_port=server.port, port=self._port, folder=server.folder
            ),
            "utf-8",
        )
        self._log = folder / "bouncer.out"

    def __enter__(self) -> Self:
        user = "nobody" if os.geteuid() == 0 else None  # it does not run as root
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [PROGRAM, self._file], stdout=log, stderr=log, user=user
            )
        until = time.monotonic() + START_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                self.__exit__()
                raise AssertionError(self._log.read_text("utf-8"))
            time.sleep(_POLL_SECONDS)
        return self

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.dsn):
            return True
        return False

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS)
