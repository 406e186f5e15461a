"""Asks a server what the checks need to know. Only this module of the doctor does I/O."""

import asyncio
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from yieldwire.cli.doctor.network import KEY
from yieldwire.cli.doctor.seen import BODY_BYTES, OK, Seen, SeenStream, SeenTLS, arrivals_in
from yieldwire.cli.target import Address
from yieldwire.client.http import Answer, direct_http, is_lost, timeouts, trusted_certificates
from yieldwire.clock import SystemClock
from yieldwire.errors import Unreachable, UsageError

CONNECT_SECONDS: Final = 10.0
"""How long opening a connection can take."""
ANSWER_SECONDS: Final = 15.0
"""How long a short answer, or what follows a silence, can take."""
SIZE_SECONDS: Final = 3.0
"""How long to wait for what a proxy says to the size of a body."""
STREAM_SECONDS: Final = 1.2
"""How long a test stream without a silence takes."""
_HANDSHAKE: Final = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": KEY,
}
_CLOSE_FRAME: Final = 0x88  # RFC 6455, 5.5.1
_READ: Final = 4096
_PORTS: Final = {"http": 80, "https": 443}
_SWITCHED: Final = 101
_TOO_LARGE: Final = 413
_CONTINUE: Final = 100
_UNDECIDED: Final = frozenset({400, 411, 417})
"""Answers to a request with `Expect` that say nothing about its size."""


class Probe:
    """Sends requests to one URL, directly: without the proxies of this machine's environment.

    Create it outside of an event loop, because it reads files.

    Raises:
        UsageError: If the URL is not valid.
    """

    def __init__(self, address: Address) -> None:
        self.url: Final = address.target.rstrip("/")
        try:
            parts = urlsplit(self.url)
            port = parts.port
        except ValueError as exc:
            raise UsageError(f"{self.url} is not a valid URL: {exc}.") from exc
        if not parts.hostname:
            raise UsageError(f"{self.url} has no host; write https://example.com/api/_actions.")
        self.host: Final = parts.hostname
        self.port: Final = port or _PORTS[parts.scheme]
        self._authority, self._path = parts.netloc.rpartition("@")[2], parts.path
        self._headers = dict(address.headers)
        if address.token is not None:
            self._headers["Authorization"] = f"Bearer {address.token}"
        self._has_tls = parts.scheme == "https"
        self._clock = SystemClock()
        self._http = direct_http()
        self._plain = self._offering("http/1.1")
        self._both = self._offering("h2", "http/1.1")

    def _offering(self, *protocols: str) -> ssl.SSLContext | None:
        if not self._has_tls:
            return None
        context = trusted_certificates()
        context.set_alpn_protocols(protocols)
        return context

    @property
    def now(self) -> float:
        """This machine's time, in seconds since the epoch."""
        return self._clock.now()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def connect(self) -> SeenTLS | None:
        """Open a connection, and return its TLS, or ``None`` if the URL has none.

        Raises:
            Unreachable: If the name cannot be resolved, or nothing answers at the port.
        """
        try:
            _, writer = await self._opened(self._both)
        except ssl.SSLCertVerificationError as exc:
            return SeenTLS(fault=exc.verify_message, fault_code=exc.verify_code)
        except ssl.SSLError as exc:
            return SeenTLS(fault=(exc.reason or str(exc)).lower().replace("_", " "))
        except TimeoutError as exc:
            raise Unreachable(f"no answer from port {self.port} in {CONNECT_SECONDS:g} s") from exc
        except socket.gaierror as exc:
            raise Unreachable(f"the name {self.host} cannot be resolved") from exc
        except ConnectionRefusedError as exc:
            raise Unreachable(f"nothing listens at port {self.port} of {self.host}") from exc
        except OSError as exc:
            raise Unreachable(f"no connection to port {self.port} of {self.host}: {exc}") from exc
        tls = writer.get_extra_info("ssl_object")
        seen = _tls_of(tls) if tls is not None else None
        await _close(writer)
        return seen

    async def _opened(
        self, context: ssl.SSLContext | None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await asyncio.open_connection(self.host, self.port, ssl=context)

    async def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        *,
        url: str | None = None,
    ) -> Seen:
        """Send a request to a path below the URL, or below another ``url``, and return the answer.

        Only the URL itself gets the token and the headers of the command.
        """
        own = self._headers if url is None else {}
        begun, asked_at = asyncio.get_running_loop().time(), self.now
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await self._send(method, f"{url or self.url}/{path}", own, headers)
                seconds = asyncio.get_running_loop().time() - begun
                body = b"" if answer.status_code == _SWITCHED else await _body(answer)
                await answer.aclose()
        except Exception as exc:  # noqa: BLE001 - raised again unless it is the network's
            return Seen(status=0, asked_at=asked_at, failure=_failure(exc))
        return _seen(answer, body, asked_at=asked_at, seconds=seconds)

    async def _send(
        self, method: str, url: str, own: Mapping[str, str], more: Mapping[str, str] | None
    ) -> Answer:
        request = self._http.build_request(
            method, url, content=None, headers={**own, **(more or {})}, timeout=timeouts()
        )
        return await self._http.send(request, stream=True)

    async def open_socket(self) -> Seen:
        """Ask for a WebSocket, and return the answer."""
        return await self.ask("ws", headers=_HANDSHAKE)

    async def hold_socket(self, seconds: float) -> float | None:
        """Hold a WebSocket, and return after how many seconds of silence it was cut.

        ``None``: it was not, or the server has closed it by a frame of its own.
        """
        try:
            reader, writer = await self._opened(self._plain)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    writer.write(self._head("GET", "ws", _HANDSHAKE))
                    await reader.readuntil(b"\r\n\r\n")
                return await _cut_after(reader, seconds)
            finally:
                await _close(writer)
        except (OSError, EOFError, asyncio.LimitOverrunError):
            return None

    async def read_stream(self, silence: float) -> SeenStream:
        """Read a test stream that is silent for some seconds."""
        loop = asyncio.get_running_loop()
        begun, asked_at = loop.time(), self.now
        pieces = list[tuple[float, bytes]]()
        head = Seen(status=0, asked_at=asked_at, failure="it took too long")
        path = f"test-stream?silence={silence:g}"
        accept = {"Accept": "text/event-stream", "Accept-Encoding": "gzip, deflate"}
        try:
            async with asyncio.timeout(silence + STREAM_SECONDS + ANSWER_SECONDS):
                answer = await self._send("GET", f"{self.url}/{path}", self._headers, accept)
                head = _seen(answer, b"", asked_at=asked_at, seconds=loop.time() - begun)
                if answer.status_code != OK:
                    head = replace(head, body=await _body(answer))
                else:
                    async for piece in answer.aiter_bytes():
                        pieces.append((loop.time() - begun, piece))
                await answer.aclose()
        except Exception as exc:  # noqa: BLE001 - raised again unless it is the network's
            failure = _failure(exc)
            head = head if head.status else replace(head, failure=failure)
        return SeenStream(
            head=head,
            arrivals=arrivals_in(pieces),
            has_farewell=b"".join(piece for _, piece in pieces).find(b"retry:") >= 0,
            ended=loop.time() - begun,
            silence=silence,
        )

    async def passes(self, size: int) -> bool | None:
        """Return whether a body of ``size`` bytes would pass; ``None`` if that is not known.

        Nothing of the body is sent: a proxy that refuses it does so because of its head.
        """
        fields = {
            "Content-Length": str(size),
            "Content-Type": "application/octet-stream",
            "Expect": "100-continue",
            "Connection": "close",
        }
        try:
            reader, writer = await self._opened(self._plain)
            try:
                async with asyncio.timeout(SIZE_SECONDS):
                    writer.write(self._head("POST", "test-stream", fields))
                    status = int((await reader.readline()).split()[1])
            finally:
                await _close(writer)
        except (OSError, ValueError, IndexError):
            return None
        if status == _TOO_LARGE:
            return False
        return None if status in _UNDECIDED or status >= 500 else True  # noqa: PLR2004 - errors

    def _head(self, method: str, path: str, fields: Mapping[str, str]) -> bytes:
        """Return the head of a request that no HTTP client sends."""
        every = {"Host": self._authority, **fields, **self._headers}
        lines = [f"{name}: {value}" for name, value in every.items()]
        head = [f"{method} {self._path}/{path} HTTP/1.1", *lines, "", ""]
        return "\r\n".join(head).encode("latin-1")


