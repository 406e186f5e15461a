"""What can happen in a run, and the block in which a log keeps it.

A log's events are numbered 1, 2, 3 without a gap and never change. They are kept in *blocks*:
contiguous events as one piece of bytes, which is the unit of commit, of storage, of waking readers
and of sending. A block's bytes are the events themselves, in a neutral format: codecs encode
frames from them, and a store can keep, compress or encrypt them.

The body of a block has one line for each event. A chunk's line is its JSON. The line of any other
event is ``!``, its type, a space and its JSON. If blocks were joined that were written at different
times, a line ``@`` with a number is the time of the events after it, in seconds since the epoch;
the time of the events before it is the block's ``at``. JSON starts with neither sign and has no
line breaks, so lines can be told apart without parsing JSON.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from pydantic_core import from_json, to_json

from yieldwire.errors import Json


class EventType(StrEnum):
    """The type of an event. Every member but ``STARTED`` can be in logs."""

    STARTED = "started"
    """An attempt has started. It changes the run's status and is not an event of the log."""
    CHUNK = "chunk"
    QUESTION = "question"
    """The action asks the run's readers; the data is as in `log.question`."""
    ANSWER = "answer"
    """A question has its answer, or its time is over."""
    RESTARTED = "restarted"
    DONE = "done"
    ERROR = "error"
    CANCELLED = "cancelled"


_TIMES: Final = re.compile(rb"^@.*\n", re.MULTILINE)
_ESCAPES: Final = (
    (b"\xc2\x85", b"\\u0085"),
    (b"\xe2\x80\xa8", b"\\u2028"),
    (b"\xe2\x80\xa9", b"\\u2029"),
)
# Numbers, which Python finds in bytes several times as fast as other bytes.
_SIGN: Final = ord("!")
_SIGNS: Final = {kind: b"!%b " % kind.encode() for kind in EventType}
"""How the line of an event begins, by its type."""
_TIME: Final = ord("@")

_NAMES: Final = {kind: b"!%b " % kind.encode() for kind in EventType}
"""The beginning of the line of any event but a chunk."""
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


def milliseconds(at: float) -> int:
    """Return a time in seconds as the milliseconds that a joined block has of it."""
    return int(at * 1000 + 0.5)  # `round` takes three times as long


def time_line(at: float) -> bytes:
    """Return the line of a joined block that is the time of the events after it."""
    return b"@%d.%03d" % divmod(milliseconds(at), 1000)


@dataclass(frozen=True, slots=True)
class Event:
    """One immutable record of a log. ``data`` is JSON in one line, as `one_line` returns it.

    ``at`` is the time when the event was written, in seconds since the epoch; 0 if it is unknown.
    """

    seq: int
    type: EventType
    data: bytes
    at: float = field(default=0.0, compare=False)

    @property
    def value(self) -> Json:
        """The event's data, parsed: the chunk, or the terminal event's object."""
        return from_json(self.data)

    @property
    def is_terminal(self) -> bool:
        """Whether nothing follows this event."""
        return self.type in TERMINAL_EVENTS


