"""A moving bar in a terminal, by Rich."""

import sys
from collections.abc import Iterator
from typing import Final

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.progress import (
    BarColumn,
    ProgressColumn,
    SpinnerColumn,
    TaskID,
    TaskProgressColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as RichProgress
from rich.status import Status as RichStatus
from rich.text import Text

from yieldwire.display.progress import ShownProgress, clean

ROOM_FOR_TIMES: Final = 40
"""The columns of a terminal that is wide enough for a bar and its times."""
ROOM_FOR_ECHO: Final = 3
"""The columns right of a message: a terminal shows ^C there, and must not wrap the line for it."""


def is_live(console: Console) -> bool:
    """Return whether stderr is a terminal in which a bar can move."""
    # Not `console.is_terminal`, which FORCE_COLOR makes true in a log file.
    return sys.stderr.isatty() and not console.is_dumb_terminal


class LiveBar:
    """A moving bar."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: _BarAndMessage | None = None
        self._task = TaskID(0)
        self._status: RichStatus | None = None

    def wait(self, text: str) -> None:
        """Show what is waited for, as a line that moves; empty: nothing is."""
        if self._status is not None and not text:
            self._status.stop()
            self._status = None
        elif self._status is not None:
            self._status.update(clean(text))
        elif text:
            self._status = self._console.status(clean(text))
            self._status.start()

    def show(self, progress: ShownProgress) -> None:
        """Show a progress instead of the last one."""
        if self._progress is None:
            self._progress = _BarAndMessage(*_columns(self._console), console=self._console)
            self._task = self._progress.add_task("", total=None)
            self._progress.start()
        self._progress.update(
            self._task,
            completed=progress.current,
            total=progress.total,
            description=clean(progress.message),
        )

    def hide(self) -> None:
        """Remove the bar, and its line."""
        if self._progress is not None:
            self._progress.live.transient = True
            self.close()

    def close(self) -> None:
        """Leave the bar as it is, and restore the terminal."""
        self.wait("")
        if self._progress is not None:
            self._progress.stop()
            self._progress = None


class _BarAndMessage(RichProgress):
    """A bar, and its message on the line below: neither takes the other's columns."""

    def get_renderables(self) -> Iterator[RenderableType]:
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            message = Text(task.description, no_wrap=True, overflow="ellipsis")
            yield Padding(message, (0, ROOM_FOR_ECHO, 0, 2), expand=False)


def _columns(console: Console) -> Iterator[ProgressColumn]:
    yield SpinnerColumn()
    yield BarColumn()
    yield TaskProgressColumn(show_speed=True)
    if console.width >= ROOM_FOR_TIMES:
        yield TimeElapsedColumn()
        yield TimeRemainingColumn()
