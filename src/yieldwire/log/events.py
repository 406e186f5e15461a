"""What can happen in a run, and the block in which a log keeps it.

A log's events are numbered 1, 2, 3 without a gap and never change. They are kept in
*blocks*: contiguous events as one piece of bytes, which is the unit of commit, of
storage, of waking readers and of sending. A block's bytes are the native frames
themselves (``PROTOCOL.md``, *Server-sent events*), encoded once, when the events are
appended: a live reader, a late reader and a replay send the same bytes unchanged. A
resume inside a block cuts it between two frames.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from typing import Final, NamedTuple

from pydantic_core import from_json, to_json

from yieldwire.errors import Json


class EventType(StrEnum):
    """The type of an event. Every member but ``STARTED`` can be in logs."""

    STARTED = "started"
    """An attempt has started. It changes the run's status and is not an event of the log."""
    CHUNK = "chunk"
    RESTARTED = "restarted"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"


_FRAME_END: Final = b"\n\n"
_ESCAPES: Final = (
    (b"\xc2\x85", b"\\u0085"),
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
)
_tuple: Final = tuple.__new__

TERMINAL_EVENTS: Final = frozenset({EventType.DONE, EventType.ERROR, EventType.CANCELLED})
"""The events after which nothing follows."""


def one_line(json: bytes) -> bytes:
    """Return JSON, or frames of it, in which only LF and CR end a line.

    U+0085, U+2028 and U+2029 are escaped: `str.splitlines`, httpx's ``iter_lines`` and other
    readers treat them as line breaks, although JSON allows them in strings (RFC 8259, 7).
    """
    if json.isascii():
        return json
    for character, escape in _ESCAPES:
        json = json.replace(character, escape)
    return json


@dataclass(frozen=True, slots=True)
class Event:
    """One immutable record of a log. ``data`` is JSON in one line, as `one_line` returns it."""

    seq: int
    type: EventType
    data: bytes

    @property
    def value(self) -> Json:
        """The event's data, parsed: the chunk, or the terminal event's object."""
        return from_json(self.data)

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows this event."""
        return self.type in TERMINAL_EVENTS


class Block(NamedTuple):
    """Contiguous events of one run as one piece of bytes.

    ``first`` and ``last`` are the seqs of its first and last event, ``frames`` the native
    frames, ``end`` the type of the terminal event at the block's end, if there is one.
    """

    # A named tuple, because a slow stream creates one for each of its events.
    run_id: str
    first: int
    last: int
    frames: bytes
    end: EventType | None = None

    @property
    def size(self) -> int:
        """The number of events."""
        return self.last - self.first + 1

    @classmethod
    def of_chunks(cls, run_id: str, first: int, data: Sequence[bytes]) -> "Block":
        """Create a block of chunks, each given as its JSON. At least one."""
        if len(data) == 1:
            frame = b"id: %b.%d\ndata: %b\n\n" % (run_id.encode(), first, data[0])
            return _tuple(cls, (run_id, first, first, one_line(frame), None))  # in half the time
        # All in one step: one frame at a time takes twice as long.
        frames = b"id: %b.%%d\ndata: %%b\n\n" % run_id.encode() * len(data)
        values = tuple(chain.from_iterable(enumerate(data, first)))
        return cls(run_id, first, first + len(data) - 1, one_line(frames % values))

    @classmethod
    def of_event(cls, run_id: str, seq: int, kind: EventType, data: bytes) -> "Block":
        """Create a block of one event of any type."""
        name = b"" if kind is EventType.CHUNK else b"event: %b\n" % kind.encode()
        frame = one_line(b"id: %b.%d\n%bdata: %b\n\n" % (run_id.encode(), seq, name, data))
        return cls(run_id, seq, seq, frame, kind if kind in TERMINAL_EVENTS else None)

    def joined(self, other: "Block") -> "Block":
        """Return this block and the one that follows it as one."""
        return Block(self.run_id, self.first, other.last, self.frames + other.frames, other.end)

    def after(self, seq: int) -> "Block":
        """Return the part after ``seq``, which must be before the block's last."""
        skip = seq - self.first + 1
        if skip <= 0:
            return self
        # A frame ends with the only empty line in it: its JSON has no line breaks.
        frames = self.frames.split(_FRAME_END, skip)[skip]
        return Block(self.run_id, seq + 1, self.last, frames, self.end)

    def fitting(self, events: int, size: int) -> "Block | None":
        """Return the first ``events`` within ``size`` bytes; ``None`` if not even one fits."""
        stop = self.frames.rfind(_FRAME_END, 0, max(0, size)) + len(_FRAME_END)
        count = min(events, self.frames.count(_FRAME_END, 0, stop))
        if count <= 0 or stop < len(_FRAME_END):
            return None
        frames = _FRAME_END.join([*self.frames.split(_FRAME_END, count)[:count], b""])
        return Block(self.run_id, self.first, self.first + count - 1, frames)

    def newest(self) -> "Block":
        """Return the block's last event as a separate block."""
        start = self.frames.rfind(_FRAME_END, 0, -len(_FRAME_END)) + 1
        frame = self.frames[start + 1 :] if start else self.frames
        return Block(self.run_id, self.last, self.last, frame, self.end)

    def without_debug(self) -> "Block":
        """Return the block without the error details that are for development only."""
        if self.end is not EventType.ERROR or b'"debug":' not in self.frames:
            return self
        newest = self.newest()
        (event,) = newest.events()
        told = {name: value for name, value in event.value.items() if name != "debug"}
        ending = Block.of_event(self.run_id, self.last, event.type, to_json(told))
        if self.first == self.last:
            return ending
        frames = self.frames.removesuffix(newest.frames)
        return Block(self.run_id, self.first, self.last - 1, frames).joined(ending)

    def begins_with(self, other: "Block") -> bool:
        """Whether this block's first events are those of ``other``, byte for byte."""
        return self.last >= other.last and self.frames.startswith(other.frames)

    def events(self) -> Iterator[Event]:
        """Yield the block's events, read from its frames."""
        for seq, frame in enumerate(self.frames.split(_FRAME_END)[:-1], self.first):
            # "id: …\n", then optionally "event: …\n", then "data: …".
            line = frame.index(b"\n") + 1
            kind = EventType.CHUNK
            if frame.startswith(b"event: ", line):
                stop = frame.index(b"\n", line)
                kind = EventType(frame[line + 7 : stop].decode())
                line = stop + 1
            yield Event(seq, kind, frame[line + 6 :])
