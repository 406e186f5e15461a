"""Debian's PgBouncer in front of PostgreSQL: by default each transaction gets any connection."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from tests.support.ports import free_port
from tests.support.postgres import NOBODY, PostgresServer
from tests.support.tls import Certificate

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
{more}
"""
START_SECONDS: Final = 30
_POLL_SECONDS: Final = 0.02


class PgBouncer:
    """Passes transactions on to a server, over two connections.

    ``more``: further settings, which replace those before.
    """

    def __init__(self, server: PostgresServer, folder: Path, *more: str) -> None:
        self._port: Final = free_port()
        self.dsn: Final = f"postgresql://ada@127.0.0.1:{self._port}/postgres"
        self._file = server.folder / f"bouncer{self._port}.ini"
        self._file.write_text(
            CONFIGURATION.format(
                host=server.folder,
                server_port=server.port,
                port=self._port,
                folder=server.folder,
                more="\n".join(more),
            ),
            "utf-8",
        )
        self._log = folder / "bouncer.out"

    def __enter__(self) -> Self:
        user = NOBODY if os.geteuid() == 0 else None  # it does not run as root
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
        with suppress(OSError), socket.create_connection(("127.0.0.1", self._port)):
            return True
        return False

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(START_SECONDS)


def encrypting(
    server: PostgresServer, folder: Path, certificate: Certificate, *, clients: Path | None = None
) -> PgBouncer:
    """Return a PgBouncer that refuses connections without TLS, and over which one can listen.

    ``clients``: the authority whose certificate every client must show.
    """
    files = {"key": certificate.key, "cert": certificate.file}
    mode = "require"
    if clients is not None:
        mode, files["ca"] = "verify-ca", clients
    named = [f"client_tls_{kind}_file = {_readable(server, file)}" for kind, file in files.items()]
    whole = ("pool_mode = session", "default_pool_size = 20", f"client_tls_sslmode = {mode}")
    return PgBouncer(server, folder, *whole, *named)


def _readable(server: PostgresServer, file: Path) -> Path:
    copy = Path(shutil.copy(file, server.folder))
    if os.geteuid() == 0:
        shutil.chown(copy, user=NOBODY)
    return copy
