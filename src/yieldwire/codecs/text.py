"""Plain text: only the run's text, as it arrives.

It can carry only text, so the transport aborts a run that did not complete instead of ending
it cleanly.
"""

from typing import Final

from yieldwire.codecs import Frames
from yieldwire.log.chunks import text_of
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Block, EventType


def _text(block: Block) -> bytes:
    return "".join(
        text_of(event.data) or "" for event in block.events() if event.type is EventType.CHUNK
    ).encode()


_TEXTS: Final = Frames(_text)


class TextEncoder:
    """Concatenates the texts: `Text`, `Append` and plain string chunks."""

    media_type: str = "text/plain; charset=utf-8"
    carries_end: bool = False
    encode: "staticmethod[[Block], bytes]" = staticmethod(_TEXTS.of)
    """Return the text of a block's chunks."""

    def opening(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return nothing."""
        return b""

    def state(self, cursor: Cursor, state: bytes, /) -> bytes:
        """Return nothing."""
        return b""

    def keepalive(self) -> bytes:
        """Return nothing: anything here would be part of the text."""
        return b""

    def reset(self, run_id: str, first_seq: int, /) -> bytes:
        """Return nothing."""
        return b""

    def farewell(self, retry_ms: int, /) -> None:
        """Return ``None``: a text cannot say that there is more."""
