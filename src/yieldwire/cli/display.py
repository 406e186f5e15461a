"""The terminal's view of a run: bars, texts, lines of JSON. Without a terminal, plain lines."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TextIO

from pydantic_core import to_json
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from yieldwire.cli.outcome import lines_of
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.chunks import text_of
from yieldwire.log.events import Event, EventType, one_line
from yieldwire.setting import is_number

_CONTROLS: Final = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(32), *range(127, 160))
    if chr(code) not in "\n\t"
}
"""Characters with which a text could control a terminal."""


class Display(Protocol):
    """Shows a run's events, one after the other."""

    def show(self, event: Event) -> None:
        """Show an event."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...


class JsonLines:
    """Prints one JSON object per event and line, as in NDJSON on the wire, and nothing else."""

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout

    def show(self, event: Event) -> None:
        """Write the event."""
        line = b'{"seq":%d,"type":"%b","data":%b}\n' % (event.seq, event.type.encode(), event.data)
        self._out.write(line.decode())
        self._out.flush()

    def close(self) -> None:
        """Do nothing."""


class Terminal:
    """Progress as a bar, text as it arrives, other chunks as lines of JSON, the result at the end.

    Output goes to stdout; progress, notes and errors go to stderr.
    """

    def __init__(self) -> None:
        self._out, self._notes = sys.stdout, Console(stderr=True, highlight=False)
        self._bar: _Bar = _LiveBar(self._notes) if self._notes.is_terminal else _PlainBar()
        self._is_line_open = False

    def show(self, event: Event) -> None:
        """Show the event."""
        value = event.value
        if event.type is EventType.CHUNK:
            self._show_chunk(value, text_of(event.data))
        elif event.type is EventType.RESTARTED:
            self._end_line()
            attempt = _fields(value).get("attempt", "")
            note(f"Attempt {attempt} starts; earlier output no longer counts.")
        elif event.type is EventType.DONE:
            self._show_result(_fields(value).get("result"))
        else:
            self._end_line()
            fail(ErrorObject.from_dict(value))

    def _show_chunk(self, value: Json, text: str | None) -> None:
        progress = _progress_in(value)
        if progress is not None:
            self._end_line()
            self._bar.show(progress)
        elif text is not None:
            self._bar.hide()
            self._write(text)
        else:
            self._end_line()
            self._write(one_line(to_json(value)).decode() + "\n")

    def _show_result(self, result: Json) -> None:
        self._end_line()
        if isinstance(result, str):
            self._write(result)
        elif result is not None:
            self._write(to_json(result, indent=2).decode())
        self._end_line()

    def _write(self, text: str) -> None:
        self._bar.hide()
        self._out.write(text.translate(_CONTROLS) if self._out.isatty() else text)
        self._out.flush()
        if text:
            self._is_line_open = not text.endswith("\n")

    def _end_line(self) -> None:
        if self._is_line_open:
            self._write("\n")

    def close(self) -> None:
        """Restore the terminal."""
        self._bar.close()
        self._end_line()


class _Shown(NamedTuple):
    """The values of a bar, from a progress."""

    current: float
    total: float | None
    percent: float | None
    message: str


def _progress_in(value: Json) -> _Shown | None:
    """Return the progress in a chunk; it can be an action's own, with other members."""
    fields = _fields(value)
    current = _number_in(fields, "current")
    if fields.get("type") != "progress" or current is None:
        return None
    message = fields.get("message")
    return _Shown(
        current,
        _number_in(fields, "total"),
        _number_in(fields, "percent"),
        message if isinstance(message, str) else "",
    )


def _number_in(fields: Mapping[str, Json], name: str) -> float | None:
    value = fields.get(name)
    return value if is_number(value) else None


def _fields(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


class _Bar(Protocol):
    def show(self, progress: _Shown) -> None: ...
    def hide(self) -> None: ...
    def close(self) -> None: ...


class _LiveBar:
    """A moving bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def show(self, progress: _Shown) -> None:
        if self._progress is None:
            self._progress = Progress(
                SpinnerColumn(),
                BarColumn(),
                TaskProgressColumn(show_speed=True),
                TextColumn("{task.description}", markup=False),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=self._console,
            )
            self._task = self._progress.add_task("")
            self._progress.start()
        self._progress.update(
            self._task,
            completed=progress.current,
            total=progress.total,
            description=_clean(progress.message),
        )

    def hide(self) -> None:
        if self._progress is not None:
            self._progress.live.transient = True
            self.close()

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class _PlainBar:
    """A line for each whole percent, or for each message if the total is not known."""

    def __init__(self) -> None:
        self._shown: object = None

    def show(self, progress: _Shown) -> None:
        percent, message = progress.percent, progress.message
        mark = message or progress.current if percent is None else int(percent)
        if mark == self._shown:
            return
        self._shown = mark
        head = f"{progress.current}" if percent is None else f"{percent:5.1f} %"
        note(f"{head} {message}".rstrip())

    def hide(self) -> None:
        pass

    def close(self) -> None:
        pass


def note(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(_clean(text) + "\n")
    sys.stderr.flush()


def fail(error: ErrorObject) -> None:
    """Write an error to stderr."""
    for line in lines_of(error):
        note(line)


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout; without a terminal, tab-separated lines."""
    if not sys.stdout.isatty():
        for row in rows:
            line = "\t".join(_clean(cell).replace("\n", " ") for cell in row)
            sys.stdout.write(line.rstrip() + "\n")
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(_clean(cell) for cell in row))
    Console(highlight=False, markup=False).print(table)


def show_json(value: Json) -> None:
    """Write a JSON value to stdout, on one line."""
    sys.stdout.write(one_line(to_json(value)).decode() + "\n")


def _clean(text: str) -> str:
    return text.translate(_CONTROLS)
