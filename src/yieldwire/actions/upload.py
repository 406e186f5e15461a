"""An uploaded file."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_BLOCK_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that is kept elsewhere, and is only opened when it is needed.

    Attributes:
        open: Opens it; it can block.
        size: Its bytes.
        sha256: The SHA-256 of its content as hexadecimal digits.
    """

    open: Callable[[], BinaryIO]
    size: int
    sha256: str


class Upload:
    """An uploaded file, on disk if it is large.

    The run owns it: it stays open until the run has ended, whatever happens to the request, and
    a refused start closes it. ``filename`` is the sender's name for it, without folders, for
    display only; the file on disk has a name created by the server.
    """

    def __init__(
        self,
        file: "BinaryIO | KeptFile",
        *,
        filename: str = "upload",
        content_type: str | None = None,
    ) -> None:
        self.filename: str = _base_name(filename)
        self.content_type: str = content_type or "application/octet-stream"
        self._file: BinaryIO | None = None
        self._kept: KeptFile | None = None
        self._sha256: str | None = None
        self._is_closed = False
        self.is_kept: Final = isinstance(file, KeptFile)
        """Whether it was kept elsewhere before it was opened."""
        self.size: int
        if isinstance(file, KeptFile):
            self._kept, self._sha256, self.size = file, file.sha256, file.size
        else:
            self._file, self.size = file, file.seek(0, os.SEEK_END)
            file.seek(0)
        if (uploads := _collecting.get()) is not None:
            uploads.own(self)

    @property
    def file(self) -> BinaryIO:
        """The open file. When an attempt begins, every file of its input is open.

        Raises:
            OSError: If the file is kept elsewhere, and cannot be opened.
        """
        self.fetch()
        if self._file is None:
            raise ValueError("I/O operation on closed file.")
        return self._file

    @property
    def is_open(self) -> bool:
        """Whether using the file opens nothing."""
        return self._kept is None

    def fetch(self) -> None:
        """Open the file if it is kept elsewhere. It blocks. Calling it again has no effect.

        Raises:
            OSError: If it cannot be opened.
        """
        if self._kept is None or self.is_closed:
            return
        file = self._kept.open()
        self._file, self._kept = file, None
        if self._is_closed:  # by another thread, meanwhile
            file.close()

    def __repr__(self) -> str:
        return f"Upload(filename={self.filename!r}, size={self.size})"

    async def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes from the current position; all of it if negative."""
        return await asyncio.to_thread(lambda: self.file.read(size))

    def sha256(self) -> str:
        """Return the content's SHA-256 as hexadecimal digits; the position does not change."""
        if self._sha256 is None:
            digest, place = hashlib.sha256(), self.file.tell()
            self.file.seek(0)
            while piece := self.file.read(_BLOCK_BYTES):
                digest.update(piece)
            self.file.seek(place)
            self._sha256 = digest.hexdigest()
        return self._sha256

    @classmethod
    def at(cls, path: Path, *, filename: str, content_type: str | None = None) -> Self:
        """Open the file at ``path``.

        Raises:
            OSError: If it cannot be read.
        """
        file = path.open("rb")
        try:
            return cls(file, filename=filename, content_type=content_type)
        except BaseException:
            file.close()
            raise

    def close(self) -> None:
        """Close the file; a temporary file is deleted."""
        self._is_closed = True
        if self._file is not None:
            with suppress(Exception):  # a file that fails here does not keep another one open
                self._file.close()

    @property
    def is_closed(self) -> bool:
        """Whether it can no longer be read."""
        return self._is_closed or (self._file is not None and self._file.closed)

    def rename(self, filename: str) -> None:
        """Set the sender's name for it."""
        self.filename = _base_name(filename)

    @classmethod
    def __get_pydantic_core_schema__(
        cls,
        source: Any,  # noqa: ANN401 - Pydantic's own protocol
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            cls._validate,
            serialization=core_schema.plain_serializer_function_ser_schema(cls._describe),
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        if handler.mode == "validation":
            return {"type": "string", "format": "binary"}
        fields = {
            "filename": {"type": "string"},
            "contentType": {"type": "string"},
            "size": {"type": "integer"},
            "sha256": {"type": "string"},
        }
        return {"type": "object", "properties": fields, "required": list(fields)}

    @classmethod
    def _validate(cls, value: object) -> "Upload":
        uploads = _collecting.get()
        if isinstance(value, Upload):
            if uploads is not None:
                uploads.own(value)
            if value.is_closed:
                raise ValueError("the file is closed, as a run's files are; open it for each run")
            return value
        if uploads is not None and uploads.reopen is not None:
            return uploads.reopen(value)
        # Only Python callers can pass these two: no wire format creates them.
        if isinstance(value, Path):
            return cls.at(value, filename=value.name)
        if hasattr(value, "read") and hasattr(value, "seek"):
            file = cast("BinaryIO", value)
            return cls(file, filename=Path(str(getattr(file, "name", "upload"))).name)
        raise ValueError("send a file, as a part of a multipart form")

    @staticmethod
    def _describe(upload: "Upload") -> dict[str, object]:
        digest = upload.sha256()
        if (uploads := _collecting.get()) is not None:
            uploads.described[digest] = upload
        return {
            "filename": upload.filename,
            "contentType": upload.content_type,
            "size": upload.size,
            "sha256": digest,
        }


class Uploads:
    """The files of one start, one message or one attempt: wherever in it, they close together.

    ``reopen`` returns the file for a record in a stored input; without it a record is not treated
    as a file.
    """

    def __init__(
        self, owned: Iterable[Upload] = (), *, reopen: Callable[[object], Upload] | None = None
    ) -> None:
        self._owned, self._is_closed = list(owned), False
        self.reopen: Final = reopen
        self.described: Final[dict[str, Upload]] = {}
        """The records in a stored input, by hash: an attempt in another process needs these."""

    @contextmanager
    def collecting(self) -> Generator[None, None, None]:
        """Own every upload that is created or validated in this context meanwhile.

        So neither its nesting nor the success of the validation matters.
        """
        token = _collecting.set(self)
        try:
            yield
        finally:
            _collecting.reset(token)

    def own(self, upload: Upload) -> None:
        """Close ``upload`` with the others; at once, if they are closed already."""
        self._owned.append(upload)
        if self._is_closed:
            upload.close()

    def of_record(self, record: object) -> Upload:
        """Return the file that was described as ``record``.

        Raises:
            ValueError: If it is not the record of one of these.
        """
        digest = record.get("sha256") if isinstance(record, dict) else None
        if not isinstance(digest, str) or digest not in self.described:
            raise ValueError("this is not a record of a file")
        return self.described[digest]

    @property
    def are_open(self) -> bool:
        """Whether using the files opens nothing."""
        return all(upload.is_open for upload in self._owned)

    def fetch(self) -> None:
        """Open every file that is kept elsewhere. It blocks, and is called in a thread.

        Raises:
            OSError: If one cannot be opened.
        """
        for upload in list(self._owned):
            upload.fetch()

    def close(self) -> None:
        """Close every file. Calling it again has no effect."""
        self._is_closed = True
        for upload in self._owned:
            upload.close()


_collecting: Final[ContextVar[Uploads | None]] = ContextVar("yieldwire_uploads", default=None)


def _base_name(name: str) -> str:
    base = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in base if character.isprintable())
    return printable.strip(" .")[:255] or "upload"
