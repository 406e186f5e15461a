"""Reads newline-delimited JSON; clients of this format are other programs."""

from collections.abc import Sequence
from typing import Final

from pydantic_core import from_json, to_json

from yieldwire.codecs import LOG_EVENTS
from yieldwire.errors import ProtocolError
from yieldwire.log.events import Event, one_line

MAX_LINE_BYTES: Final = 16 * 1024 * 1024
"""The most bytes that a decoder holds of one unfinished line."""


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
