"""HTTP/1.1 by the byte: for hostile requests, and for reading without trusting a client."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic_core import from_json, to_json

T = TypeVar("T")

_READ: Final = 64 * 1024


class Broken(Exception):
    """The connection ended before the message did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response, as far as it was read: the names of its headers are lower-case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> Any:  # noqa: ANN401 - whatever JSON can say
        """Return the body's value."""
        return from_json(self.body)


def request(
    method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> bytes:
    """Return a request's bytes: nothing is added but ``Host`` and the body's length."""
    fields = {"Host": "127.0.0.1", **(headers or {})}
    if body is not None:
        fields["Content-Length"] = str(len(body))
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + (body or b"")


def post(path: str, value: object = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a POST of JSON."""
    fields = {"Content-Type": "application/json", **(headers or {})}
    return request("POST", path, fields, to_json({} if value is None else value))


class Response:
    """A response whose body is read as it comes."""

    def __init__(self, reader: asyncio.StreamReader, head: Answer) -> None:
        self._reader = reader
        self.status: Final = head.status
        self.headers: Final = head.headers

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield the body, its transfer coding removed, as it comes.

        Raises:
            Broken: If the connection ends before the body does.
        """
        if self.headers.get("transfer-encoding") == "chunked":
            async for piece in self._chunks():
                yield piece
            return
        left = int(self.headers.get("content-length", 0))
        while left:
            piece = await _guard(self._reader.read(min(left, _READ)))
            if not piece:
                raise Broken("the body is too short")
            left -= len(piece)
            yield piece

    async def _chunks(self) -> AsyncIterator[bytes]:
        while True:
            size = int((await _line(self._reader)).partition(b";")[0], 16)
            left = size
            while left:  # what there is of a chunk, without waiting for its end
                piece = await _guard(self._reader.read(left))
                if not piece:
                    raise Broken("a chunk is too short")
                left -= len(piece)
                yield piece
            await _line(self._reader)
            if not size:
                return

    async def whole(self) -> Answer:
        """Return the response with all of its body."""
        body = b"".join([piece async for piece in self.pieces()])
        return Answer(status=self.status, headers=self.headers, body=body)


@asynccontextmanager
async def exchange(port: int, data: bytes) -> AsyncGenerator[Response]:
    """Send a request's bytes, give its response; leaving resets the connection.

    Raises:
        Broken: If the connection ends before the response's head does.
    """
    reader, writer = await _guard(asyncio.open_connection("127.0.0.1", port))
    try:
        writer.write(data)
        await _guard(writer.drain())
        yield Response(reader, await _head(reader))
    finally:
        writer.transport.abort()


async def fetch(port: int, data: bytes) -> Answer:
    """Send a request's bytes and return the whole response."""
    async with exchange(port, data) as response:
        return await response.whole()


async def send_raw(port: int, data: bytes) -> bytes:
    """Send any bytes at all, and return whatever comes until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        await writer.drain()
        return await reader.read()
    finally:
        writer.transport.abort()


async def _head(reader: asyncio.StreamReader) -> Answer:
    _, status, *_ = (await _line(reader)).split(b" ", 2)
    headers: dict[str, str] = {}
    while line := (await _line(reader)).decode("latin-1"):
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Answer(status=int(status), headers=headers)


async def _line(reader: asyncio.StreamReader) -> bytes:
    line = await _guard(reader.readline())
    if not line.endswith(b"\n"):
        raise Broken("a line has no end")
    return line.rstrip(b"\r\n")


async def _guard(awaitable: Awaitable[T]) -> T:
    try:
        return await awaitable
    except OSError as exc:
        raise Broken("the connection broke") from exc
