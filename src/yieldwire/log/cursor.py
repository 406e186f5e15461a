"""What a client keeps to continue: ``<run id>.<seq>``, opaque to it.

A run's id is never reused, so it also identifies the log: a cursor of another run, or of a
log that was lost, is recognized.
"""

import re
from typing import Final

from yieldwire.errors import ForeignCursor, ParseError

CURSOR_FORMAT: Final = b"%b.%d"
"""Formats the run's id and the seq, for those who write many cursors."""
_CURSOR: Final = re.compile(r"([A-Za-z0-9_~-]{1,64})\.(0|[1-9][0-9]{0,14})", re.ASCII)
CURSOR_LENGTH: Final = 128
"""Bytes; a longer cursor is refused without parsing."""


def cursor_of(run_id: str, seq: int) -> str:
    """Return the cursor after event ``seq``."""
    return (CURSOR_FORMAT % (run_id.encode(), seq)).decode()


def parse_cursor(text: str) -> tuple[str, int]:
    """Return the run id and the seq that a cursor names.

    Raises:
        ParseError: If ``text`` is not a cursor.
    """
    match = _CURSOR.fullmatch(text) if len(text) <= CURSOR_LENGTH else None
    if match is None:
        raise ParseError("The cursor cannot be read; send the id of an event, unchanged.")
    return match[1], int(match[2])


def seq_in(text: str, run_id: str) -> int:
    """Return the seq of a cursor that must belong to ``run_id``, or of a bare seq.

    Raises:
        ParseError: If ``text`` is neither.
        ForeignCursor: If the cursor names another run.
    """
    if text.isascii() and text.isdigit() and len(text) <= 15:  # noqa: PLR2004 - as in a cursor
        return int(text)
    named, seq = parse_cursor(text)
    if named != run_id:
        raise ForeignCursor
    return seq


def check_within(seq: int, last: int) -> None:
    """Return if a cursor with ``seq`` is not beyond the end of a log, whose last event is ``last``.

    Raises:
        ForeignCursor: If it is: the cursor comes from a log that was lost.
    """
    if seq > last:
        raise ForeignCursor
