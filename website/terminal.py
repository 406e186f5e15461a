"""A terminal as an animated picture: what tmux shows, moment by moment, as one SVG.

The picture needs no script and no font of its own, and is still for readers who prefer that.
"""

import os
import re
import subprocess
import time
from html import escape
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

COLUMNS, ROWS = 80, 14
CELL, LINE = 8.4, 19  # pixels
EVERY: Final = 0.05
"""Seconds between two looks at the terminal."""
ESCAPES: Final = re.compile(r"\x1b\[[\d;]*m")
PAUSE: Final = 3.0
"""Seconds for which the last moment is shown before everything starts again."""

FILM: Final = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" \
height="{height}" font-family="ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace" \
font-size="14" fill="#d7dbe0" xml:space="preserve">
<style>
#film {{ animation: {seconds:.2f}s step-end infinite film }}
@keyframes film {{ {steps} }}
@media (prefers-reduced-motion: reduce) {{
  #film {{ animation: none; transform: translate({end}px) }}
}}
</style>
<rect width="100%" height="100%" rx="8" fill="#14171c"/>
<defs>
{lines}
</defs>
<g id="film">
{frames}
</g>
</svg>
"""


class Terminal:
    """A shell in a terminal, and everything that it has shown."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._server = f"film-{os.getpid()}"
        self._env = {**os.environ, **env, "PS1": "$ ", "COLORTERM": "truecolor"}
        size = ["-x", str(COLUMNS), "-y", str(ROWS), "-c", str(folder)]
        self._tmux("new-session", "-d", *size, "bash", "--norc")
        self._started = time.monotonic()
        self.moments: list[tuple[float, tuple[str, ...]]] = []

    def _tmux(self, *arguments: str) -> str:
        command = ["tmux", "-u", "-f", os.devnull, "-L", self._server, *arguments]
        return subprocess.run(  # noqa: S603 - tmux
            command, check=True, env=self._env, capture_output=True, text=True
        ).stdout

    def watch(self, seconds: float, until: str | None = None) -> None:
        """Look at the terminal for some time, or until it shows a text."""
        shown, end = "", time.monotonic() + seconds
        while time.monotonic() < end:
            shown = self._tmux("capture-pane", "-p", "-e")
            lines = tuple(shown.rstrip("\n").split("\n"))
            if not self.moments or self.moments[-1][1] != lines:
                self.moments.append((time.monotonic() - self._started, lines))
            if until is not None and until in ESCAPES.sub("", shown):
                return
            time.sleep(EVERY)
        if until is not None:
            raise TimeoutError(f"{until!r} was not shown in {seconds} seconds: {shown}")

    def type(self, text: str) -> None:
        """Type a line at the speed of a person."""
        for character in text:
            self._tmux("send-keys", "-l", character)
            self.watch(EVERY)
        self.watch(0.4)
        self._tmux("send-keys", "Enter")

    def close(self) -> None:
        """End the terminal with what runs in it."""
        self._tmux("kill-server")

    def picture(self) -> str:
        """Return everything that was shown as one animated SVG."""
        width, height = round(COLUMNS * CELL + 2 * LINE), ROWS * LINE + LINE
        first, last = self.moments[0][0], self.moments[-1][0]
        seconds = last - first + PAUSE
        lines: dict[str, str] = {}
        frames, steps = [], []
        for n, (moment, shown) in enumerate(self.moments):
            steps.append(
                f"{(moment - first) / seconds:.2%} {{ transform: translate({-n * width}px) }}"
            )
            used = [(row, line) for row, line in enumerate(shown) if line.strip()]
            for _, line in used:
                lines.setdefault(line, f"l{len(lines)}")
            uses = [f'<use href="#{lines[line]}" y="{(row + 1) * LINE}"/>' for row, line in used]
            frames.append(f'<g transform="translate({n * width + LINE})">{"".join(uses)}</g>')
        drawn = [f'<text id="{name}">{_drawn(line)}</text>' for line, name in lines.items()]
        return FILM.format(
            width=width,
            height=height,
            seconds=seconds,
            steps=" ".join(steps),
            end=-(len(frames) - 1) * width,
            lines="\n".join(drawn),
            frames="\n".join(frames),
        )


def _drawn(line: str) -> str:
    """Return the spans of a line; each has its place, so that any font gives the same columns."""
    spans, column = [], 0
    for segment in Text.from_ansi(line.rstrip()).render(Console(width=COLUMNS)):
        text = segment.text.rstrip("\n")
        if text.strip():
            length = f'x="{column * CELL:.1f}" textLength="{len(text) * CELL:.1f}"'
            spans.append(f"<tspan {length}{_look(segment.style)}>{escape(text)}</tspan>")
        column += len(text)
    return "".join(spans)


def _look(style: Style | None) -> str:
    if style is None:
        return ""
    look = ' font-weight="bold"' if style.bold else ""
    look += ' opacity="0.6"' if style.dim else ""
    if style.color is not None and not style.color.is_default:
        look += f' fill="{style.color.get_truecolor(SVG_EXPORT_THEME).hex}"'
    return look
