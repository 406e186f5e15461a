"""Server-sent events: the native format.

The decoder follows WHATWG HTML 9.2.6, *Interpreting an event stream*.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from yieldwire.codecs import LOG_EVENTS, Frames, frames_of_chunks
from yieldwire.errors import ParseError, ProtocolError
from yieldwire.log.cursor import CURSOR_FORMAT, MARK_FORMAT, Cursor, mark_of, parse_cursor
from yieldwire.log.events import Block, Event, EventType, one_line

MAX_EVENT_BYTES: Final = 16 * 1024 * 1024
"""The most bytes of one unfinished event; a larger one is an attack or a fault."""
_EVENTS: Final = {"message": EventType.CHUNK, **LOG_EVENTS}
_OTHER_FRAMES: Final = frozenset({"run", "reset"})
"""Frames that are sent in addition to the events of the log."""


_SIGN: Final = ord("!")
_CHUNK: Final = b"id: " + CURSOR_FORMAT + b"\ndata: %b\n"
_CHUNKS: Final = b"id: " + CURSOR_FORMAT.replace(b"%d", b"%%d") + b"\ndata: "
_MARKED_CHUNK: Final = b"id: " + CURSOR_FORMAT + MARK_FORMAT + b"\ndata: %b\n"
_MARKED_CHUNKS: Final = b"id: " + CURSOR_FORMAT.replace(b"%d", b"%%d") + MARK_FORMAT + b"\ndata: "
_NAMES: Final = {
    kind: b"" if kind is EventType.CHUNK else b"event: %b\n" % kind.encode() for kind in EventType
}
_RUN: Final = b"id: " + CURSOR_FORMAT + b"%b\nevent: run\ndata: %b\n\n"
_FRAME: Final = b"id: " + CURSOR_FORMAT + b"%b\n%bdata: %b\n\n"


def _frames(block: Block) -> bytes:
    if block.first == block.last and block.end is None and block.body[0] != _SIGN:
        # Most blocks of a slow stream.
        return _CHUNK % (block.run_id.encode(), block.first, block.body)
    return _FRAMES.of(block)


def _several(block: Block) -> bytes:
    run_id, end = block.run_id, block.end
    frames = frames_of_chunks(block, _CHUNKS % run_id.encode(), b"\n\n")
    if frames is None:
        events = block.events()
        return b"".join(
            [_frame(run_id, event.seq, _NAMES[event.type], event.data) for event in events]
        )
    if end is None:
        return frames
    return frames + _frame(run_id, block.last, _NAMES[end], block.ending())


def _marked_frames(block: Block) -> bytes:
    if block.first == block.last and block.end is None and block.body[0] != _SIGN:
        return _MARKED_CHUNK % (block.run_id.encode(), block.first, mark_of(block.at), block.body)
    return _MARKED_FRAMES.of(block)


def _marked_several(block: Block) -> bytes:
    before = _MARKED_CHUNKS % (block.run_id.encode(), mark_of(block.at))
    frames = frames_of_chunks(block, before, b"\n\n")
    if frames is None:
        return b"".join([_marked_frame(block.run_id, event) for event in block.events()])
    if block.end is None:
        return frames
    return frames + _marked_frame(block.run_id, *block.newest().events())


def _marked_frame(run_id: str, event: Event) -> bytes:
    mark = MARK_FORMAT % mark_of(event.at)
    return _frame(run_id, event.seq, _NAMES[event.type], event.data, mark)


def _frame(run_id: str, seq: int, name: bytes, data: bytes, mark: bytes = b"") -> bytes:
    return _FRAME % (run_id.encode(), seq, mark, name, data)


_FRAMES: Final = Frames(_several)
_MARKED_FRAMES: Final = Frames(_marked_several, shows_times=True)


class SSEEncoder:
    """Encodes each event as one frame."""

    __slots__ = ()

    media_type: str = "text/event-stream; charset=utf-8"
    carries_end: bool = True
    encode: "staticmethod[[Block], bytes]" = staticmethod(_frames)
    """Return a frame for each event of a block."""

    def opening(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return the ``run`` frame; its id lets a stream resume that is cut before an event."""
        run_id, seq, mark = cursor
        return _RUN % (run_id.encode(), seq, b"" if mark is None else MARK_FORMAT % mark, state)

    def state(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return the ``run`` frame again; its id is the reader's place."""
        return self.opening(cursor._replace(mark=None), state)

    def keepalive(self) -> bytes:
        """Return a comment."""
        return b": keepalive\n\n"

    def reset(self, run_id: str, first_seq: int, /) -> bytes:
        """Return the ``reset`` frame; its id moves the cursor to just before ``first_seq``."""
        return _frame(run_id, first_seq - 1, b"event: reset\n", b'{"firstSeq":%d}' % first_seq)

    def farewell(self, retry_ms: int, /) -> bytes:
        """Return a ``retry`` field."""
        return b"retry: %d\n\n" % retry_ms


class MarkedSSEEncoder(SSEEncoder):
    """Encodes each event as one frame, whose id has the event's mark."""

    __slots__ = ()

    encode: "staticmethod[[Block], bytes]" = staticmethod(_marked_frames)

    def state(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return the ``run`` frame again; its id is the reader's place."""
        return self.opening(cursor, state)


@dataclass(frozen=True, slots=True, kw_only=True)
class SSEMessage:
    """One dispatched message of an event stream, of any type."""

    event: str
    data: str
    last_event_id: str


class SSEParser:
    """Splits an event stream into messages, however its bytes are cut.

    ``retry_ms`` is the latest reconnection time of the stream.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.retry_ms: int | None = None
        self._limit = max_event_bytes
        self._tail: list[bytes] = []  # pieces of an unfinished line, joined once
        self._tail_size = 0
        self._held = 0  # bytes of the event's complete lines so far
        self._started = self._after_cr = False
        self._event, self._data = "", list[str]()
        self._next_id = self._last_id = ""

    def feed(self, data: bytes, /) -> list[SSEMessage]:
        """Return the messages that ``data`` completes.

        Raises:
            ProtocolError: If one event is larger than the limit.
        """
        messages: list[SSEMessage] = []
        for line in self._lines(data):
            self._held += len(line)
            if self._held > self._limit:
                raise ProtocolError(f"An event has more than {self._limit} bytes.")
            if not line:
                message = self._dispatch()
                if message is not None:
                    messages.append(message)
            else:
                self._field(line)
        if self._held + self._tail_size > self._limit:
            raise ProtocolError(f"An event has more than {self._limit} bytes.")
        return messages

    def _lines(self, data: bytes) -> list[bytes]:
        if self._after_cr and data:
            self._after_cr = False
            if data.startswith(b"\n"):
                data = data[1:]
        if data.endswith(b"\r"):
            self._after_cr = True  # a LF at the start of the next slice belongs to it
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\n" not in data:
            if data:
                self._tail.append(data)
                self._tail_size += len(data)
            return []
        head, *rest = data.split(b"\n")
        lines = [b"".join([*self._tail, head]), *rest]
        last = lines.pop()
        self._tail, self._tail_size = [last] if last else [], len(last)
        if not self._started:
            self._started = True
            lines[0] = lines[0].removeprefix(b"\xef\xbb\xbf")
        return lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value.decode("utf-8", "replace"))
        elif name == b"event":
            self._event = value.decode("utf-8", "replace")
        elif name == b"id" and b"\0" not in value:
            self._next_id = value.decode("utf-8", "replace")
        elif name == b"retry" and value.isdigit():
            self.retry_ms = int(value[:9])

    def _dispatch(self) -> SSEMessage | None:
        self._held, self._last_id = 0, self._next_id
        data, event = self._data, self._event
        self._data, self._event = [], ""
        if not data:
            return None
        return SSEMessage(
            event=event or "message", data="\n".join(data), last_event_id=self._last_id
        )


class SSEDecoder:
    """Reads native frames, and skips those of unknown types.

    ``cursor`` is the reader's place, ``opening`` the data of the last ``run`` frame,
    ``first_seq`` where the log starts according to a ``reset``.
    """

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._parser = SSEParser(max_event_bytes=max_event_bytes)
        self.cursor: str | None = None
        self.opening: str | None = None
        self.first_seq: int | None = None
        self._run_id: str | None = None

    @property
    def retry_ms(self) -> int | None:
        """The reconnection time that the server asked for, if any."""
        return self._parser.retry_ms

    def feed(self, data: bytes, /) -> Sequence[Event]:
        """Return the log's events that ``data`` completes.

        Raises:
            ProtocolError: If a frame is not one of the native format.
        """
        return [event for _, event in self.steps(data) if event is not None]

    def steps(self, data: bytes, /) -> Sequence[tuple[Cursor, Event | None]]:
        """Return the places to which the frames that ``data`` completes move the reader.

        Each comes with its event, or with ``None`` if the event's type is unknown, so that a
        reader skips it and misses nothing.

        Raises:
            ProtocolError: If a frame is not one of the native format.
        """
        steps: list[tuple[Cursor, Event | None]] = []
        for message in self._parser.feed(data):
            name, kind = message.event, _EVENTS.get(message.event)
            try:
                place = parse_cursor(message.last_event_id)
            except ParseError as exc:
                if kind is None and name not in _OTHER_FRAMES:
                    continue  # a frame of another version; it need not have a place in the log
                raise ProtocolError(f"Not a frame of this protocol: {name!r}.") from exc
            is_known = kind is not None or name in _OTHER_FRAMES
            if not is_known and place.run_id != (self._run_id or place.run_id):
                continue  # its place is in another run's log
            if is_known:
                self._run_id = place.run_id
            self.cursor = message.last_event_id
            if name == "run":
                self.opening = message.data
            elif name == "reset":
                self.first_seq = place.seq + 1
            elif kind is None:
                steps.append((place, None))
            else:
                event = Event(place.seq, kind, one_line(message.data.encode()))
                steps.append((place, event))
        return steps
