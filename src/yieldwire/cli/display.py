"""The terminal's view of a run: bars, texts, lines of JSON. Without a terminal, plain lines."""

import sys
from collections.abc import Mapping, Sequence
from typing import Final, Protocol, TextIO

from pydantic_core import to_json
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from yieldwire.ai.line import line_of
from yieldwire.cli.output import fail, note, show_json
from yieldwire.cli.question import AskedQuestion, described, described_answer, parts_of
from yieldwire.display.progress import ShownProgress, clean, progress_in
from yieldwire.display.terminal import LiveBar, is_live
from yieldwire.errors import ErrorObject, Json
from yieldwire.log.chunks import Progress, text_of
from yieldwire.log.events import Event, EventType, one_line

SHOWN_BYTES: Final = 1_000_000
"""The size of files that are large enough to show how much of them was sent."""


def has_screen() -> bool:
    """Return whether input and output are one terminal that can place text and send single keys."""
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty() and sys.platform != "win32"
    return is_terminal and not Console().is_dumb_terminal


class Display(Protocol):
    """Shows a run's events, one after the other."""

    def show(self, event: Event) -> None:
        """Show an event."""
        ...

    def upload(self, progress: Progress) -> None:
        """Show how many bytes of the input's files were sent."""
        ...

    def wait(self, text: str) -> None:
        """Show where the run waits, instead of what this showed before; empty: it does not."""
        ...

    def note(self, text: str) -> None:
        """Write a line to stderr, below what is shown."""
        ...

    def close(self) -> None:
        """Restore the terminal."""
        ...


class JsonLines:
    """Prints one JSON object per event and line, as in NDJSON on the wire, and nothing else.

    With ``times`` each has ``atMs``, the time when it was written.
    """

    def __init__(self, out: TextIO | None = None, *, times: bool = False) -> None:
        self._out, self._times = out or sys.stdout, times

    def show(self, event: Event) -> None:
        """Write the event."""
        line = b'{"seq":%d,"type":"%b","data":%b' % (event.seq, event.type.encode(), event.data)
        at = f',"atMs":{round(event.at * 1000)}' if self._times else ""
        self._out.write(f"{line.decode()}{at}}}\n")
        self._out.flush()

    def upload(self, progress: Progress) -> None:
        """Write nothing: it is not an event."""

    def wait(self, text: str) -> None:
        """Write nothing: it is not an event."""

    def note(self, text: str) -> None:
        """Write it."""
        note(text)

    def close(self) -> None:
        """Do nothing."""


class Terminal:
    """Progress as a bar, text as it arrives, other chunks as lines, the result at the end.

    Output goes to stdout; progress, notes and errors go to stderr.
    """

    def __init__(self) -> None:
        self._out, notes = sys.stdout, Console(stderr=True, highlight=False)
        self._bar: _Bar = LiveBar(notes) if is_live(notes) else _PlainBar()
        self._is_line_open = False

    def show(self, event: Event) -> None:
        """Show the event."""
        value = event.value
        if event.type is EventType.CHUNK:
            self._show_chunk(value, text_of(event.data))
        elif event.type is EventType.RESTARTED:
            self._end_line()
            attempt, keep = _fields(value).get("attempt", ""), _fields(value).get("keep")
            what = "output after its saved place" if keep else "earlier output"
            self.note(f"Attempt {attempt} starts; {what} no longer counts.")
        elif event.type is EventType.QUESTION:
            self._bar.hide()
            for line in described(value):
                self.note(line)
        elif event.type is EventType.ANSWER:
            self.note(described_answer(value))
        elif event.type is EventType.DONE:
            self._show_result(_fields(value).get("result"))
        elif event.is_terminal:
            self.close()  # the error is the last line, below the bar
            fail(ErrorObject.from_dict(value))

    def upload(self, progress: Progress) -> None:
        """Show it as a bar, until all is sent; without a terminal, as lines."""
        total = progress.total or 0
        if total < SHOWN_BYTES:
            return
        sizes = f"Sending {decimal(int(progress.current))} of {decimal(int(total))}"
        self._bar.show(ShownProgress(progress.current, total, progress.percent, sizes))
        if progress.current == total:
            self._bar.hide()

    def wait(self, text: str) -> None:
        """Show it as a line that moves; without a terminal, as a line for each change."""
        self._bar.wait(text)

    def note(self, text: str) -> None:
        """Write it, on a line of its own if stdout is the same terminal."""
        if self._out.isatty():
            self._end_line()
        note(text)

    def _show_chunk(self, value: Json, text: str | None) -> None:
        progress = progress_in(value)
        if progress is not None:
            self._end_line()
            self._bar.show(progress)
        elif text is not None:
            self._bar.hide()
            self._write(text)
        elif (line := line_of(value)) is not None:
            self._note_line(line)
        else:
            self._end_line()
            self._write(one_line(to_json(value)).decode() + "\n")

    def _note_line(self, line: str) -> None:
        if line:
            self._bar.hide()
            self.note(line)

    def _show_result(self, result: Json) -> None:
        self._end_line()
        if isinstance(result, str):
            self._write(result)
        elif result is not None:
            self._write(to_json(result, indent=2).decode())
        self._end_line()

    def _write(self, text: str) -> None:
        self._bar.hide()
        self._out.write(clean(text) if self._out.isatty() else text)
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


def _fields(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


class _Bar(Protocol):
    def wait(self, text: str) -> None: ...
    def show(self, progress: ShownProgress) -> None: ...
    def hide(self) -> None: ...
    def close(self) -> None: ...


class _PlainBar:
    """A line for each whole percent, or for each message if the total is not known."""

    def __init__(self) -> None:
        self._shown: object = None
        self._waited = ""

    def wait(self, text: str) -> None:
        if text and text != self._waited:
            note(text)
        self._waited = text

    def show(self, progress: ShownProgress) -> None:
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


def show_marked(mark: str, style: str, text: str) -> None:
    """Write a line to stdout that begins with a mark, which has a colour in a terminal."""
    console = Console(highlight=False, markup=False, soft_wrap=True)
    console.print(Text.assemble((mark, style), text))


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write a table to stdout; without a terminal, tab-separated lines."""
    if not sys.stdout.isatty():
        for row in rows:
            line = "\t".join(clean(cell).replace("\n", " ") for cell in row)
            sys.stdout.write(line.rstrip() + "\n")
        return
    table = Table(*columns, box=None, header_style="bold", pad_edge=False)
    for row in rows:
        table.add_row(*(clean(cell) for cell in row))
    Console(highlight=False, markup=False).print(table)


def list_questions(questions: Sequence[AskedQuestion], *, as_json: bool) -> None:
    """Write open questions to stdout: a table with what an answer consists of, or JSON."""
    if as_json:
        show_json({"questions": questions})
        return
    columns = ["run", "question", "prompt", "answer"]
    rows = [[one["run"], one["id"], one["prompt"], parts_of(one["schema"])] for one in questions]
    show_table(columns, rows)
