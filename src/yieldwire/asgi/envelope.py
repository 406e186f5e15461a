"""JSON with files: the input as one part of a multipart body, and each file as another part.

The JSON part is ``{"input": …, "files": ["/file", "/pages/0/scan"]}``. At each place that
``files`` lists, as a JSON pointer (RFC 6901), the input has the file's name, and the file itself
is the part named by the number of that place. So the JSON means the same as a JSON body, and no
string in it can be mistaken for a file.
"""

import re
from collections.abc import Sequence
from typing import Any, Final

from yieldwire.actions.upload import Upload
from yieldwire.asgi.forms import Pairs
from yieldwire.asgi.jsontext import parse_json
from yieldwire.errors import Json, ParseError

INPUT_PART: Final = ":input"
"""The name of the JSON part, which no parameter can have."""

_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")
_BAD_ESCAPE: Final = re.compile(r"~(?![01])")


def unwrap(part: bytes, parts: Pairs, *, max_depth: int) -> Json:
    """Return the input in the JSON ``part``, with the files of the other parts in it.

    Raises:
        ParseError: If it is not such JSON, or its list of files does not match the other parts.
            The files stay open.
    """
    envelope = parse_json(part, max_depth, around=1)
    if not isinstance(envelope, dict) or envelope.keys() != {"input", "files"}:
        raise ParseError(f'The part {INPUT_PART!r} must be {{"input": …, "files": […]}}.')
    places, whole = envelope["files"], envelope["input"]
    if not isinstance(places, list) or not all(isinstance(place, str) for place in places):
        raise ParseError(f"The files of the part {INPUT_PART!r} must be a list of JSON pointers.")
    holder = {"": whole}
    for number, (place, file) in enumerate(zip(places, _numbered(parts, len(places)), strict=True)):
        _put(holder, place, file, number)
    return holder[""]


def _numbered(parts: Pairs, count: int) -> Sequence[Upload]:
    """Return the files by their numbers; each number must be there once."""
    files = dict[str, Upload]()
    for name, file in parts:
        if not isinstance(file, Upload):
            raise ParseError(f"A body with a part {INPUT_PART!r} has no other fields, only files.")
        if name in files:
            raise ParseError("Two parts are the same file.")
        files[name] = file
    for number in range(count):
        if str(number) not in files:
            raise ParseError(f"The part {INPUT_PART!r} lists file {number}; the body has no such.")
    if len(files) > count:
        raise ParseError(f"The body has {len(files)} files; its part {INPUT_PART!r} lists {count}.")
    return [files[str(number)] for number in range(count)]


def _put(root: dict[str, Json], place: str, file: Upload, number: int) -> None:
    """Replace the file's name at ``place``, in the one member of ``root``, by the file."""
    holder: Any = root
    key: str | int | None = ""
    if place[:1] not in {"", "/"} or _BAD_ESCAPE.search(place):
        raise ParseError(f"The place of file {number} is not a JSON pointer into the input.")
    for token in place.split("/")[1:]:
        holder = holder[key]
        key = _key_in(holder, token.replace("~1", "/").replace("~0", "~"))
        if key is None:
            break
    if key is None or not isinstance(holder[key], str):
        raise ParseError(f"The input has no file name at the place of file {number}.")
    file.rename(holder[key])
    holder[key] = file


def _key_in(holder: Json, token: str) -> str | int | None:
    """Return where ``token`` points in ``holder``, or ``None`` if there is nothing."""
    if isinstance(holder, dict):
        return token if token in holder else None
    if isinstance(holder, list) and _INDEX.fullmatch(token) and int(token) < len(holder):
        return int(token)
    return None
