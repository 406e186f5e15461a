"""From a request's body to an input object: JSON, JSON with files, or a form.

Size, counts and depth are checked before anything is parsed or kept.

A body can take as long as its size needs on a slow connection. It is ended by silence, or by an
average rate below that of any real connection: a client that only sends a byte now and then.
"""

import asyncio
import math
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Message, Receive

from yieldwire.actions.upload import Upload
from yieldwire.asgi.disconnect import Disconnected
from yieldwire.asgi.envelope import INPUT_PART, unwrap
from yieldwire.asgi.forms import Pairs, coerce
from yieldwire.asgi.jsontext import parse_json
from yieldwire.asgi.requestlimits import RequestLimits
from yieldwire.asgi.safety import Fields
from yieldwire.deadline import Unfinished, at_once
from yieldwire.describe.schema import Schema
from yieldwire.errors import (
    Json,
    ParseError,
    PayloadTooLarge,
    RequestTimedOut,
    StoreError,
    UnsupportedMediaType,
)
from yieldwire.runs.start import close_uploads

FindUpload: TypeAlias = Callable[[str], Awaitable[Upload]]

HEAD_BYTES: Final = 1024
"""The maximum average size of the headers of one part of a multipart body, and of the JSON part's
entry for one file."""
SPOOL_BYTES: Final = 64 * 1024
"""Bytes of an uploaded file that are held in memory; a larger one is written to disk."""


class _Arrival:
    """One body being received. Only the wait for the client counts, not the processing."""

    __slots__ = ("_has_more", "_idle", "_limit", "_rate", "_receive", "_size", "_waited")

    def __init__(self, receive: Receive, limit: int, idle: float, rate: float) -> None:
        self._receive, self._limit, self._idle, self._rate = receive, limit, idle, rate
        self._waited, self._size = 0.0, 0
        self._has_more = True

    def expect(self, length: str) -> None:
        """Check the length that the head declares.

        Raises:
            PayloadTooLarge: If it is over the limit.
        """
        if length.isdecimal() and length.isascii() and int(length[:19]) > self._limit:
            raise self._too_large()

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The body is over the limit of {self._limit} bytes.")

    async def whole(self) -> bytes:
        """Return the whole body. Raises what `_next` does."""
        first = await self._next()
        if not self._has_more:
            return first
        return b"".join([first, *[piece async for piece in self.pieces()]])

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes. Raises what `_next` does."""
        while self._has_more:
            if piece := await self._next():
                yield piece

    async def _next(self) -> bytes:
        """Return the next part that the server received.

        Raises:
            RequestTimedOut: If it takes too long, or everything so far arrived too slowly.
            PayloadTooLarge: If it is over the limit by now.
            Disconnected: If the client left.
        """
        message = at_once(self._receive())
        if isinstance(message, Unfinished):
            message = await self._wait(message)
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece: bytes = message.get("body", b"")
        self._has_more = message.get("more_body", False)
        self._size += len(piece)
        if self._size > self._limit:
            raise self._too_large()
        return piece

    async def _wait(self, waiting: Unfinished) -> Message:
        left = self._idle
        if self._rate:
            left = min(left, self._idle + self._size / self._rate - self._waited)
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            message: Message = await waiting.within(left)
        except TimeoutError:
            raise RequestTimedOut(self._complaint(left)) from None
        finally:
            self._waited += loop.time() - began
        return message

    def _complaint(self, left: float) -> str:
        if left < self._idle:
            return f"The body arrives at less than {self._rate:g} bytes per second."
        return f"No part of the body arrived for {self._idle:g} s."


async def read_input(
    headers: Fields,
    receive: Receive,
    schema: Schema,
    limits: RequestLimits,
    idle: float,
    find: FindUpload | None = None,
) -> Json:
    """Return the content of the body, not validated yet. The caller closes the files in it.

    A form is read by its ``schema``. If this raises, or is cancelled, no file stays open.
    ``find`` returns the file for a text in its place; the body then has no others.

    Raises:
        UnsupportedMediaType: If its type is not supported.
        PayloadTooLarge: If it is over a limit.
        ParseError: If it cannot be read.
        RequestTimedOut: If nothing of it arrives for ``idle`` seconds, or if after that time its
            average rate is below the minimum rate of ``limits``.
        StoreError: If a file in it cannot be written to the disk.
    """
    kind = _kind_of(headers.get("content-type", ""))
    is_multipart = kind == "multipart/form-data"
    limit = limits.upload_bytes if is_multipart else limits.json_bytes
    arrival = _Arrival(receive, limit, idle, limits.body_rate)
    arrival.expect(headers.get("content-length", "0"))
    try:
        if is_multipart:
            part, fields = await _read_multipart(headers, arrival, limits)
            if part is None:
                return _coerced(fields, schema, limits)
            if find is not None:
                fields = await _found(fields, find)
            return _unwrapped(part, fields, limits)
        body = await arrival.whole()
    except Disconnected:
        raise ParseError("The body ends too early.") from None
    if kind == "application/json" or kind.endswith("+json"):
        return parse_json(body, limits.depth) if body else {}
    if kind == "application/x-www-form-urlencoded":
        return _coerced(_parse_form(body, limits), schema, limits)
    if not kind and not body:
        return {}
    raise UnsupportedMediaType("Send application/json, a form, or multipart/form-data with files.")


@lru_cache(maxsize=256)  # nearly every request has one of a few
def _kind_of(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


async def read_whole(
    headers: Fields, receive: Receive, limits: RequestLimits, idle: float
) -> bytes:
    """Return a body as it is, for a dialect that has its own envelope.

    Raises:
        PayloadTooLarge: If it exceeds the limit for JSON.
        ParseError: If it ends early.
        RequestTimedOut: As for `read_input`.
    """
    arrival = _Arrival(receive, limits.json_bytes, idle, limits.body_rate)
    arrival.expect(headers.get("content-length", "0"))
    try:
        return await arrival.whole()
    except Disconnected:
        raise ParseError("The body ends too early.") from None


def _coerced(fields: Pairs, schema: Schema, limits: RequestLimits) -> Json:
    try:
        return coerce(fields, schema, max_depth=limits.depth)
    except BaseException:
        close_uploads([value for _, value in fields])
        raise


async def _found(fields: Pairs, find: FindUpload) -> Pairs:
    try:
        texts = [(name, text) for name, text in fields if isinstance(text, str)]
        if len(texts) < len(fields):
            raise ParseError("A start with a place for its uploads has no other files.")
        return [(name, await find(text)) for name, text in texts]
    except BaseException:
        close_uploads([value for _, value in fields])
        raise


def _unwrapped(part: bytes, files: Pairs, limits: RequestLimits) -> Json:
    try:
        return unwrap(part, files, max_depth=limits.depth)
    except BaseException:
        close_uploads([value for _, value in files])
        raise


def _parse_form(body: bytes, limits: RequestLimits) -> Pairs:
    if body[:1] == b"{":
        raise UnsupportedMediaType(
            "This looks like JSON sent as a form; add the header Content-Type: application/json."
        )
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            max_num_fields=limits.fields,
            errors="strict",
        )
    except UnicodeDecodeError as exc:
        raise ParseError("The form is not UTF-8.") from exc
    except ValueError as exc:
        raise PayloadTooLarge(f"A form can have at most {limits.fields} fields.") from exc
    return list(pairs)


class _Parser(MultiPartParser):
    """Holds little of a body in memory: fields up to the JSON limit, and the heads of parts."""

    spool_max_size = SPOOL_BYTES
    fields_left = bytes_left = heads_left = 0
    input_head = 0
    """Bytes that the JSON part can have in addition to the input, for the places of the files."""
    input: bytearray | None = None
    """The JSON part, byte for byte."""

    def on_headers_finished(self) -> None:
        """Start the content of a part."""
        super().on_headers_finished()
        part = self._current_part
        if part.file is not None:
            return
        if part.field_name == INPUT_PART:
            if self.input is not None:
                raise MultiPartException("Two parts are the input.")
            self.input = part.data
            self.bytes_left += self.input_head
            return
        self.fields_left -= 1
        if self.fields_left < 0:
            raise MultiPartException("Too many fields.")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """Add a piece of a part."""
        if self._current_part.file is None:
            self.bytes_left -= end - start
            if self.bytes_left < 0:
                raise MultiPartException("Too many bytes in fields; send large values as files.")
        if self._current_part.data is self.input:
            self._current_part.data += data[start:end]
        else:
            super().on_part_data(data, start, end)

    def on_part_end(self) -> None:
        """Keep a complete part."""
        if self._current_part.data is not self.input:
            super().on_part_end()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        """Add a piece of a header's name."""
        self._hold_head(end - start)
        super().on_header_field(data, start, end)

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        """Add a piece of a header's value."""
        self._hold_head(end - start)
        super().on_header_value(data, start, end)

    def _hold_head(self, size: int) -> None:
        self.heads_left -= size
        if self.heads_left < 0:
            raise MultiPartException("Too many bytes in the heads of parts.")


