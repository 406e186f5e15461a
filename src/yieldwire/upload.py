"""A file that came with the input."""

import asyncio
import hashlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_BLOCK_BYTES: Final = 1024 * 1024


class Upload:
    """A file that came with the input, on disk where it is large.

    The run owns it: it stays open until the run has ended, whatever became of the
    request that brought it. ``filename`` is what the sender called it, without any folder,
    for showing only; the file on disk has a name that the server made.
    """

    def __init__(
        self, file: BinaryIO, *, filename: str = "upload", content_type: str | None = None
    ) -> None:
        self.file = file
        self.filename = _base_name(filename)
        self.content_type = content_type or "application/octet-stream"
        self.size = file.seek(0, os.SEEK_END)
        file.seek(0)
        self._sha256: str | None = None

    def __repr__(self) -> str:
        return f"Upload(filename={self.filename!r}, size={self.size})"

    async def read(self, size: int = -1) -> bytes:
        """Return up to ``size`` bytes from where the file stands; all of it where negative."""
        return await asyncio.to_thread(self.file.read, size)

    def sha256(self) -> str:
        """Return the content's SHA-256 as hexadecimal digits; the position stays."""
        if self._sha256 is None:
            digest, place = hashlib.sha256(), self.file.tell()
            self.file.seek(0)
            while piece := self.file.read(_BLOCK_BYTES):
                digest.update(piece)
            self.file.seek(place)
            self._sha256 = digest.hexdigest()
        return self._sha256

    def close(self) -> None:
        """Let the file go; one that lives in a temporary place is deleted."""
        self.file.close()

    @classmethod
    def __get_pydantic_core_schema__(
        cls,
        source: Any,  # noqa: ANN401 - Pydantic's own protocol
        handler: GetCoreSchemaHandler,
    ) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
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
    def _validate(cls, value: object, info: ValidationInfo) -> "Upload":
        if isinstance(value, Upload):
            return value
        if isinstance(info.context, KeptFiles):
            return info.context.open(value)
        # Only Python callers can hand in these two: no wire format makes them.
        if isinstance(value, Path):
            return cls(value.open("rb"), filename=value.name)
        if hasattr(value, "read") and hasattr(value, "seek"):
            file = cast("BinaryIO", value)
            return cls(file, filename=Path(str(getattr(file, "name", "upload"))).name)
        raise ValueError("send a file, as a part of a multipart form")

    @staticmethod
    def _describe(upload: "Upload") -> dict[str, object]:
        return {
            "filename": upload.filename,
            "contentType": upload.content_type,
            "size": upload.size,
            "sha256": upload.sha256(),
        }


class KeptFiles:
    """The files of one run's input, kept on disk for as long as an attempt may need them.

    Each is stored by its hash, so that its record in the run's input finds it again.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, uploads: Iterable[Upload]) -> None:
        """Write every upload's content down, safe from the end of the process."""
        for upload in uploads:
            self._folder.mkdir(parents=True, exist_ok=True)
            target = self._folder / upload.sha256()
            with target.open("wb") as copy:
                upload.file.seek(0)
                shutil.copyfileobj(upload.file, copy, _BLOCK_BYTES)
                copy.flush()
                os.fsync(copy.fileno())
            upload.file.seek(0)

    def open(self, record: object) -> Upload:
        """Return the upload that a record in a run's input stands for.

        Raises:
            ValueError: If it is not kept here.
        """
        match record:
            case {"filename": str(name), "contentType": str(kind), "sha256": str(digest)}:
                path = self._folder / Path(digest).name
            case _:
                raise ValueError("this is no record of a file")
        try:
            return Upload(path.open("rb"), filename=name, content_type=kind)
        except OSError as exc:
            raise ValueError(f"the file {name!r} is not kept any more") from exc

    def forget(self) -> None:
        """Delete what was kept."""
        shutil.rmtree(self._folder, ignore_errors=True)


def _base_name(name: str) -> str:
    base = name.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in base if character.isprintable())
    return printable.strip(" .")[:255] or "upload"
