"""A live view of a server's runs, from its opening until a person quits.

Theory of operation. The server's list tells what changes, about once a second, with all that a line
shows. Only the log of the selected run is asked for as well, when the list says that it has grown:
its newest events, however many there are in between. So the work does not depend on how much the
runs say. The screen is drawn after a key, and otherwise at most twice a second.
"""

import asyncio
import os
import signal
import time
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict
from typing import Any, Final

from rich.console import Console, Group
from rich.live import Live

from yieldwire.cli.asking import Spawn, answer
from yieldwire.cli.dialog import Away
from yieldwire.cli.output import note
from yieldwire.cli.showing import Interrupt
from yieldwire.cli.target import Address
from yieldwire.cli.top.board import Board, BoardRow
from yieldwire.cli.top.changes import WATCHED, Filters, patient
from yieldwire.cli.top.hand import Hand
from yieldwire.cli.top.keys import TerminalKeys
from yieldwire.cli.top.lines import LogLines
from yieldwire.cli.top.view import View
from yieldwire.client import AsyncClient
from yieldwire.errors import ForeignCursor, Json, NotFound, YieldwireError
from yieldwire.log.cursor import Cursor

DRAW_EVERY: Final = 0.5
"""Seconds between two drawings that no key asks for."""
TICK: Final = 1.0
"""Seconds after which the ages have changed."""
COMPARE_EVERY: Final = 30.0
"""Seconds between two looks at which runs were deleted."""
TAIL: Final = 50
"""How many of the newest events of the selected run are read at first."""
SETTLE: Final = 0.1
"""Seconds for which a run is selected before its log is read: a person passes over some."""


async def watch_screen(address: Address, filters: Filters, interrupt: Interrupt) -> None:
    """Show the runs of a server on the whole terminal, until the person quits.

    Raises:
        YieldwireError: If the server cannot be reached at first, or refuses the list.
    """
    with TerminalKeys() as keys:
        top = Top(address.target, filters, keys)
        async with patient(address, filters, top.lost, top.restored) as (client, listed):
            top.take(listed)
            interrupt.first, interrupt.restore = top.quit, top.leave
            loop = asyncio.get_running_loop()
            loop.add_signal_handler(signal.SIGTERM, top.quit)
            loop.add_signal_handler(signal.SIGWINCH, top.redraw)
            loop.add_signal_handler(signal.SIGTSTP, top.suspend)
            await top.run(client)


