"""Certificates of an authority of the tests, and TLS in front of a server that has none."""

import asyncio
import ssl
import subprocess
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PROGRAM: Final = "/usr/bin/openssl"
_READ: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of a certificate and its key."""

    file: Path
    key: Path


class Authority:
    """Signs certificates, which are kept in ``folder``. ``file`` is its own certificate."""

    def __init__(self, folder: Path) -> None:
        self._folder: Final = folder
        self._own: Final = self._certificate("authority", "basicConstraints=critical,CA:TRUE")
        self.file: Final = self._own.file

    def signed(self, address: str, *, days: int = 2) -> Certificate:
        """Return a new certificate for an IP address, as a server and as a client."""
        signing = ("-CA", str(self._own.file), "-CAkey", str(self._own.key))
        return self._certificate(address, f"subjectAltName=IP:{address}", *signing, days=days)

    def _certificate(self, name: str, extension: str, *signing: str, days: int = 2) -> Certificate:
        made = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        new = [
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            str(days),
        ]
        files = ("-out", str(made.file), "-keyout", str(made.key))
        said = ("-subj", f"/CN={name}", "-addext", extension)
        command = [PROGRAM, *new, *files, *said, *signing]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        return made


@asynccontextmanager
async def encrypted(
    port: int, certificate: Certificate, *, clients: Path | None = None
) -> AsyncGenerator[int]:
    """Serve the server of a port with TLS, on the port that is returned.

    ``clients``: the authority whose certificate every client must show.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=clients)
    context.load_cert_chain(certificate.file, certificate.key)
    if clients is not None:
        context.verify_mode = ssl.CERT_REQUIRED
    async with asyncio.TaskGroup() as group:

        def accept(reader: StreamReader, writer: StreamWriter) -> None:
            group.create_task(_pass_on(port, reader, writer))

        front = await asyncio.start_server(accept, "127.0.0.1", ssl=context)
        try:
            yield front.sockets[0].getsockname()[1]
        finally:
            front.close()


async def _pass_on(port: int, reader: StreamReader, writer: StreamWriter) -> None:
    answers, server = await asyncio.open_connection("127.0.0.1", port)
    async with asyncio.TaskGroup() as both:
        both.create_task(_pump(reader, server))
        both.create_task(_pump(answers, writer))


async def _pump(reader: StreamReader, writer: StreamWriter) -> None:
    """Pass bytes on until either end closes."""
    with suppress(OSError):
        while data := await reader.read(_READ):
            writer.write(data)
            await writer.drain()
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
