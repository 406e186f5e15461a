"""Encoded blocks, cached for the next readers.

A block never changes, so its frames in one format are the same for every reader. They are encoded
once for all readers of a live run, and once for readers that replay a log soon after each other.
"""

from collections.abc import Callable
from typing import Final

from yieldwire.log.events import Block

KEPT_BYTES: Final = 16 * 1024 * 1024
"""The approximate size of one format's cache, for each of two generations."""
_ENTRY_BYTES: Final = 300
"""The approximate size of an entry without its bytes."""


class Frames:
    """Encodes blocks in one format by ``make``, and caches the newest results."""

    __slots__ = ("_make", "_new", "_old", "_size")

    def __init__(self, make: Callable[[Block], bytes]) -> None:
        self._make: Final = make
        # Two generations: when the younger one is full, the older one is dropped. So a cache hit
        # has nothing to update.
        self._new: dict[tuple[str, int], tuple[bytes, bytes]] = {}
        self._old: dict[tuple[str, int], tuple[bytes, bytes]] = {}
        self._size = 0

    @property
    def kept_bytes(self) -> int:
        """The approximate size of the cache in bytes."""
        kept = [*self._new.values(), *self._old.values()]
        return sum(len(body) + len(frames) + _ENTRY_BYTES for body, frames in kept)

    def of(self, block: Block) -> bytes:
        """Return the frames of every event of ``block``."""
        body, key = block.body, (block.run_id, block.first)
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
    if b"%" in lines:
        lines = lines.replace(b"%", b"%%")
    frames = before + lines[:-1].replace(b"\n", after + before) + after
    return frames % tuple(range(block.first, block.last + (block.end is None)))
