"""What a client keeps to continue: ``<run id>.<seq>`` or ``<run id>.<seq>.<mark>``, opaque to it.

A run's id is never reused, so it also identifies the log: a cursor of another run, or of a
log that was lost, is recognized. The mark is of the time when the event was written: if a store
has lost the end of a log and the run continues, other events get the same seqs, but not the same
marks.
"""

import re
from typing import Final, NamedTuple

from yieldwire.errors import ForeignCursor, ParseError
from yieldwire.log.events import milliseconds

CURSOR_FORMAT: Final = b"%b.%d"
"""Formats the run's id and the seq, for those who write many cursors."""
MARK_FORMAT: Final = b".%05x"
"""Formats the mark that can follow."""
_CURSOR: Final = re.compile(
    r"([A-Za-z0-9_~-]{1,64})\.(0|[1-9][0-9]{0,14})(?:\.([0-9a-f]{5}))?", re.ASCII
)
CURSOR_LENGTH: Final = 128
"""Bytes; a longer cursor is refused without parsing."""
_MARKS: Final = 1 << 20
"""How many marks there are: they repeat after 17 minutes, each for a millisecond."""


class Cursor(NamedTuple):
    """A place in a run's log: after event ``seq``, which has the mark, if that is known."""

    run_id: str
    seq: int
    mark: int | None = None

    def __str__(self) -> str:
        mark = "" if self.mark is None else (MARK_FORMAT % self.mark).decode()
        return f"{self.run_id}.{self.seq}{mark}"


def mark_of(at: float) -> int:
    """Return the mark of an event that was written at ``at``, in seconds since the epoch."""
    return milliseconds(at) % _MARKS  # the same for a live event and for one in a joined block


def parse_cursor(text: str) -> Cursor:
    """Return what a cursor says.

    Raises:
        ParseError: If ``text`` is not a cursor.
    """
    match = _CURSOR.fullmatch(text) if len(text) <= CURSOR_LENGTH else None
    if match is None:
        raise ParseError("The cursor cannot be read; send the id of an event, unchanged.")
    run_id, seq, mark = match.groups()
    return Cursor(run_id, int(seq), None if mark is None else int(mark, 16))


def cursor_in(text: str, run_id: str) -> Cursor:
    """Return a cursor that must belong to ``run_id``, or that of a bare seq.

    Raises:
        ParseError: If ``text`` is neither.
        ForeignCursor: If the cursor names another run.
    """
    if text.isascii() and text.isdigit() and len(text) <= 15:  # noqa: PLR2004 - as in a cursor
        return Cursor(run_id, int(text))
    cursor = parse_cursor(text)
    if cursor.run_id != run_id:
        raise ForeignCursor
    return cursor


def check_within(seq: int, last: int) -> None:
    """Return if a cursor with ``seq`` is not beyond the end of a log, whose last event is ``last``.

    Raises:
        ForeignCursor: If it is: the cursor comes from a log that was lost.
    """
    if seq > last:
        raise ForeignCursor
