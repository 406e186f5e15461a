"""From a request's body to an input object: JSON, a form, or multipart with files.

Sizes, counts and depth are checked before anything is parsed or kept.
"""

from collections.abc import AsyncGenerator
from typing import Any
from urllib.parse import parse_qsl

from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.types import Receive

from yieldwire.actions import Action
from yieldwire.asgi.bounds import Bounds
from yieldwire.asgi.forms import coerce
from yieldwire.asgi.jsontext import parse_json
from yieldwire.errors import (
    Json,
    ParseError,
    PayloadTooLarge,
    RequestTimedOut,
    UnsupportedMediaType,
)
from yieldwire.timer import within
from yieldwire.upload import Upload


class _Departed(Exception):
    """The client left in the middle of its request."""


async def read_input(
    headers: Headers,
    receive: Receive,
    action: Action[..., Any, Any],
    bounds: Bounds,
    timeout: float,
) -> Json:
    """Return what the body says, not validated yet.

    Raises:
        UnsupportedMediaType: If it is of no type that is read here.
        PayloadTooLarge: If it is over a limit.
        ParseError: If it cannot be read.
        RequestTimedOut: If it does not arrive within ``timeout`` seconds.
    """
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "multipart/form-data":
            fields = await within(timeout, _read_multipart(headers, receive, bounds))
            return coerce(fields, action.input_schema, max_depth=bounds.depth)
        body = await within(timeout, _read(headers, receive, bounds.json_bytes))
    except TimeoutError:
        raise RequestTimedOut(f"The body did not arrive within {timeout:g} s.") from None
    except _Departed:
        raise ParseError("The body ends too early.") from None
    if kind == "application/json" or kind.endswith("+json"):
        return parse_json(body, bounds.depth) if body else {}
    if kind == "application/x-www-form-urlencoded":
        return coerce(_parse_form(body, bounds), action.input_schema, max_depth=bounds.depth)
    if not kind and not body:
        return {}
    raise UnsupportedMediaType("Send application/json, a form, or multipart/form-data with files.")


async def _stream(headers: Headers, receive: Receive, limit: int) -> AsyncGenerator[bytes, None]:
    declared = headers.get("content-length", "0")
    if declared.isdecimal() and declared.isascii():
        _check_size(int(declared[:19]), limit)
    size, has_more = 0, True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Departed
        piece: bytes = message.get("body", b"")
        has_more = message.get("more_body", False)
        size += len(piece)
        _check_size(size, limit)
        if piece:
            yield piece


async def _read(headers: Headers, receive: Receive, limit: int) -> bytes:
    return b"".join([piece async for piece in _stream(headers, receive, limit)])


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise PayloadTooLarge(f"The body is over the limit of {limit} bytes.")


def _parse_form(body: bytes, bounds: Bounds) -> list[tuple[str, str | Upload]]:
    if body[:1] == b"{":
        raise UnsupportedMediaType(
            "This looks like JSON sent as a form; add the header Content-Type: application/json."
        )
    try:
        pairs = parse_qsl(
            body.decode("utf-8"),
            keep_blank_values=True,
            max_num_fields=bounds.fields,
            errors="strict",
        )
    except UnicodeDecodeError as exc:
        raise ParseError("The form is not UTF-8.") from exc
    except ValueError as exc:
        raise PayloadTooLarge(f"A form may have {bounds.fields} fields.") from exc
    return list(pairs)


async def _read_multipart(
    headers: Headers, receive: Receive, bounds: Bounds
) -> list[tuple[str, str | Upload]]:
    _, options = parse_options_header(headers["content-type"])
    if options.get(b"charset", b"utf-8").lower() not in {b"utf-8", b"utf8"}:
        # The parser would look it up among Python's codecs, of which some raise or take long.
        raise UnsupportedMediaType("Send a multipart body in UTF-8.")
    parser = MultiPartParser(
        headers,
        _stream(headers, receive, bounds.upload_bytes),
        max_files=bounds.files,
        max_fields=bounds.fields,
        max_part_size=bounds.field_bytes,
    )
    try:
        form = await parser.parse()
    except MultiPartException as exc:
        raise _multipart_error(exc) from exc
    return [(name, _field(value)) for name, value in form.multi_items()]


def _multipart_error(exc: MultiPartException) -> PayloadTooLarge | ParseError:
    if exc.message.startswith(("Too many", "Part exceeded")):
        return PayloadTooLarge(exc.message)
    return ParseError("The multipart body cannot be read.")


def _field(value: UploadFile | str) -> str | Upload:
    if isinstance(value, str):
        return value
    return Upload(value.file, filename=value.filename or "", content_type=value.content_type)