@dataclass(slots=True)
class Block:
    """Contiguous events of one run as one piece of bytes. It never changes.

    ``first`` and ``last`` are the seqs of its first and last event, ``body`` the events' lines,
    ``end`` the type of the terminal event at the block's end, if there is one, and ``at`` the time
    when the first event was written, in seconds since the epoch.
    """

    # Neither frozen, which makes it slow to create, nor a named tuple, whose fields are slow to
    # read: a slow stream has a block for each of its events.
    run_id: Final[str]
    first: Final[int]
    last: Final[int]
    body: Final[bytes]
    end: Final[EventType | None] = None
    at: Final[float] = 0.0

    @property
    def size(self) -> int:
        """The number of events."""
        return self.last - self.first + 1

    @classmethod
    def of_chunks(cls, run_id: str, first: int, data: Sequence[bytes], at: float = 0.0) -> "Block":
        """Create a block of chunks, each given as its JSON. At least one."""
        body = data[0] + b"\n" if len(data) == 1 else b"\n".join([*data, b""])
        if not body.isascii():
            body = one_line(body)
        return cls(run_id, first, first + len(data) - 1, body, None, at)

    @classmethod
    def of_event(
        cls, run_id: str, seq: int, kind: EventType, data: bytes, at: float = 0.0
    ) -> "Block":
        """Create a block of one event of any type."""
        if kind is EventType.CHUNK:
            return cls.of_chunks(run_id, seq, [data], at)
        body = _NAMES[kind] + one_line(data) + b"\n"
        return cls(run_id, seq, seq, body, kind if kind in TERMINAL_EVENTS else None, at)

    def chunks(self) -> bytes | None:
        """Return the lines of the events before the block's end, if all of them are chunks.

        ``None`` if one is not a chunk, or if the events were written at different times.
        """
        body, count = self.body, self.last - self.first + 1
        if body.count(b"\n") != count:
            return None
        lines = body if self.end is None else body[: body.rfind(b"\n!") + 1]
        if _SIGN in lines and (lines[0] == _SIGN or b"\n!" in lines):
            return None
        return lines

    def ending(self) -> bytes:
        """Return the JSON of the terminal event at the block's end."""
        return self.body[self.body.index(b" ", self.body.rfind(b"\n!") + 1) + 1 : -1]

    @classmethod
    def join(cls, blocks: Sequence["Block"]) -> "Block":
        """Return consecutive blocks as one. At least one."""
        first, newest = blocks[0], blocks[-1]
        pieces, at = list[bytes](), first.at
        for block in blocks:
            if block.at != at:
                at = block.at
                pieces.append(time_line(at) + b"\n")
            pieces.append(block.body)
            if b"\n@" in block.body:
                at = block.newest_at
        return cls(first.run_id, first.first, newest.last, b"".join(pieces), newest.end, first.at)

    def ended(self, kind: EventType, data: bytes) -> "Block":
        """Return the block with a terminal event added at its end."""
        body = self.body + _NAMES[kind] + one_line(data) + b"\n"
        return Block(self.run_id, self.first, self.last + 1, body, kind, self.at)

    def after(self, seq: int) -> "Block":
        """Return the part after ``seq``, which must be before the block's last."""
        skip = seq - self.first + 1
        if skip <= 0:
            return self
        if b"\n@" not in self.body:
            body = self.body.split(b"\n", skip)[skip]
            return Block(self.run_id, seq + 1, self.last, body, self.end, self.at)
        return Block.join([each.after(seq) for each in self._pieces() if each.last > seq])

    def fitting(self, events: int, size: int) -> "Block | None":
        """Return the first ``events`` within ``size`` bytes; ``None`` if not even one fits.

        The block must be one of chunks that was not joined.
        """
        stop = self.body.rfind(b"\n", 0, max(0, size)) + 1
        count = min(events, self.body.count(b"\n", 0, stop))
        if count <= 0:
            return None
        body = b"\n".join([*self.body.split(b"\n", count)[:count], b""])
        return Block(self.run_id, self.first, self.first + count - 1, body, None, self.at)

    def newest(self) -> "Block":
        """Return the block's last event as a separate block."""
        line = self.body[self.body.rfind(b"\n", 0, -1) + 1 :]
        return Block(self.run_id, self.last, self.last, line, self.end, self.newest_at)

    def without_debug(self) -> "Block":
        """Return the block without the error details that are for development only."""
        if self.end is not EventType.ERROR or b'"debug":' not in self.body:
            return self
        newest = self.newest()
        (event,) = newest.events()
        told = {name: value for name, value in event.value.items() if name != "debug"}
        data = to_json(told)
        ending = Block.of_event(self.run_id, self.last, event.type, data, newest.at)
        if self.first == self.last:
            return ending
        body = self.body.removesuffix(newest.body)
        return replace(self, body=body + ending.body)

    def begins_with(self, other: "Block") -> bool:
        """Whether this block's first events are those of ``other``, byte for byte."""
        body, begin = (_TIMES.sub(b"", block.body) for block in (self, other))
        return self.last >= other.last and body.startswith(begin)

    def has(self, kind: EventType) -> bool:
        """Whether one of the events is of a type that is not ``CHUNK``."""
        body, sign = self.body, _SIGNS[kind]
        return sign in body and (body.startswith(sign) or b"\n" + sign in body)

    def events(self) -> Iterator[Event]:
        """Yield the block's events."""
        seq, at = self.first, self.at
        for line in self.body.split(b"\n")[:-1]:
            if line[0] == _TIME:
                at = float(line[1:])
                continue
            if line[0] == _SIGN:
                name, _, data = line[1:].partition(b" ")
                yield Event(seq, EventType(name.decode()), data, at)
            else:
                yield Event(seq, EventType.CHUNK, line, at)
            seq += 1

    @property
    def newest_at(self) -> float:
        """The time when the last event was written."""
        if b"\n@" not in self.body:
            return self.at
        return float(_TIMES.findall(self.body)[-1][1:])

    def _pieces(self) -> Iterator["Block"]:
        """Yield the blocks that this one was joined from, as far as their times differ."""
        first = self.first
        times = [self.at, *(float(line[1:]) for line in _TIMES.findall(self.body))]
        for at, body in zip(times, _TIMES.split(self.body), strict=True):
            last = first + body.count(b"\n") - 1
            end = self.end if last == self.last else None
            yield Block(self.run_id, first, last, body, end, at)
            first = last + 1
