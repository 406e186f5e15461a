"""How a client describes files that it writes to the object store itself."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from yieldwire.actions.schema import field_errors
from yieldwire.errors import ParseError, ValidationFailed
from yieldwire.stores.direct import NewFile

_FORBID: Final = ConfigDict(extra="forbid", strict=True)
_HASH: Final = StringConstraints(pattern=r"^[0-9a-f]{64}$")
_KIND: Final = StringConstraints(pattern=r"^[ -~]{1,255}$")


class _File(BaseModel):
    model_config = _FORBID

    sha256: Annotated[str, _HASH]
    size: Annotated[int, Field(ge=0, lt=2**53)]
    kind: Annotated[str, _KIND, Field(alias="contentType")]

    def new(self) -> NewFile:
        return NewFile(sha256=self.sha256, size=self.size, content_type=self.kind)


class _Files(BaseModel):
    model_config = _FORBID

    files: Annotated[list[_File], Field(min_length=1)]


def new_files(body: bytes) -> list[NewFile]:
    """Return the files that a request for a place names.

    Raises:
        ValidationFailed: If it does not name files.
    """
    try:
        return [file.new() for file in _Files.model_validate_json(body).files]
    except ValidationError as exc:
        raise ValidationFailed(field_errors(exc)) from exc


def new_file(text: str) -> NewFile:
    """Return the file that a body has ``text`` for.

    Raises:
        ParseError: If it describes no file.
    """
    try:
        return _File.model_validate_json(text).new()
    except ValidationError as exc:
        raise ParseError(
            "A file in a place for uploads is its sha256, size and contentType."
        ) from exc