class Top:
    """The view, and what its keys do."""

    def __init__(self, place: str, filters: Filters, keys: TerminalKeys) -> None:
        self._keys = keys
        self._console = Console(highlight=False, markup=False, emoji=False)
        self._filters = filters
        self._board, self._lines = Board(), LogLines()
        self._view = View(place, is_ascii=self._console.options.ascii_only)
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stderr=False
        )
        self._changed, self._pressed = asyncio.Event(), asyncio.Event()
        self._compare, self._read = asyncio.Event(), asyncio.Event()
        self._is_over = self._is_away = False
        self._selected: BoardRow | None = None
        self._shown: tuple[str, int] = ("", 0)
        """The run whose log is shown, and its seq at that time."""
        self._hand = Hand(self._board, self._view)

    def take(self, entries: Iterable[Mapping[str, Json]]) -> None:
        """Take the newest entries of runs."""
        for entry in entries:
            self._board.take(entry, time.monotonic())
        self._changed.set()

    def quit(self) -> None:
        """End the view."""
        self._is_over = True
        self.redraw()

    def lost(self, trouble: str, seconds: float) -> None:
        """Say that the server is away, and when it is tried again."""
        self._view.trouble = f"Reconnecting in {seconds:.1f} s: {trouble}"
        if self._is_away:
            note(self._view.trouble)
        self._changed.set()

    def restored(self) -> None:
        """Say no more that the server is away, and compare what is known with what it has."""
        self._view.trouble = ""
        self._compare.set()
        self._changed.set()

    async def run(self, client: AsyncClient) -> None:
        """Show the view until the person quits.

        Raises:
            YieldwireError: If the server refuses the list.
        """
        failures = list[YieldwireError]()

        async def end_if_refused(work: Coroutine[Any, Any, None]) -> None:
            try:
                await work
            except YieldwireError as exc:
                failures.append(exc)
                self.quit()

        works = [self._watch(client), self._reconcile(client), self._follow(client)]
        async with asyncio.TaskGroup() as group:
            tasks = list[asyncio.Task[None]]()

            def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
                tasks.append(task := group.create_task(work))
                return task

            for work in (*map(end_if_refused, works), self._listen(client, spawn), self._tick()):
                spawn(work)
            self._enter()
            try:
                while not self._is_over:
                    self._draw()
                    await self._news()
            finally:
                self.leave()
                for task in tasks:
                    task.cancel()
        if failures:
            raise failures[0]

    # What the server tells.

    async def _watch(self, client: AsyncClient) -> None:
        watch = client.watch(**asdict(self._filters), limit=WATCHED, details=True)
        async with aclosing(watch) as entries:
            async for entry in entries:
                self.take([entry])

    async def _reconcile(self, client: AsyncClient) -> None:
        """Drop runs that were deleted: nobody tells of them."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(COMPARE_EVERY):
                    await self._compare.wait()
            self._compare.clear()
            known = self._board.ids()
            self._board.drop_missing(
                known, await client.list(**asdict(self._filters), limit=WATCHED)
            )
            self._changed.set()

    async def _follow(self, client: AsyncClient) -> None:
        """Read the newest events of the selected run."""
        while True:
            await self._read.wait()
            await asyncio.sleep(SETTLE)
            self._read.clear()
            row = self._selected
            if row is not None:
                try:
                    await self._read_log(client, row)
                except (NotFound, ForeignCursor):  # it is gone, or its log was lost
                    self._shown = row.id, row.entry["seq"]

    async def _read_log(self, client: AsyncClient, row: BoardRow) -> None:
        newest = row.entry["seq"]
        lines = self._lines if self._shown[0] == row.id else LogLines()
        start = max(0, lines.seq, newest - TAIL)
        async for event in client.attach(row.id, str(Cursor(row.id, start))).log():
            lines.take(event)
        self._lines, self._shown = lines, (row.id, newest)
        self._changed.set()

    # The screen.

    def _enter(self) -> None:
        self._keys.grab()
        self._live.start()
        self._is_away = False
        self.redraw()

    def leave(self) -> None:
        """Give the terminal back as it was."""
        self._is_away = True
        self._live.stop()
        self._keys.restore()

    def suspend(self) -> None:
        """Stop the process, as Ctrl-Z does, with the terminal as it was, until it is continued."""
        is_shown = not self._is_away
        self.leave()
        os.kill(os.getpid(), signal.SIGSTOP)
        if is_shown:
            self._enter()

    def _draw(self) -> None:
        if self._is_away:
            return
        now, (columns, height) = time.monotonic(), self._console.size
        self._selected = self._board.selected(self._board.listed())
        if self._selected is not None:
            seen = (self._selected.id, self._selected.entry["seq"])
            if seen != self._shown:
                self._read.set()
            if seen[0] != self._shown[0]:
                self._lines, self._shown = LogLines(), (seen[0], -1)
        times = now, time.time()  # noqa: TID251 - ages are by the clock of the terminal
        lines = self._view.draw(self._board, self._lines, times, (columns, height))
        self._live.update(Group(*lines), refresh=True)

    async def _news(self) -> None:
        """Wait until there is something to draw."""
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAW_EVERY):
                await self._pressed.wait()
        await self._changed.wait()
        self._pressed.clear()
        self._changed.clear()

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK)
            self._changed.set()

    def redraw(self) -> None:
        """Draw the screen at once."""
        self._pressed.set()
        self._changed.set()

    # The keys.

    async def _listen(self, client: AsyncClient, spawn: Spawn) -> None:
        with suppress(Away):  # the terminal is gone
            while True:
                for key in await self._keys.pressed():
                    wish, row = self._hand.press(key), self._hand.chosen
                    if wish == "quit":
                        self.quit()
                    elif wish == "cancel" and row is not None:
                        spawn(self._cancel(client, row))  # the keys work while the server is away
                    elif wish == "answer" and row is not None:
                        await self._answer(client, row)
                self.redraw()
        self.quit()

    async def _cancel(self, client: AsyncClient, row: BoardRow) -> None:
        try:
            await client.cancel(row.id)
            self._view.footer = f"{row.id} was asked to stop."
        except YieldwireError as exc:
            self._view.footer = f"It could not be cancelled: {exc}"
        self.redraw()

    async def _answer(self, client: AsyncClient, row: BoardRow) -> None:
        """Put a run's questions to the person, on the screen below the view."""
        self.leave()
        try:
            if not await answer(client, row.id, self._keys):
                await self._keys.ask("Press Enter to return to the list. ")
        except YieldwireError as exc:
            self._view.footer = f"It could not be answered: {exc}"
        finally:
            self._enter()
