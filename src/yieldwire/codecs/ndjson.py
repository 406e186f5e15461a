"""Newline-delimited JSON: one event per line, ``{"seq":…,"type":…,"data":…}``."""

from collections.abc import Sequence
from typing import ClassVar, Final

from pydantic_core import from_json, to_json

from yieldwire.codecs import LOG_EVENTS, Frames, frames_of_chunks
from yieldwire.errors import ProtocolError
from yieldwire.log.events import Block, Event, EventType, one_line

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""The most bytes that a decoder holds of one unfinished line."""


def _lines(block: Block) -> bytes:
    lines = frames_of_chunks(block, b'{"seq":%d,"type":"chunk","data":', b"}\n")
    if lines is None:
        return b"".join([_line(event.seq, event.type, event.data) for event in block.events()])
    return lines if block.end is None else lines + _line(block.last, block.end, block.ending())


def _line(seq: int, kind: EventType, data: bytes) -> bytes:
    return b'{"seq":%d,"type":"%b","data":%b}\n' % (seq, kind.encode(), data)


def _timed_lines(block: Block) -> bytes:
    return b"".join([_timed_line(event) for event in block.events()])


def _timed_line(event: Event) -> bytes:
    # Rounded first, as `Block.join` does: a live event and a joined one must have the same time.
    at_ms = round(1000 * round(event.at, 3))
    return _line(event.seq, event.type, event.data)[:-2] + b',"atMs":%d}\n' % at_ms


_LINES_OF: Final = Frames(_lines).of


class NDJSONEncoder:
    """Encodes each event as one line, with ``times`` also the time of its append.

    Args:
        times: Whether each line has ``atMs``, in milliseconds since the epoch.
    """

    media_type: ClassVar[str] = "application/x-ndjson"
    carries_end: ClassVar[bool] = True

    def __init__(self, *, times: bool = False) -> None:
        # Times are rarely requested, so their lines are not cached.
        self._lines_of: Final = _timed_lines if times else _LINES_OF

    def opening(self, run_id: str, after: int, state: bytes, /) -> bytes:
        """Return nothing: the run's id is in the response's headers."""
        return b""

    def encode(self, block: Block, /) -> bytes:
        """Return a line for each event."""
        return self._lines_of(block)

    def keepalive(self) -> bytes:
        """Return a space, which every JSON reader skips before the next line's value."""
        return b" "

    def reset(self, run_id: str, first_seq: int, /) -> bytes:
        """Return a line of the type ``reset``, which is not in the log."""
        return b'{"type":"reset","data":{"firstSeq":%d}}\n' % first_seq

    def farewell(self, retry_ms: int, /) -> bytes:
        """Return nothing: a body without a terminal event already means *resume*."""
        return b""


class NDJSONDecoder:
    """Reads lines of events; ``first_seq`` is where the log starts according to a ``reset``."""

    def __init__(self, *, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self.first_seq: int | None = None
        self._limit = max_line_bytes
        self._tail: list[bytes] = []
        self._held = 0

    def feed(self, data: bytes, /) -> Sequence[Event]:
        """Return the events whose lines ``data`` completes.

        Raises:
            ProtocolError: If a line is not an event, or is larger than the limit.
        """
        head, *rest = data.split(b"\n")
        self._tail.append(head)
        self._held += len(head)
        if self._held > self._limit or any(len(line) > self._limit for line in rest):
            raise ProtocolError(f"A line has more than {self._limit} bytes.")
        if not rest:
            return []
        lines = [b"".join(self._tail), *rest]
        self._tail, self._held = [lines[-1]], len(lines[-1])
        return [event for line in lines[:-1] if line.strip() for event in self._event(line)]

    def _event(self, line: bytes) -> Sequence[Event]:
        try:
            value = from_json(line)
            name = value["type"]
            if name == "reset":
                self.first_seq = int(value["data"]["firstSeq"])
                return ()
            kind = LOG_EVENTS.get(name)
            if kind is None and isinstance(name, str):
                return ()  # an event of another version
            if kind is None:
                raise TypeError("the type of an event is not a string")
            data, at = one_line(to_json(value["data"])), value.get("atMs", 0) / 1000
            return (Event(int(value["seq"]), kind, data, at),)
        except (ValueError, KeyError, TypeError, OverflowError) as exc:
            raise ProtocolError("A line is not an event of this protocol.") from exc
