"""How a live view looks: a screen full of lines, for any width and height, with and without colour.

Nothing is told by colour alone, and no line is wider than the terminal.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from rich.text import Text

from yieldwire.cli.record import duration
from yieldwire.cli.top.board import Board, BoardRow, status_of
from yieldwire.cli.top.lines import LogLines
from yieldwire.display.progress import clean, progress_in
from yieldwire.errors import Json
from yieldwire.log.waiting import described

STYLES: Final[Mapping[str, str]] = {
    "running": "green",
    "asking": "bold yellow",
    "stopping": "yellow",
    "failed": "red",
    "completed": "dim",
    "cancelled": "dim",
}
"""The colours of what `status_of` returns."""
KEYS: Final = (
    ("up, down, j, k", "select a run; also page up, page down, home and end"),
    ("enter", "more room for its log, and back"),
    ("a", "answer its open questions"),
    ("c", "cancel it"),
    ("s", "list only active, pending, running ... runs"),
    ("/", "list only runs with these words in action, label, status or id"),
    ("q, Ctrl-C", "quit; the runs keep running"),
)
_FIXED_LINES: Final = 4
_STATUS, _RATE, _AGE, _ID = 9, 6, 6, 21
_ROOM_FOR_ID: Final = 76
_ROOM_FOR_RATE: Final = 56
_ROOM_FOR_LABELS: Final = 110
_SECONDS_OF_A_MINUTE: Final = 60


@dataclass(slots=True)
class View:
    """What is shown in addition to the runs.

    Attributes:
        place: Where the runs are.
        footer: What the last line says instead of the keys.
        trouble: What is wrong with the server, instead of the place.
        is_help: Whether the keys are explained instead of all else.
        is_wide_log: Whether the log has most of the room.
        is_ascii: Whether the terminal has only ASCII.
        top: The first run that is visible.
    """

    place: str
    footer: str = ""
    trouble: str = ""
    is_help: bool = False
    is_wide_log: bool = False
    is_ascii: bool = False
    top: int = field(default=0, init=False)

    def draw(
        self, board: Board, lines: LogLines, times: tuple[float, float], size: tuple[int, int]
    ) -> list[Text]:
        """Return the lines of the screen.

        Args:
            board: The runs.
            lines: The log of the selected one.
            times: Now, as `Board.take` has it, and in seconds since the epoch.
            size: The columns and the lines of the terminal.
        """
        columns, height = size
        if self.is_help:
            shown = [Text(f"{keys:<16}{what}") for keys, what in KEYS]
            return _filled([*shown, Text(""), Text("Press any key to return.")], columns, height)
        rows = board.listed()
        selected = board.selected(rows)
        room = max(1, height - _FIXED_LINES)
        log = max(room - 4, 0) if self.is_wide_log else room // 3
        visible = self._visible(rows, selected, room - log)
        page = f"{self.top + 1}-{self.top + len(visible)} of {len(rows)}" if rows else "no runs"
        table = RunTable(columns, page, is_ascii=self.is_ascii)
        drawn = [self._summary(board, times[0], columns), table.head()]
        drawn += [table.row(row, times, is_selected=row is selected) for row in visible]
        drawn += [Text("")] * (room - log - len(visible))
        drawn.append(self._rule(selected, columns))
        drawn += self._log(selected, lines, columns, log)
        drawn.append(self._footer(columns))
        return _filled(drawn, columns, height)

    def _visible(
        self, rows: Sequence[BoardRow], selected: BoardRow | None, room: int
    ) -> Sequence[BoardRow]:
        place = 0 if selected is None else next(n for n, row in enumerate(rows) if row is selected)
        self.top = max(0, min(self.top, place, len(rows) - room), place - room + 1)
        return rows[self.top : self.top + room]

    def _summary(self, board: Board, now: float, columns: int) -> Text:
        if self.trouble:
            return Text(_cut(self.trouble, columns, self.is_ascii), style="bold red")
        parts = [f"{board.active} active of {len(board)} runs", f"{board.rate(now):.1f} events/s"]
        if board.filter != "all":
            parts.append(f"only {board.filter}")
        if board.words:
            parts.append(f"with '{board.words}'")
        told = ", ".join(parts)
        place = _cut(self.place, columns - len(told) - 2, self.is_ascii)
        return Text(f"{told}{place:>{max(0, columns - len(told))}}", style="bold")

    def _rule(self, selected: BoardRow | None, columns: int) -> Text:
        line = "-" if self.is_ascii else "─"
        told = f"{line * 2} {_facts(selected.entry)} " if selected is not None else ""
        told = _cut(told, columns, self.is_ascii)
        return Text(told + line * (columns - Text(told).cell_len), style="dim")

    def _log(
        self, selected: BoardRow | None, lines: LogLines, columns: int, room: int
    ) -> Sequence[Text]:
        if selected is None:
            return [Text("")] * room
        state = [Text(line, style="bold") for line in _state(selected.entry)][:room]
        left = room - len(state)
        wrapped: list[str] = []
        for line in lines.newest()[-left:] if left else []:
            wrapped += _wrapped(line, columns)
        shown = [*state, *map(Text, wrapped[-left:] if left else [])]
        return [*shown, *[Text("")] * (room - len(shown))]

    def _footer(self, columns: int) -> Text:
        if self.footer:
            return Text(_cut(self.footer, columns, self.is_ascii), style="reverse")
        keys = ["enter log", "a answer", "c cancel", "s status", "/ find", "? help", "q quit"]
        keys.insert(0, f"{'up/down' if self.is_ascii else '↑↓'} select")
        while len("  ".join(keys)) > columns and len(keys) > 1:
            del keys[0]  # the last ones say where the others are
        return Text("  ".join(keys), style="dim")


class RunTable:
    """The columns of a list of runs, as many as the terminal has room for."""

    def __init__(self, columns: int, page: str = "", *, is_ascii: bool) -> None:
        self._columns, self._page, self._is_ascii = columns, page, is_ascii
        self._has_id, self._has_rate = columns >= _ROOM_FOR_ID, columns >= _ROOM_FOR_RATE
        fixed = 2 + _STATUS + 1 + _AGE + 1
        fixed += (_ID + 1 if self._has_id else 0) + (_RATE + 1 if self._has_rate else 0)
        left = max(columns - fixed, 12)
        self._labels = columns - _ROOM_FOR_LABELS + 15 if columns >= _ROOM_FOR_LABELS else 0
        left -= self._labels + 1 if self._labels else 0
        self._action = min(max(left // 2, 6), 30)
        self._bar = max(0, min(left - self._action - 1, 30))

    def head(self) -> Text:
        """Return the names of the columns, and on the right which page this is."""
        cells = self._cells("status", "action", "progress", "ev/s", "age", "labels", "run")
        text = " ".join(cells)
        at = self._columns - len(self._page)
        return Text(f"{text[: at - 1]:<{max(0, at)}}{self._page}", style="dim")

    def row(self, row: BoardRow, times: tuple[float, float], *, is_selected: bool = False) -> Text:
        """Return the line of a run."""
        entry, (now, epoch) = row.entry, times
        status, rate = status_of(entry), row.rate(now) if row.is_active else None
        cells = self._cells(
            status,
            entry["action"],
            self._progress(entry),
            "" if rate is None else _short(rate),
            _age(entry, epoch),
            ", ".join(entry["labels"]),
            entry["id"],
            mark=(">" if self._is_ascii else "▶") if is_selected else " ",
        )
        text = Text(" ".join(cells), style="reverse" if is_selected else "")
        if not is_selected:
            text.stylize(STYLES.get(status, ""), 0, 2 + _STATUS)
        return text

    def _cells(  # noqa: PLR0913, PLR0917 - one for each column
        self,
        status: str,
        action: str,
        progress: str,
        rate: str,
        age: str,
        labels: str,
        run_id: str,
        *,
        mark: str = " ",
    ) -> Iterator[str]:
        yield mark
        yield f"{status:<{_STATUS}}"
        yield self._fit(action, self._action)
        yield self._fit(progress, self._bar)
        if self._has_rate:
            yield f"{rate:>{_RATE}}"
        yield f"{age:>{_AGE}}"
        if self._labels:
            yield self._fit(labels, self._labels)
        if self._has_id:
            yield f"{run_id:<{_ID}}"

    def _progress(self, entry: Mapping[str, Json]) -> str:
        progress = progress_in(entry.get("progress"))
        if progress is None:
            return clean(described(entry.get("waiting")))
        if progress.percent is None:
            return f"{progress.current:g}"
        share = max(0.0, min(progress.percent, 100.0))
        return f"{bar(share, self._bar - 5, is_ascii=self._is_ascii)}{int(share):>4}%"

    def _fit(self, text: str, columns: int) -> str:
        cut = _cut(text, columns, self._is_ascii)
        return cut + " " * (columns - Text(cut).cell_len)


def bar(percent: float, columns: int, *, is_ascii: bool) -> str:
    """Return a bar for 0 to 100 percent that can be read without colours."""
    done, rest = ("#", ".") if is_ascii else ("━", "·")
    filled = int(percent / 100 * columns)
    return done * filled + rest * (columns - filled)


def _short(rate: float) -> str:
    return f"{rate:.1f}" if rate < 1000 else f"{rate / 1000:.1f}k"  # noqa: PLR2004 - a thousand


def _age(entry: Mapping[str, Json], epoch: float) -> str:
    seconds = max(0.0, epoch - datetime.fromisoformat(entry["createdAt"]).timestamp())
    return f"{int(seconds)}s" if seconds < _SECONDS_OF_A_MINUTE else duration(seconds)


def _facts(entry: Mapping[str, Json]) -> str:
    facts = [entry["id"], entry["action"], f"{entry['seq']} events"]
    if entry["attempt"] > 1:
        facts.append(f"attempt {entry['attempt']}")
    if entry["labels"]:
        facts.append(f"labels {', '.join(entry['labels'])}")
    if entry["parent"] is not None:
        facts.append(f"of {entry['parent']}")
    return "  ".join(facts)


def _state(entry: Mapping[str, Json]) -> Iterator[str]:
    if (progress := progress_in(entry.get("progress"))) is not None:
        yield _plain(str(progress))
    if place := described(entry.get("waiting")):
        yield _plain(place)
    for question in entry.get("questions", ()):
        yield _plain(f"Question {question['id']}: {question.get('prompt', '')} (a: answer)")


def _plain(text: str) -> str:
    return " ".join(clean(text).split())


def _wrapped(line: str, columns: int) -> Iterator[str]:
    """Yield a line in pieces that are not wider than the terminal."""
    text = Text(clean(line).replace("\t", " "))
    while text.cell_len > columns:
        head = text.copy()
        head.truncate(columns)
        whole = head.plain
        space = whole.rfind(" ", columns // 2)
        place = len(whole) if space < 0 or text.plain[len(whole)] == " " else space
        yield whole[:place]
        text = Text(text.plain[place or 1 :].lstrip(" "))
    yield text.plain


def _cut(text: str, columns: int, is_ascii: bool) -> str:  # noqa: FBT001 - passed on
    """Return a text that is not wider; what is cut off is told by an ellipsis."""
    cut = Text(_plain(text) if "\n" in text or not text.isprintable() else text)
    if cut.cell_len <= columns:
        return cut.plain
    if is_ascii:
        return cut.plain[: max(0, columns - 1)] + "~"
    cut.truncate(max(0, columns), overflow="ellipsis")
    return cut.plain


def _filled(lines: Sequence[Text], columns: int, height: int) -> list[Text]:
    """Return exactly as many lines as the terminal has, none wider than it."""
    for line in lines:
        if line.cell_len > columns:
            line.truncate(columns)
    return [*lines[:height], *[Text("")] * (height - len(lines))]
