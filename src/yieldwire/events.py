"""What can happen in a run, and the block in which a log keeps it.

A log's events are numbered 1, 2, 3 without a gap and never change. They are kept in
*blocks*: contiguous events as one piece of bytes, which is the unit of commit, of
storage, of waking readers and of sending. A block's bytes are the native frames
themselves (``PROTOCOL.md``, *Server-sent events*), made once, when the events are
appended: a live reader, a late reader and a replay send the same bytes untouched. A
resume that falls inside a block cuts it at a frame, by the offsets kept beside the bytes.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import Final

from pydantic_core import from_json

from yieldwire.errors import Json


class EventType(StrEnum):
    """What an event says. Every member but ``STARTED`` stands in logs."""

    STARTED = "started"
    """An attempt began. It changes the run's status and is no event of the log."""
    CHUNK = "chunk"
    RESTARTED = "restarted"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"


TERMINAL_EVENTS: Final = frozenset({EventType.DONE, EventType.ERROR, EventType.CANCELLED})
"""The events after which nothing follows."""


@dataclass(frozen=True, slots=True)
class Event:
    """One immutable record of a log. ``data`` is JSON without line breaks."""

    seq: int
    type: EventType
    data: bytes

    @property
    def value(self) -> Json:
        """The event's data, read: the chunk, or the terminal event's object."""
        return from_json(self.data)

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows this event."""
        return self.type in TERMINAL_EVENTS


@dataclass(frozen=True, slots=True)
class Block:
    """Contiguous events of one run as one piece of bytes.

    ``frames`` are the native frames, ``ends`` the offset behind each of them, ``end``
    the type of the terminal event with which the block ends, if it does.
    """

    run_id: str
    first: int
    frames: bytes
    ends: Sequence[int]
    end: EventType | None = None

    @property
    def last(self) -> int:
        """The seq of the block's last event."""
        return self.first + len(self.ends) - 1

    @classmethod
    def of_chunks(cls, run_id: str, first: int, data: Iterable[bytes]) -> "Block":
        """Make a block of chunks, each given as its JSON. At least one."""
        prefix = b"id: %b." % run_id.encode()
        frames = [
            b"%b%d\ndata: %b\n\n" % (prefix, seq, json) for seq, json in enumerate(data, first)
        ]
        return cls(run_id, first, b"".join(frames), list(accumulate(map(len, frames))))

    @classmethod
    def of_event(cls, run_id: str, seq: int, kind: EventType, data: bytes) -> "Block":
        """Make a block of one event of any type."""
        name = b"" if kind is EventType.CHUNK else b"event: %b\n" % kind.encode()
        frame = b"id: %b.%d\n%bdata: %b\n\n" % (run_id.encode(), seq, name, data)
        return cls(run_id, seq, frame, [len(frame)], kind if kind in TERMINAL_EVENTS else None)

    def joined(self, other: "Block") -> "Block":
        """Return this block and the one that follows it as one."""
        size = len(self.frames)
        ends = [*self.ends, *(size + end for end in other.ends)]
        return Block(self.run_id, self.first, self.frames + other.frames, ends, other.end)

    def after(self, seq: int) -> "Block":
        """Return the part behind ``seq``, which must not be behind the block's last."""
        skip = seq - self.first + 1
        if skip <= 0:
            return self
        start = self.ends[skip - 1]
        ends = [end - start for end in self.ends[skip:]]
        return Block(self.run_id, seq + 1, self.frames[start:], ends, self.end)

    def events(self) -> Iterator[Event]:
        """Yield the block's events, read from its frames."""
        start, frames = 0, self.frames
        for seq, end in enumerate(self.ends, self.first):
            # "id: …\n", then perhaps "event: …\n", then "data: …\n\n".
            line = frames.index(b"\n", start) + 1
            kind = EventType.CHUNK
            if frames.startswith(b"event: ", line):
                stop = frames.index(b"\n", line)
                kind = EventType(frames[line + 7 : stop].decode())
                line = stop + 1
            yield Event(seq, kind, frames[line + 6 : end - 2])
            start = end
