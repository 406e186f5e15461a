"""Pure translation between a log's events and the bytes of a format, both ways.

Nothing here does I/O, knows a run's life or accesses a store. An encoder can be fed blocks
in any grouping and a decoder bytes in any slices: the events are the same.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, Event, EventType


class Encoder(Protocol):
    """Encodes blocks as bytes of one format, for one reader."""

    @property
    def media_type(self) -> str:
        """The value of ``Content-Type``."""
        ...

    @property
    def carries_end(self) -> bool:
        """Whether the bytes say how the run ended.

        If they do not, the body of a run that did not complete is aborted, so that nobody mistakes
        its end for success.
        """
        ...

    def opening(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return the bytes before the events after ``cursor``; ``state`` is JSON about the run."""
        ...

    def state(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return the bytes, between two events, that tell JSON about the run; can be empty."""
        ...

    def encode(self, block: Block, /) -> bytes:
        """Return the frames of every event of ``block``."""
        ...

    def keepalive(self) -> bytes:
        """Return bytes without meaning; can be empty."""
        ...

    def reset(self, run_id: str, first_seq: int, /) -> bytes:
        """Return the bytes that tell a reader that the log starts at ``first_seq``."""
        ...

    def farewell(self, retry_ms: int, /) -> bytes | None:
        """Return the bytes that ask a reader to reconnect after ``retry_ms``.

        ``None``: the format has none, and the body is aborted.
        """
        ...


class Decoder(Protocol):
    """Reads events from one format's bytes, however they are cut.

    Additions of later protocol versions are ignored: events of other types, and fields and
    members with other names.
    """

    def feed(self, data: bytes, /) -> Sequence[Event]:
        """Return the events that ``data`` completes.

        Raises:
            ProtocolError: If the bytes are not in the format, or one event is too large.
        """
        ...


LOG_EVENTS: Final = {kind.value: kind for kind in EventType if kind is not EventType.STARTED}
"""The types of a log's events by their names on the wire, as far as this version knows them."""

KEPT_BYTES: Final = 16 * 1024 * 1024
"""The approximate size of one format's cache, for each of two generations."""
SMALL_BYTES: Final = 4096
"""The size below which a block is encoded faster than memory for its frames is found."""
_PERCENT: Final = ord("%")
"""A number, which Python finds in bytes several times as fast as other bytes."""
_ENTRY_BYTES: Final = 300
"""The approximate size of an entry without its bytes."""


class Frames:
    """Encodes blocks in one format by ``make``, and caches those of large ones.

    A block never changes, so its frames in one format are the same for every reader: they are
    encoded once for readers that replay a log soon after each other.

    Args:
        make: Encodes a block.
        shows_times: Whether the frames depend on when the events were written.
    """

    __slots__ = ("_make", "_new", "_old", "_shows_times", "_size")

    def __init__(self, make: Callable[[Block], bytes], *, shows_times: bool = False) -> None:
        self._make: Final = make
        self._shows_times = shows_times
        # Two generations: when the younger one is full, the older one is dropped. So a cache hit
        # has nothing to update.
        self._new: dict[tuple[str, int, float], tuple[bytes, bytes]] = {}
        self._old: dict[tuple[str, int, float], tuple[bytes, bytes]] = {}
        self._size = 0

    @property
    def kept_bytes(self) -> int:
        """The approximate size of the cache in bytes."""
        kept = [*self._new.values(), *self._old.values()]
        return sum(len(body) + len(frames) + _ENTRY_BYTES for body, frames in kept)

    def of(self, block: Block) -> bytes:
        """Return the frames of every event of ``block``."""
        if len(block.body) < SMALL_BYTES:
            return self._make(block)
        body, key = block.body, (block.run_id, block.first, block.at if self._shows_times else 0.0)
        known = self._new.get(key) or self._old.get(key)
        # Compared as well: `without_debug` and a cut change the body of a block.
        if known is not None and known[0] == body:
            return known[1]
        frames = self._make(block)
        self._new[key] = body, frames
        self._size += len(body) + len(frames) + _ENTRY_BYTES
        if self._size > KEPT_BYTES:
            self._old, self._new, self._size = self._new, {}, 0
        return frames


def frames_of_chunks(block: Block, before: bytes, after: bytes) -> bytes | None:
    """Return the frames of the events before the block's end, if all of them are chunks.

    Args:
        block: The events.
        before: The bytes before the JSON of each, with ``%d`` for the event's seq.
        after: The bytes after it.
    """
    lines = block.chunks()
    if not lines:
        return lines  # only the end, or not only chunks
    # All in one step: one frame at a time takes several times as long.
    if _PERCENT in lines:
        lines = lines.replace(b"%", b"%%")
    frames = b"".join((before, lines[:-1].replace(b"\n", after + before), after))
    return frames % tuple(range(block.first, block.last + (block.end is None)))
