"""Shows a run until it has ended, where Python runs: in a notebook's cell, or in a terminal."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from contextvars import Context
from functools import partial
from html import escape
from typing import Final, Protocol

from yieldwire.display.notebook import CellOutput, html_of_run, notebook
from yieldwire.display.progress import ShownProgress, progress_in
from yieldwire.errors import Json, YieldwireError
from yieldwire.log.events import Event
from yieldwire.log.run import TERMINAL, Status
from yieldwire.log.waiting import described
from yieldwire.tasks import Tasks

EVERY: Final = 0.25
"""Seconds between two updates of what is shown."""
SHOWN_TEXT: Final = 10_000
"""The maximum length of the text in a cell; the newest is shown."""

_CELLS: Final = Tasks()
"""The tasks that update outputs of cells. Nobody waits for them: they end with their runs."""


class DisplayedRun(Protocol):
    """A run that can be shown."""

    @property
    def id(self) -> str:
        """The run's id."""
        ...

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield its events, as they come, up to the terminal one."""
        ...

    async def snapshot(self) -> dict[str, Json]:
        """Return its state in one object."""
        ...


class Bar(Protocol):
    """Shows progress in one place."""

    def show(self, progress: ShownProgress) -> None:
        """Show a progress instead of the last one."""
        ...

    def wait(self, text: str) -> None:
        """Show what is waited for; empty: nothing is."""
        ...

    def close(self) -> None:
        """Leave what is shown."""
        ...


def bar_here() -> Bar | None:
    """Return a new bar where people see it; ``None`` if this runs in the background.

    In a notebook it is in the output of the cell, and in a terminal, if Rich is installed, below
    what is written there.
    """
    if (shell := notebook()) is not None:
        return CellOutput(shell)
    if not sys.stderr.isatty():
        return None
    try:
        from rich.console import Console  # noqa: PLC0415 - optional

        from yieldwire.display.terminal import LiveBar, is_live  # noqa: PLC0415 - needs Rich
    except ImportError:
        return None
    console = Console(stderr=True, highlight=False)
    return LiveBar(console) if is_live(console) else None


async def show_until_end(run: DisplayedRun) -> None:
    """Show a run where people see it, until it has ended.

    Raises:
        YieldwireError: If the run cannot be read further.
    """
    bar = bar_here()
    if bar is None:
        return
    show = partial(_in_cell, bar) if isinstance(bar, CellOutput) else partial(_in_terminal, bar)
    try:
        await _follow(run, show)
    finally:
        bar.close()


def show_in_cell(run: DisplayedRun) -> None:
    """Show a run in the output of the cell that is running, and update it until the run has ended.

    This does not wait for it.

    Raises:
        NotImplementedError: If this is not a notebook. IPython then shows the ``repr``.
    """
    if (shell := notebook()) is None:
        raise NotImplementedError
    output = CellOutput(shell)
    output.wait(f"Run {run.id}")
    # An update belongs to the cell that runs at its time: who runs a notebook as a script only
    # sees those. IPython keeps the cell in the context, so the task has a new one.
    Context().run(_CELLS.own, _update(run, output))


async def _update(run: DisplayedRun, output: CellOutput) -> None:
    try:
        await _follow(run, partial(_in_cell, output))
    except YieldwireError as exc:
        output.replace(f"<div>{escape(text := _lost(run, exc))}</div>", text)


def _lost(run: DisplayedRun, error: YieldwireError) -> str:
    return f"Run {run.id} is no longer followed here: {error}"


async def _follow(run: DisplayedRun, show: Callable[[dict[str, Json]], None]) -> None:
    """Show the run's state after each change, until it has ended."""
    snapshot = await _begun(run, show)
    async with aclosing(run.events()) as events:
        # Events only tell that there is news: the snapshot knows what of it counts.
        async for event in events:
            if event.seq > snapshot["seq"]:
                snapshot = await _begun(run, show)
                if snapshot["status"] in TERMINAL:
                    return
                await asyncio.sleep(EVERY)


async def _begun(run: DisplayedRun, show: Callable[[dict[str, Json]], None]) -> dict[str, Json]:
    """Show the run's state, again while it waits for a start, of which no event tells."""
    pause = EVERY / 8  # most runs start at once
    while True:
        snapshot = await run.snapshot()
        show(snapshot)
        if snapshot["status"] != Status.PENDING:
            return snapshot
        await asyncio.sleep(pause)
        pause = min(2 * pause, snapshot["retryAfterMs"] / 1000)


def _in_cell(output: CellOutput, snapshot: dict[str, Json]) -> None:
    name, status, progress = (
        snapshot["action"],
        snapshot["status"],
        progress_in(snapshot["progress"]),
    )
    text = (snapshot.get("text") or "")[-SHOWN_TEXT:]
    lines = _lines(snapshot)
    told = [f"{name} {status}", *([] if progress is None else [str(progress)]), *lines, text]
    html = html_of_run(name, status, progress, lines, text)
    output.replace(html, "\n".join(filter(None, told)))


def _in_terminal(bar: Bar, snapshot: dict[str, Json]) -> None:
    progress = progress_in(snapshot["progress"])
    if progress is not None:
        bar.show(progress)
    is_over = snapshot["status"] in TERMINAL
    told = [f"{snapshot['action']} {snapshot['status']}"] if progress is None else []
    bar.wait("" if is_over else ". ".join([*told, *_lines(snapshot)]))


def _lines(snapshot: Mapping[str, Json]) -> list[str]:
    """Return what there is to say of a run, in addition to its status and its progress."""
    waits = described(snapshot["waiting"])
    asks = [f"Question {one['id']}: {one['prompt']}" for one in snapshot["questions"]]
    error = snapshot["error"]
    fails = [] if error is None else [f"{error['code']}: {error['message']}"]
    return [*([waits] if waits else []), *asks, *fails]
