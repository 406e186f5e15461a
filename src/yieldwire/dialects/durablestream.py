"""A run as Durable Streams tell it: messages, offsets, and where it is closed.

A message is a chunk; the last one is the result, if there is one. In a stream that was created
with another type than JSON it is a piece of text or of bytes. An offset is the run's id and a seq,
so that one of a run that was replaced is refused.
"""

import random
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import time  # noqa: TID251 - cursors are of the wall clock, as the protocol has them
from typing import Any, ClassVar, Final

from pydantic_core import from_json, to_json

from yieldwire.dialects.translation import DialectEncoder
from yieldwire.errors import ErrorObject, ForeignCursor, Json, ParseError, RunInterrupted
from yieldwire.log.events import Block, Event, EventType
from yieldwire.log.run import RunRecord, Status

JSON: Final = "application/json"
MARK: Final = "durable-stream"
"""The type of the chunks that say who appended, which are not messages."""
_MARKED: Final = b'{"type":"durable-stream"'
_CONTENT: Final = "content:"
_OFFSET: Final = re.compile(r"([A-Za-z0-9_~-]{1,64})\.([0-9]{15})", re.ASCII)
_LINE_ENDS: Final = re.compile("\r\n|\r|\n")

_EPOCH: Final = 1_728_432_000
"""2024-10-09, from which cursors are counted, in seconds since the epoch."""
_INTERVAL: Final = 20
"""Seconds of a cursor."""
_MOST_AHEAD: Final = 180
"""How many intervals at most a cursor advances that is not behind the time."""


class StreamContent:
    """The type of a stream's messages, as it was created; that of a run is JSON."""

    def __init__(self, media_type: str) -> None:
        self.media_type: Final[str] = media_type
        self.name: Final[str] = media_type.partition(";")[0].strip().lower()
        self.is_json: Final[bool] = self.name == JSON
        self.is_text: Final[bool] = self.name.startswith("text/")

    @classmethod
    def of(cls, run: RunRecord) -> "StreamContent":
        """Return the type of a run's stream, which its label has."""
        kept = (each for each in run.labels if each.startswith(_CONTENT))
        return cls(next(kept, _CONTENT + JSON).removeprefix(_CONTENT))

    @property
    def label(self) -> str:
        """The label of a run whose stream is of this type."""
        return _CONTENT + self.media_type

    def chunks(self, body: bytes, parse: Callable[[bytes], Json]) -> list[bytes]:
        """Return the chunks of a body: of a JSON array one for each element, else one.

        Raises:
            ParseError: If it is not of the type, or would be taken for a mark.
        """
        if not body:
            return []
        if self.is_json:
            value = parse(body)
            values: list[Json] = value if isinstance(value, list) else [value]
            if any(isinstance(each, dict) and each.get("type") == MARK for each in values):
                raise ParseError(f"A message cannot have the type {MARK}.")
            return [to_json(each) for each in values]
        if not self.is_text:
            return [to_json({"type": "bytes", "data": b64encode(body).decode()})]
        try:
            return [to_json({"type": "text", "text": body.decode()})]
        except UnicodeDecodeError as exc:
            raise ParseError("The text is not UTF-8.") from exc

    def message(self, event: Event) -> bytes | None:
        """Return the message of a chunk or of a result; ``None`` if it is not one."""
        if event.type is EventType.DONE:
            result = event.value.get("result")
            return None if result is None else to_json({"type": "result", "result": result})
        if event.data.startswith(_MARKED):
            return None
        if self.is_json:
            return event.data
        value: Any = from_json(event.data)
        text: str = value["text" if self.is_text else "data"]
        return text.encode() if self.is_text else b64decode(text)

    def body(self, messages: Sequence[bytes]) -> bytes:
        """Return the messages as the body of an answer."""
        return b"[%b]" % b",".join(messages) if self.is_json else b"".join(messages)

    def data(self, message: bytes) -> bytes:
        """Return the data event of a message."""
        if self.is_json:
            return b"event: data\ndata:[%b]\n\n" % message
        text = message.decode() if self.is_text else b64encode(message).decode()
        lines = "".join(f"data:{_kept(line)}\n" for line in _LINE_ENDS.split(text))
        return b"event: data\n%b\n" % lines.encode()


def _kept(line: str) -> str:
    # A client removes one space at the start of a line.
    return f" {line}" if line.startswith(" ") else line


