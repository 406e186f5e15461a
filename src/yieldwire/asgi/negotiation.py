"""What a request asks for: the format of the answer, and its preferences."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from yieldwire.codecs import Encoder
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.codecs.sse import SSEEncoder
from yieldwire.codecs.text import TextEncoder
from yieldwire.errors import NotAcceptable, ParseError


class Format(StrEnum):
    """The ways in which a run can be answered."""

    SSE = "text/event-stream"
    NDJSON = "application/x-ndjson"
    TEXT = "text/plain"
    JSON = "application/json"
    HTML = "text/html"


ENCODERS: Final[Mapping[Format, type[Encoder]]] = {
    Format.SSE: SSEEncoder,
    Format.NDJSON: NDJSONEncoder,
    Format.TEXT: TextEncoder,
}
STREAMS: Final = frozenset(ENCODERS)

_NAMES: Final = {
    **{member.value: member for member in Format},
    "application/jsonl": Format.NDJSON,
    "application/ndjson": Format.NDJSON,
    "application/jsonlines": Format.NDJSON,
    "application/xhtml+xml": Format.HTML,
}
_RANGES: Final = {"text/*": Format.SSE, "application/*": Format.JSON}


def choose(accept: str | None, default: Format, allowed: frozenset[Format]) -> Format:
    """Return the format among ``allowed`` that an ``Accept`` header prefers.

    Raises:
        NotAcceptable: If it accepts none of them.
    """
    wanted = _NAMES.get(accept or "")
    if wanted is not None and wanted in allowed:
        return wanted  # a single type, as programs send
    for media_type in _by_preference(accept or "*/*"):
        if media_type == "*/*":
            return default
        wanted = _NAMES.get(media_type)
        if wanted is None and media_type in _RANGES:
            wanted = default if default.startswith(media_type[:-1]) else _RANGES[media_type]
        if wanted is not None and wanted in allowed:
            return wanted
    known = ", ".join(sorted(member.value for member in allowed))
    raise NotAcceptable(f"None of the accepted media types is supported; choose from: {known}.")


def _by_preference(accept: str) -> list[str]:
    ranges: list[tuple[float, str]] = []
    for part in accept.split(","):
        media_type, *parameters = (piece.strip().lower() for piece in part.split(";"))
        quality = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip() == "q":
                quality = _number(value, 0.0)
        if media_type and quality > 0:
            ranges.append((quality, media_type))
    return [media_type for _, media_type in sorted(ranges, key=lambda pair: -pair[0])]


def _number(text: str, default: float) -> float:
    try:
        number = float(text)
    except ValueError:
        return default
    return number if 0 <= number < float("inf") else default


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """The content of a ``Prefer`` header (RFC 7240): ``respond-async`` and ``wait``, in seconds."""

    respond_async: bool = False
    wait: float | None = None


_NO_PREFERENCES: Final = Preferences()


def preferences(prefer: str | None) -> Preferences:
    """Read a ``Prefer`` header; unknown preferences are ignored, as the standard requires.

    The first of several with one name counts, and parameters are ignored (RFC 7240, 2).
    """
    if not prefer:
        return _NO_PREFERENCES
    sent: dict[str, str] = {}
    for part in prefer.lower().split(","):
        name, _, value = (piece.strip() for piece in part.partition(";")[0].partition("="))
        sent.setdefault(name, value.strip('"'))
    wait = _number(sent.get("wait", ""), -1.0)
    return Preferences(respond_async="respond-async" in sent, wait=None if wait == -1.0 else wait)


def seconds(text: str | None, longest: float) -> float:
    """Read a query parameter of seconds, at most ``longest``; 0 if there is none.

    Raises:
        ParseError: If it is not a number.
    """
    if not text:
        return 0.0
    number = _number(text, -1.0)
    if number < 0:
        raise ParseError("wait= must be a number of seconds.")
    return min(number, longest)
