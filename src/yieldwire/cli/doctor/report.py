"""Shows findings: a line for each, with what to change below it, or JSON."""

import shutil
import sys
import textwrap
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from yieldwire.cli.display import Terminal, show_marked
from yieldwire.cli.doctor.finding import Finding, Level
from yieldwire.cli.output import show_json
from yieldwire.display.progress import clean

_COLUMNS: Final = 80
_STYLES: Final = {Level.OK: "green", Level.WARNING: "yellow", Level.PROBLEM: "bold red"}
_LEVEL_WIDTH: Final = max(len(level.value) for level in Level) + 2


def show(url: str, findings: Sequence[Finding], *, as_json: bool) -> None:
    """Write the findings to stdout."""
    if as_json:
        show_json({"url": url, "findings": [each.to_dict() for each in findings]})
        return
    columns = min(shutil.get_terminal_size().columns, _COLUMNS)
    names = max(len(each.check) for each in findings) + 2
    for finding in findings:
        level = finding.level
        first, *rest = lines_of(finding, names, columns)
        # Only the level has a colour: the words say the same.
        show_marked(level.value, _STYLES[level], first.removeprefix(level.value))
        for line in rest:
            show_marked("", "", line)
    show_marked("", "", summary(findings))


def lines_of(finding: Finding, names: int, columns: int) -> list[str]:
    """Return a finding in lines of at most ``columns``, with ``names`` for its check's name."""
    first = f"{finding.level.value:<{_LEVEL_WIDTH}}{finding.check:<{names}}"
    indent = " " * len(first)
    width = max(columns, len(first) + 20)
    wrap = partial(
        textwrap.wrap,
        width=width,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    lines = wrap(clean(finding.found), initial_indent=first)
    return lines + wrap(clean(finding.advice), initial_indent=indent)


def summary(findings: Sequence[Finding]) -> str:
    """Return how many problems and warnings there are."""
    counts = [
        (sum(each.level is level for each in findings), level.value)
        for level in (Level.PROBLEM, Level.WARNING)
    ]
    told = [f"{count} {name}{'' if count == 1 else 's'}" for count, name in counts if count]
    return " and ".join(told) + "." if told else "Nothing to change."


@contextmanager
def progress() -> Generator[Callable[[str], object]]:
    """Return what shows a text on stderr while something is measured, if that is a terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    terminal = Terminal()
    try:
        yield terminal.wait
    finally:
        terminal.close()
