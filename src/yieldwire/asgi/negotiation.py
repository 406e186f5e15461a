"""What a request asks for: the format of the answer, and its preferences."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from yieldwire.codecs import Encoder
from yieldwire.codecs.ndjson import NDJSONEncoder
from yieldwire.codecs.sse import MarkedSSEEncoder, SSEEncoder
from yieldwire.codecs.text import TextEncoder
from yieldwire.errors import NotAcceptable, ParseError, UsageError
from yieldwire.stores import Reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One way in which a run can be answered.

    Attributes:
        media_type: What an ``Accept`` header calls it.
        aliases: Other media types that mean it.
        encoder: Creates what encodes a stream for one reader; ``None``: it is not a stream.
        marked: The same with the marks of the events, if the format has a place for them.
    """

    media_type: str
    aliases: Sequence[str] = ()
    encoder: Callable[[], Encoder] | None = None
    marked: Callable[[], Encoder] | None = None

    def encoder_for(self, reach: Reach) -> Encoder:
        """Return what encodes a stream from a store with this reach.

        A store that outlives the process can lose the end of a log, so its events have marks.
        """
        encoder = None if reach == "process" else self.marked
        return (encoder or self.encoder or SSEEncoder)()


SSE: Final = Format(media_type="text/event-stream", encoder=SSEEncoder, marked=MarkedSSEEncoder)
NDJSON: Final = Format(
    media_type="application/x-ndjson",
    aliases=("application/jsonl", "application/ndjson", "application/jsonlines"),
    encoder=NDJSONEncoder,
    marked=partial(NDJSONEncoder, marks=True),
)
TIMED: Final = Format(
    media_type=NDJSON.media_type,
    aliases=NDJSON.aliases,
    encoder=partial(NDJSONEncoder, times=True),
)
"""Lines with the events' times, which a query asks for."""
TEXT: Final = Format(media_type="text/plain", encoder=TextEncoder)
JSON: Final = Format(media_type="application/json")
HTML: Final = Format(media_type="text/html", aliases=("application/xhtml+xml",))
_ALL: Final = (SSE, NDJSON, TEXT, JSON, HTML)
_RANGES: Final = {"text/*": SSE.media_type, "application/*": JSON.media_type}


class Formats:
    """The formats in which an application answers."""

    def __init__(self, formats: Iterable[Format] = _ALL) -> None:
        self._by_name: dict[str, Format] = {}
        for format_ in formats:
            self.add(format_)

    def add(self, format_: Format, /) -> None:
        """Answer in one more format when a request accepts it.

        Raises:
            UsageError: If one of its media types has a format already.
        """
        for name in (format_.media_type, *format_.aliases):
            if self._by_name.setdefault(name, format_) is not format_:
                raise UsageError(f"There is a format for {name} already.")

    def choose(self, accept: str | None, default: Format, *, streams: bool = False) -> Format:
        """Return the format that an ``Accept`` header prefers; of ``streams`` only if so asked.

        Raises:
            NotAcceptable: If it accepts none of them.
        """
        names = self._by_name
        wanted = names.get(accept or "")
        if wanted is not None and (wanted.encoder or not streams):
            return wanted  # a single type, as programs send
        for media_type in _by_preference(accept or "*/*"):
            if media_type == "*/*":
                return default
            wanted = names.get(media_type)
            if wanted is None and media_type in _RANGES:
                is_default = default.media_type.startswith(media_type[:-1])
                wanted = default if is_default else names.get(_RANGES[media_type])
            if wanted is not None and (wanted.encoder or not streams):
                return wanted
        every = {each.media_type for each in names.values() if each.encoder or not streams}
        known = ", ".join(sorted(every))
        raise NotAcceptable(f"None of the accepted media types is supported; choose from: {known}.")


_WITH_TIMES: Final = Formats([TIMED])


def choose_timed(accept: str | None) -> Format:
    """Return the format for a stream with the events' times.

    Raises:
        ParseError: If the ``Accept`` header does not accept it.
    """
    try:
        return _WITH_TIMES.choose(accept, TIMED, streams=True)
    except NotAcceptable as exc:
        only = TIMED.media_type
        raise ParseError(f"Only {only} has times: accept it, or leave out times=.") from exc


def flag(text: str | None) -> bool:
    """Return whether a query parameter is set: it is ``true`` or ``1``."""
    return text in {"true", "1"}


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


def seconds(text: str | None, longest: float, name: str = "wait") -> float:
    """Read the query parameter ``name`` of seconds, at most ``longest``; 0 if there is none.

    Raises:
        ParseError: If it is not a number.
    """
    if not text:
        return 0.0
    number = _number(text, -1.0)
    if number < 0:
        raise ParseError(f"{name}= must be a number of seconds.")
    return min(number, longest)
