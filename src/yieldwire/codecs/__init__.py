"""Pure translation between a log's events and the bytes of a format, both ways.

Nothing here does I/O, knows a run's life or accesses a store. An encoder can be fed blocks
in any grouping and a decoder bytes in any slices: the events are the same.
"""

from collections.abc import Sequence
from typing import ClassVar, Final, Protocol

from yieldwire.log.events import Block, Event, EventType


class Encoder(Protocol):
    """Encodes blocks as bytes of one format, for one reader."""

    media_type: ClassVar[str]
    """The value of ``Content-Type``."""
    carries_end: ClassVar[bool]
    """Whether the bytes say how the run ended. If they do not, a run that did not
    complete is aborted, so that nobody mistakes the end of the body for success."""

    def opening(self, run_id: str, after: int, state: bytes, /) -> bytes:
        """Return the bytes before the first event; ``state`` is JSON about the run."""
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

    def farewell(self, retry_ms: int, /) -> bytes:
        """Return the bytes that ask a reader to reconnect after ``retry_ms``."""
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