def _tls_of(tls: ssl.SSLObject) -> SeenTLS:
    certificate = tls.getpeercert() or {}
    return SeenTLS(
        version=tls.version() or "",
        protocol=tls.selected_alpn_protocol() or "",
        ends_at=float(ssl.cert_time_to_seconds(str(certificate["notAfter"]))),
    )


async def _cut_after(reader: asyncio.StreamReader, seconds: float) -> float:
    """Return how long the other end was silent before it was cut off.

    Raises:
        TimeoutError: If it was not, within ``seconds``.
        EOFError: If the server has closed the socket by a frame.
    """
    loop = asyncio.get_running_loop()
    heard_at = loop.time()
    async with asyncio.timeout(seconds):
        while data := await _read(reader):
            if data[0] == _CLOSE_FRAME:
                raise EOFError
            heard_at = loop.time()  # a ping
    return loop.time() - heard_at


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(_READ)
    except ConnectionError:
        return b""


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


async def _body(answer: Answer) -> bytes:
    body = b""
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > BODY_BYTES:
            break
    return body[:BODY_BYTES]


def _seen(answer: Answer, body: bytes, *, asked_at: float, seconds: float) -> Seen:
    return Seen(
        status=answer.status_code,
        headers={name.lower(): value for name, value in answer.headers.items()},
        body=body,
        asked_at=asked_at,
        seconds=seconds,
    )


def _failure(exc: Exception) -> str:
    """Return in words why there was no answer.

    Raises:
        Exception: ``exc`` itself, if it does not come from the network.
    """
    if isinstance(exc, TimeoutError):
        return "nothing came in time"
    # Also what cannot be decoded, which no repeated request would cure.
    if not (is_lost(exc) or type(exc).__name__ == "DecodingError"):
        raise exc
    return str(exc) or type(exc).__name__
