"""Encodes an input or a message as a request's body: JSON, or the same JSON next to files.

httpx2 can send files as well, but reads them in the event loop, where a slow disk holds up every
other request.
"""

import asyncio
import io
import mimetypes
import os
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO, Final, TypeAlias
from urllib.parse import urlencode

from pydantic_core import to_json

from yieldwire.client.places import UploadLike, has_files, without_files
from yieldwire.errors import UsageError
from yieldwire.log.chunks import Progress

_PIECE_BYTES: Final = 256 * 1024
_ESCAPES: Final = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})  # WHATWG HTML 4.10.22.8

Input: TypeAlias = Mapping[str, object] | object
"""The input object: a mapping, or an object that Pydantic serializes as a JSON object."""


OnUpload: TypeAlias = Callable[[Progress], object]
"""Called with how many bytes of the files of a request were sent, of how many."""


class Sent:
    """How much of some files was sent: told when it begins, and after each piece."""

    def __init__(self, files: Sequence["FilePart"], on_upload: OnUpload | None) -> None:
        self._total, self._on_upload = sum(file.size for file in files), on_upload
        self._tell(0)

    async def pieces(self, file: "FilePart", before: int) -> AsyncIterator[bytes]:
        """Yield a file's content; ``before`` is the size of the files before it."""
        sent = before
        async for piece in file.pieces():
            yield piece
            sent += len(piece)
            self._tell(sent)

    def _tell(self, sent: int) -> None:
        if self._on_upload is not None:
            self._on_upload(Progress(sent, total=self._total))


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A request's body, which can be sent more than once."""

    content_type: str
    length: int
    parts: Sequence["bytes | FilePart"] = field(repr=False)
    is_upload: bool = False
    on_upload: OnUpload | None = None

    @property
    def files(self) -> Sequence["FilePart"]:
        """The files in it, in the order of their numbers."""
        return [part for part in self.parts if not isinstance(part, bytes)]

    def referring(self, texts: Sequence[bytes]) -> "Content":
        """Return a body that has a text in the place of each file."""
        boundary = self.content_type.partition("boundary=")[2]
        opening = self.parts[0]
        return _multipart(boundary, opening if isinstance(opening, bytes) else b"", texts)

    def content(self) -> bytes | AsyncIterator[bytes]:
        """Return the content to send, from the start."""
        if not self.is_upload:
            return b"".join(part for part in self.parts if isinstance(part, bytes))
        return self._pieces()

    async def _pieces(self) -> AsyncIterator[bytes]:
        sent, before = Sent(self.files, self.on_upload), 0
        for part in self.parts:
            if isinstance(part, bytes):
                yield part
            else:
                async for piece in sent.pieces(part, before):
                    yield piece
                before += part.size


EMPTY: Final = Content(content_type="application/json", length=2, parts=[b"{}"])
"""The body of a request that says everything in its address and headers."""


async def body_of(input: Input, on_upload: OnUpload | None = None) -> Content:
    """Return the body that carries ``input``.

    A `pathlib.Path`, an `Upload` or a file opened in binary mode, anywhere in it, is sent as a
    file; everything else means the same as in JSON without files.

    Raises:
        UsageError: If a file is not open in binary mode, or cannot be read twice.
    """
    return await content_of({} if input is None else input, on_upload)


async def content_of(value: object, on_upload: OnUpload | None = None) -> Content:
    """Return the body that carries any value: an answer, or a message.

    Args:
        value: The value.
        on_upload: Called while its files are sent.

    Raises:
        UsageError: As `body_of`.
    """
    if has_files(value):
        return replace(await asyncio.to_thread(_form, value), on_upload=on_upload)
    content = to_json(value, by_alias=True)
    return Content(content_type="application/json", length=len(content), parts=[content])


def query_of(input: Mapping[str, object]) -> str:
    """Return an input object as the query of a feed."""
    return urlencode([(name, text) for name, value in input.items() for text in _texts_of(value)])


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A file that is sent, from its start each time."""

    source: Path | BinaryIO
    name: str
    content_type: str
    size: int

    async def pieces(self) -> AsyncIterator[bytes]:
        """Yield its content, read in a thread."""
        source = self.source
        file = await asyncio.to_thread(source.open, "rb") if isinstance(source, Path) else source
        try:
            await asyncio.to_thread(file.seek, 0)
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                yield piece
        finally:
            if file is not source:
                await asyncio.to_thread(file.close)


def _file(value: object) -> FilePart:
    if isinstance(value, Path):
        return FilePart(
            source=value,
            name=_sendable(value.name),
            content_type=_type_of(value.name),
            size=value.stat().st_size,
        )
    if isinstance(value, UploadLike):
        return FilePart(
            source=value.file,
            name=_sendable(value.filename),
            content_type=_header_text(value.content_type),
            size=_size(value.file),
        )
    name = Path(str(getattr(value, "name", "upload"))).name
    return FilePart(
        source=value,  # type: ignore[arg-type]  # it has read and seek
        name=_sendable(name),
        content_type=_type_of(name),
        size=_size(value),
    )


def _sendable(name: str) -> str:
    """Return a file's name without characters that are invalid in UTF-8."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _header_text(content_type: str) -> str:
    is_text = content_type.isascii() and content_type.isprintable()
    return content_type if is_text else "application/octet-stream"


def _size(file: object) -> int:
    if not isinstance(file, io.IOBase) or file.seekable():
        return int(file.seek(0, os.SEEK_END))  # type: ignore[attr-defined]
    raise UsageError("A file to be sent must be seekable, so that a request can be repeated.")


def _type_of(name: str) -> str:
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _texts_of(value: object) -> Iterator[str]:
    if isinstance(value, (list, tuple)):
        for item in value:
            if isinstance(item, (list, tuple)):
                yield to_json(item, by_alias=True).decode()
            else:
                yield from _texts_of(item)
    elif isinstance(value, str):
        yield value
    elif value is not None:
        text = to_json(value, by_alias=True).decode()
        # A value that is a string in JSON, such as a date, is sent as plain text.
        yield text[1:-1] if text.startswith('"') and "\\" not in text else text


def _form(input: object) -> Content:
    files, places = list[FilePart](), list[str]()

    def take(value: object, place: str) -> str:
        files.append(_file(value))
        places.append(place)
        return files[-1].name

    text = to_json(without_files(input, take), by_alias=True)
    boundary = secrets.token_hex(16)
    opening = b'%b":input"\r\n\r\n{"input":%b,"files":%b}\r\n' % (
        _head(boundary),
        text,
        to_json(places),
    )
    return _multipart(boundary, opening, files)


def _head(boundary: str) -> bytes:
    return f"--{boundary}\r\nContent-Disposition: form-data; name=".encode()


def _multipart(boundary: str, opening: bytes, fields: Sequence[bytes | FilePart]) -> Content:
    """Return a body with a part for each of ``fields``, named by their numbers."""
    parts: list[bytes | FilePart] = [opening]
    for number, field_ in enumerate(fields):
        about = f'"{number}"'
        if isinstance(field_, FilePart):
            about += f'; filename="{field_.name.translate(_ESCAPES)}"'
            about += f"\r\nContent-Type: {field_.content_type}"
        parts += [_head(boundary) + f"{about}\r\n\r\n".encode(), field_, b"\r\n"]
    parts.append(f"--{boundary}--\r\n".encode())
    return Content(
        content_type=f"multipart/form-data; boundary={boundary}",
        length=sum(len(part) if isinstance(part, bytes) else part.size for part in parts),
        parts=parts,
        is_upload=any(isinstance(part, FilePart) for part in parts),
    )