class DurableEncoder(DialectEncoder):
    """A run as server-sent events: each message with a control event that tells the next offset.

    Errors have no event: the stream ends, and the client gets the error where it continues.
    ``after`` is where the client continues, and ``run`` is as it was then.
    """

    media_type: ClassVar[str] = "text/event-stream"

    def __init__(self, run: RunRecord, after: int = 0, cursor: str = "0") -> None:
        self._run_id, self._tail, self._cursor = run.id, run.seq, cursor
        self._content = content = StreamContent.of(run)
        is_coded = not (content.is_json or content.is_text)
        encoding = [("stream-sse-data-encoding", "base64")] if is_coded else []
        self.headers: Sequence[tuple[str, str]] = [("cache-control", "no-cache"), *encoding]
        if after >= run.seq:
            self.greeting: bytes = self._control(after, is_closed=run.status is Status.COMPLETED)

    def chunk(self, event: Event) -> Iterable[bytes]:
        """Return the chunk, and the offset behind it."""
        message = self._content.message(event)
        return [] if message is None else [self._content.data(message) + self._control(event.seq)]

    def done(self, event: Event) -> Iterable[bytes]:
        """Return the result, if there is one, and that nothing follows."""
        message = self._content.message(event)
        data = b"" if message is None else self._content.data(message)
        return [data + self._control(event.seq, is_closed=True)]

    def error(self, error: ErrorObject) -> Iterable[bytes]:
        """Return nothing: the client asks again, and is told then."""
        return ()

    def cut(self, error: ErrorObject) -> Iterable[bytes]:
        """Return nothing: the client continues."""
        return ()

    def _control(self, seq: int, *, is_closed: bool = False) -> bytes:
        told: dict[str, Json] = {"streamNextOffset": offset_of(self._run_id, seq)}
        if is_closed:
            told["streamClosed"] = True
        else:
            told["streamCursor"] = self._cursor
        if is_closed or seq >= self._tail:
            told["upToDate"] = True
        return b"event: control\ndata:%b\n\n" % to_json(told)


@dataclass(slots=True, kw_only=True)
class StreamPart:
    """What one request reads of a stream.

    ``seq`` is the last event in it, ``chunk`` the last one that the client has as a message, and
    ``error`` what the client is told in place of the next one.
    """

    content: StreamContent
    seq: int
    chunk: int
    messages: list[bytes] = field(default_factory=list)
    error: ErrorObject | None = None
    is_closed: bool = False

    def read(self, page: Iterable[Block]) -> None:
        """Add the events of a page, up to an error."""
        for block in page:
            for event in block.events():
                self.error = self._error(event)
                if self.error is not None:
                    return
                self._add(event)
                self.seq = event.seq

    def _error(self, event: Event) -> ErrorObject | None:
        if event.type in {EventType.ERROR, EventType.CANCELLED}:
            return ErrorObject.from_dict(event.value)
        if event.type is EventType.RESTARTED and event.value.get("keep", 0) < self.chunk:
            error = RunInterrupted("The run was restarted, which this client cannot show.")
            return error.error_object()
        return None

    def _add(self, event: Event) -> None:
        self.is_closed = event.type is EventType.DONE
        if event.type is EventType.CHUNK:
            self.chunk = event.seq
        if self.is_closed or event.type is EventType.CHUNK:
            message = self.content.message(event)
            self.messages += () if message is None else (message,)


def offset_of(run_id: str, seq: int) -> str:
    """Return the offset behind an event."""
    return f"{run_id}.{seq:015d}"


def run_of(offset: str) -> str | None:
    """Return the run of an offset; ``None`` if it names none."""
    match = _OFFSET.fullmatch(offset)
    return None if match is None else match[1]


def tail_of(run: RunRecord) -> int:
    """Return the last event that has an offset: the error of a run has none."""
    return run.seq - (run.status in {Status.FAILED, Status.CANCELLED})


def seq_of(offset: str, run: RunRecord) -> int:
    """Return the seq after which a request reads.

    Raises:
        ParseError: If it is not an offset.
        ForeignCursor: If it is of another run.
    """
    if offset == "-1":
        return 0
    if offset == "now":
        return tail_of(run)
    match = _OFFSET.fullmatch(offset)
    if match is None:
        raise ParseError("The offset cannot be read; send it as it was received.")
    if match[1] != run.id:
        raise ForeignCursor("The offset belongs to another stream.")
    return int(match[2])


def cursor_of(query: Mapping[str, str]) -> str:
    """Return the interval of this moment; later than the one that the client has."""
    current, sent = int(time() - _EPOCH) // _INTERVAL, query.get("cursor", "")
    if sent.isascii() and sent.isdigit() and len(sent) < 16 and int(sent) >= current:  # noqa: PLR2004
        return str(int(sent) + random.randint(1, _MOST_AHEAD))  # noqa: S311
    return str(current)
