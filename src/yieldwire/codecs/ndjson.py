"""Newline-delimited JSON: one event per line, ``{"seq":…,"type":…,"data":…}``."""

from collections.abc import Callable
from typing import Final

from yieldwire.codecs import Frames, frames_of_chunks
from yieldwire.log.cursor import Cursor, mark_of
from yieldwire.log.events import Block, Event, EventType, milliseconds


def _lines(block: Block) -> bytes:
    lines = frames_of_chunks(block, b'{"seq":%d,"type":"chunk","data":', b"}\n")
    if lines is None:
        return b"".join([_line(event.seq, event.type, event.data) for event in block.events()])
    return lines if block.end is None else lines + _line(block.last, block.end, block.ending())


def _line(seq: int, kind: EventType, data: bytes) -> bytes:
    return b'{"seq":%d,"type":"%b","data":%b}\n' % (seq, kind.encode(), data)


def _marked_lines(block: Block) -> bytes:
    end = b',"mark":"%05x"}\n' % mark_of(block.at)
    lines = frames_of_chunks(block, b'{"seq":%d,"type":"chunk","data":', end)
    if lines is None:
        return b"".join([_marked_line(event) for event in block.events()])
    return lines if block.end is None else lines + _marked_line(*block.newest().events())


def _marked_line(event: Event) -> bytes:
    line = _line(event.seq, event.type, event.data)
    return b'%b,"mark":"%05x"}\n' % (line[:-2], mark_of(event.at))


def _timed_lines(block: Block) -> bytes:
    return b"".join([_timed_line(event) for event in block.events()])


def _timed_line(event: Event) -> bytes:
    line = _line(event.seq, event.type, event.data)
    return b'%b,"atMs":%d}\n' % (line[:-2], milliseconds(event.at))


_LINES_OF: Final = Frames(_lines).of
_MARKED_LINES_OF: Final = Frames(_marked_lines, shows_times=True).of


class NDJSONEncoder:
    """Encodes each event as one line, with ``times`` also the time when it was written.

    Args:
        times: Whether each line has ``atMs``, in milliseconds since the epoch.
        marks: Whether each line has the ``mark`` that the event has in a cursor.
    """

    media_type: str = "application/x-ndjson"
    carries_end: bool = True

    def __init__(self, *, times: bool = False, marks: bool = False) -> None:
        # Times are rarely requested, so their lines are not cached.
        encode = _timed_lines if times else _MARKED_LINES_OF if marks else _LINES_OF
        self.encode: Final[Callable[[Block], bytes]] = encode
        """Return a line for each event of a block."""

    def opening(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return nothing: the run's id is in the response's headers."""
        return b""

    def state(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return a line of the type ``run``, which is not in the log."""
        return b'{"type":"run","data":%b}\n' % state

    def keepalive(self) -> bytes:
        """Return a space, which every JSON reader skips before the next line's value."""
        return b" "

    def reset(self, run_id: str, first_seq: int, /) -> bytes:
        """Return a line of the type ``reset``, which is not in the log."""
        return b'{"type":"reset","data":{"firstSeq":%d}}\n' % first_seq

    def farewell(self, retry_ms: int, /) -> bytes:
        """Return nothing: a body without a terminal event already means *resume*."""
        return b""
