"""Several runs at a time: one line each, which moves until the run ends and becomes its outcome."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final, Protocol

from pydantic_core import to_json
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from yieldwire.cli.outcome import Outcome, lines_of
from yieldwire.cli.output import note
from yieldwire.cli.question import command_for, described
from yieldwire.cli.top.lines import LONGEST, LogLines
from yieldwire.cli.top.view import bar
from yieldwire.client import AsyncClient
from yieldwire.display.progress import ShownProgress, clean, progress_in
from yieldwire.errors import ErrorObject, Json, YieldwireError
from yieldwire.log.cursor import Cursor
from yieldwire.log.events import Event, EventType
from yieldwire.log.run import TERMINAL, Status, advance
from yieldwire.log.waiting import described as described_waiting

DRAW_EVERY: Final = 0.2
"""Seconds between two drawings."""
_BAR: Final = 10
_ACTION: Final = 16
_GRAVITY: Final = (Outcome.FAILED, Outcome.UNREACHABLE, Outcome.REFUSED, Outcome.CANCELLED)
"""Outcomes of single runs, the one first that is the outcome of all."""


class TailedRun:
    """One of several runs: what it has said last, and how it ended."""

    def __init__(self, run_id: str) -> None:
        self.id: Final = run_id
        self.action: str = ""
        self.progress: ShownProgress | None = None
        self.outcome: Outcome | None = None
        self.end: str = ""
        """How it ended, in words."""
        self._lines, self._place = LogLines(), ""
        self._asked = dict[str, str]()

    def begin(self, snapshot: Mapping[str, Json]) -> None:
        """Take the run's state at the moment from which its events are followed."""
        self.action = snapshot["action"]
        self.progress = progress_in(snapshot["progress"])
        self._place = described_waiting(snapshot["waiting"])
        if text := snapshot.get("text"):
            self._lines.take(Event(snapshot["seq"], EventType.CHUNK, to_json(text[-LONGEST:])))
        for question in snapshot["questions"]:
            self._asked[question["id"]] = next(iter(described(question)))
        if snapshot["status"] in TERMINAL:
            self._finish(snapshot["status"], snapshot["result"], snapshot["error"])

    def take(self, event: Event) -> None:
        """Take an event."""
        value, self._place = event.value, ""
        if event.type is EventType.CHUNK:
            self.progress = progress_in(value) or self.progress
            self._lines.take(event)
        elif event.type is EventType.QUESTION:
            self._asked[value["id"]] = next(iter(described(value)))
        elif event.type is EventType.ANSWER:
            self._asked.pop(value["id"], None)
        elif event.is_terminal:
            error = None if event.type is EventType.DONE else value
            result = value.get("result") if event.type is EventType.DONE else None
            self._finish(advance(Status.RUNNING, event.type), result, error)

    def refuse(self, error: YieldwireError) -> None:
        """Take the reason why the run cannot be followed."""
        self.outcome = Outcome.of_error(error)
        self.end = lines_of(error.error_object())[0]

    def state(self) -> str:
        """Return what the run does, or waits for."""
        if self._asked:
            return " ".join(next(iter(self._asked.values())).split())
        if self.progress is not None and self.progress.message:
            return self.progress.message
        newest = [line for line in self._lines.newest() if line.strip()]
        return newest[-1] if newest else self._place

    def _finish(self, status: str, result: Json, error: Mapping[str, Json] | None) -> None:
        self.outcome, self.end = Outcome.of_status(status), status
        if error is not None and status == Status.FAILED:
            self.end = f"{status}, {lines_of(ErrorObject.from_dict(error))[0]}"
        elif result is not None:
            said = result if isinstance(result, str) else to_json(result).decode()
            self.end = f"{status}, {' '.join(said.split())}"


class SeveralDisplay(Protocol):
    """Shows several runs."""

    def changed(self, run: TailedRun, event: Event | None) -> None:
        """Show that a run has changed, by an event or without one."""
        ...

    def note(self, text: str) -> None:
        """Write a line to stderr."""
        ...


class JsonOfSeveral:
    """A line of JSON for each event, with its run."""

    def changed(self, run: TailedRun, event: Event | None) -> None:
        """Write the event, or why there is none."""
        if event is not None:
            head = b'{"run":%b,"seq":%d,"type":"%b"' % (
                to_json(run.id),
                event.seq,
                event.type.encode(),
            )
            sys.stdout.write(f'{head.decode()},"data":{event.data.decode()}}}\n')
            sys.stdout.flush()
        elif run.outcome is not None:
            self.note(f"{run.id}  {run.end}")

    def note(self, text: str) -> None:
        """Write it."""
        note(text)


