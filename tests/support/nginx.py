"""Debian's nginx in front of a server, as it is when nobody has configured more than they must."""

import asyncio
import os
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from tests.support.ports import free_port

PROGRAM: Final = "/usr/sbin/nginx"
CONFIGURATION: Final = """
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
{user}
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""
SITE: Final = """
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://127.0.0.1:{target};
        {more}
    }}
}}
"""
_POLL_SECONDS: Final = 0.02


class Nginx:
    """Passes requests on to a port of this machine; ``more`` is added to where it does.

    ``site`` is the text of the whole server instead, with the port to listen on as ``PORT``.
    """

    def __init__(self, target: int, folder: Path, more: str = "", *, site: str = "") -> None:
        self._file = folder / "nginx.conf"
        self.port: Final = free_port()
        self.url: Final = f"http://127.0.0.1:{self.port}/"
        own = site.replace("PORT", str(self.port))
        self._file.write_text(
            CONFIGURATION.format(
                folder=folder,
                site=own or SITE.format(port=self.port, target=target, more=more),
                user="user root;" if os.geteuid() == 0 else "",  # the folder is its starter's own
            ),
            "utf-8",
        )

    async def __aenter__(self) -> Self:
        log = self._file.with_suffix(".log")
        self._process = await asyncio.create_subprocess_exec(
            PROGRAM, "-c", self._file, "-e", log, stdin=asyncio.subprocess.DEVNULL
        )
        while True:
            with suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                writer.transport.abort()
                return self
            assert self._process.returncode is None, log.read_text("utf-8")
            await asyncio.sleep(_POLL_SECONDS)

    async def __aexit__(self, *_: object) -> None:
        self._process.terminate()
        await self._process.wait()
