"""The newest lines of a run's log, as a person reads them."""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic_core import to_json

from yieldwire.ai.line import line_of
from yieldwire.cli.outcome import lines_of
from yieldwire.cli.question import described, described_answer
from yieldwire.display.progress import progress_in
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.chunks import text_of
from yieldwire.log.events import Event, EventType

LONGEST: Final = 2_000
"""Characters of a line that are kept: more than fills a screen of one line."""
MOST: Final = 200
"""How many lines are kept."""


class LogLines:
    """The newest lines of one run. Texts are joined; a progress is in the list already."""

    def __init__(self) -> None:
        self.seq: int = 0
        self._lines = deque[str](maxlen=MOST)
        self._text = ""
        """A line of text that has not ended."""

    def take(self, event: Event) -> None:
        """Take the next event."""
        self.seq = event.seq
        text = text_of(event.data) if event.type is EventType.CHUNK else None
        if text is not None:
            *whole, rest = (self._text + text).split("\n")
            self._lines.extend(line[-LONGEST:] for line in whole)
            self._text = rest[-LONGEST:]
            return
        for line in _said(event):
            self._end_text()
            self._lines.extend(part[:LONGEST] for part in line.splitlines())

    def newest(self) -> Sequence[str]:
        """Return them, the newest last."""
        return [*self._lines, self._text] if self._text else list(self._lines)

    def _end_text(self) -> None:
        if self._text:
            self._lines.append(self._text)
            self._text = ""


def _said(event: Event) -> Iterator[str]:
    value = event.value
    fields: Mapping[str, Json] = value if isinstance(value, Mapping) else {}
    match event.type:
        case EventType.CHUNK:
            if progress_in(value) is None:
                line = line_of(value)
                yield to_json(value).decode() if line is None else line
        case EventType.QUESTION:
            yield from described(fields)
        case EventType.ANSWER:
            yield described_answer(fields)
        case EventType.RESTARTED:
            yield f"Attempt {fields.get('attempt', '')} starts."
        case EventType.DONE:
            result = fields.get("result")
            if result is not None:
                yield result if isinstance(result, str) else to_json(result).decode()
        case _:
            yield from lines_of(ErrorObject.from_dict(fields))