async def _read_multipart(
    headers: Fields, arrival: _Arrival, limits: RequestLimits
) -> tuple[bytes | None, Pairs]:
    """Return the JSON part, if there is one, and all other parts."""
    _, options = parse_options_header(headers["content-type"])
    if options.get(b"charset", b"utf-8").lower() not in {b"utf-8", b"utf8"}:
        # The parser would look it up among Python's codecs, and some of those raise or are slow.
        raise UnsupportedMediaType("Send a multipart body in UTF-8.")
    async with aclosing(arrival.pieces()) as pieces:
        parser = _Parser(
            Headers(headers),
            pieces,
            max_files=limits.files,
            max_fields=math.inf,  # `_Parser` counts them: the JSON part is not a field
            max_part_size=limits.field_bytes,
        )
        parser.fields_left, parser.bytes_left = limits.fields, limits.json_bytes
        parser.input_head = HEAD_BYTES * limits.files
        parser.heads_left = HEAD_BYTES * (limits.files + limits.fields)
        try:
            form = await parser.parse()  # closes every file if it fails
        except MultiPartException as exc:
            raise _multipart_error(exc) from exc
        except OSError as exc:
            raise StoreError(f"Files cannot be received: {exc.strerror or exc}.") from exc
    part = None if parser.input is None else bytes(parser.input)
    return part, [(name, _field(value)) for name, value in form.multi_items()]


def _multipart_error(exc: MultiPartException) -> PayloadTooLarge | ParseError:
    if exc.message.startswith(("Too many", "Part exceeded")):
        return PayloadTooLarge(exc.message)
    return ParseError("The multipart body cannot be read.")


def _field(value: UploadFile | str) -> str | Upload:
    if isinstance(value, str):
        return value
    return Upload(value.file, filename=value.filename or "", content_type=value.content_type)
