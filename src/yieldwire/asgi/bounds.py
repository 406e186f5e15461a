"""How large a request may be, and how many streams one caller may have."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Limits that are checked before or while a request is read.

    Attributes:
        json_bytes: Bytes of a JSON or form body.
        upload_bytes: Bytes of a multipart body, files and all.
        files: Files in a multipart body.
        fields: Fields in a form.
        field_bytes: Bytes of one multipart field that is no file.
        depth: How deep arrays and objects may nest.
        streams: Streams and waiting answers that one caller may have open at a time.
    """

    json_bytes: int = 1024 * 1024
    upload_bytes: int = 1024 * 1024 * 1024
    files: int = 100
    fields: int = 1000
    field_bytes: int = 1024 * 1024
    depth: int = 32
    streams: int = 5000