class LinesOfSeveral:
    """A line for each whole percent, for each question, and for the outcome, without a terminal."""

    def __init__(self) -> None:
        self._shown = dict[str, object]()

    def changed(self, run: TailedRun, event: Event | None) -> None:
        """Write what is new."""
        if run.outcome is not None:
            sys.stdout.write(f"{clean(_head(run))}  {clean(run.end)}\n")
            sys.stdout.flush()
            return
        progress = run.progress
        if progress is not None:
            percent, message = progress.percent, progress.message
            mark = message or progress.current if percent is None else int(percent)
            if self._shown.get(run.id) != mark:
                self._shown[run.id] = mark
                self.note(f"{_head(run)}  {progress}")

    def note(self, text: str) -> None:
        """Write it."""
        note(text)


class BarsOfSeveral:
    """A line with a bar for each run that has not ended; of the others the outcomes, above them."""

    def __init__(self, console: Console, runs: Sequence[TailedRun]) -> None:
        self._console, self._runs = console, runs
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._is_ascii = console.options.ascii_only
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def moving(self) -> AsyncGenerator[None, None]:
        """Draw the bars."""
        self._live.start()
        async with asyncio.TaskGroup() as tasks:
            drawing = tasks.create_task(self._draw_often())
            try:
                yield
            finally:
                drawing.cancel()
                self._live.stop()

    def changed(self, run: TailedRun, event: Event | None) -> None:
        """Print the outcome, if the run has one, and draw the others soon."""
        if run.outcome is not None:
            line = f"{_head(run)}  {run.end}"
            if sys.stdout.isatty():
                self.note(line)
            else:
                sys.stdout.write(clean(line) + "\n")
                sys.stdout.flush()
        self._changed.set()

    def note(self, text: str) -> None:
        """Write it above the bars, as one line, so that a command in it can be copied."""
        self._console.print(Text(clean(text)), soft_wrap=True)

    async def _draw_often(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            columns = self._console.width
            active = [run for run in self._runs if run.outcome is None]
            lines = [Text(self._line(run, columns), no_wrap=True) for run in active]
            self._live.update(Group(*lines), refresh=True)
            await asyncio.sleep(DRAW_EVERY)

    def _line(self, run: TailedRun, columns: int) -> str:
        progress, share = run.progress, ""
        if progress is not None and progress.percent is not None:
            percent = max(0.0, min(progress.percent, 100.0))
            share = f"{bar(percent, _BAR, is_ascii=self._is_ascii)}{int(percent):>4}%"
        elif progress is not None:
            share = f"{progress.current:g}"
        text = f"{_head(run)}  {share:<{_BAR + 5}}  {' '.join(clean(run.state()).split())}"
        return text if cell_len(text) < columns else set_cell_size(text, columns - 1)


def _head(run: TailedRun) -> str:
    return f"{run.id}  {set_cell_size(run.action, _ACTION)}"


async def tail_several(
    client: AsyncClient, url: str, ids: Sequence[str], *, as_json: bool
) -> Outcome:
    """Follow several runs to their ends, and return the outcome of all of them."""
    runs = [TailedRun(run_id) for run_id in ids]
    console = Console(stderr=True, highlight=False)
    if as_json:
        await _follow_all(client, url, runs, JsonOfSeveral(), is_told=False)
    elif sys.stderr.isatty() and not console.is_dumb_terminal:
        bars = BarsOfSeveral(console, runs)
        async with bars.moving():
            await _follow_all(client, url, runs, bars)
    else:
        await _follow_all(client, url, runs, LinesOfSeveral())
    outcomes = {run.outcome for run in runs}
    return next((each for each in _GRAVITY if each in outcomes), Outcome.COMPLETED)


async def _follow_all(
    client: AsyncClient,
    url: str,
    runs: Sequence[TailedRun],
    display: SeveralDisplay,
    *,
    is_told: bool = True,
) -> None:
    async with asyncio.TaskGroup() as tasks:
        for run in runs:
            tasks.create_task(_follow(client, run, display, url if is_told else None))


async def _follow(
    client: AsyncClient, run: TailedRun, display: SeveralDisplay, url: str | None
) -> None:
    cursor: str | None = None
    try:
        if url is not None:  # what a person no longer sees is not read
            snapshot = await client.snapshot(run.id)
            run.begin(snapshot)
            display.changed(run, None)
            if run.outcome is not None:
                return
            for question in snapshot["questions"]:
                _tell(run, question, url, display)
            cursor = str(Cursor(run.id, snapshot["seq"]))
        async with client.attach(run.id, cursor) as attached:
            async for event in attached.events():
                run.take(event)
                if event.type is EventType.QUESTION and url is not None:
                    _tell(run, event.value, url, display)
                display.changed(run, event)
    except YieldwireError as exc:
        run.refuse(exc)
        display.changed(run, None)


def _tell(run: TailedRun, question: Mapping[str, Json], url: str, display: SeveralDisplay) -> None:
    display.note(f"{_head(run)}  {next(iter(described(question)))}")
    display.note(f"  {command_for(question, url, run.id)}")
