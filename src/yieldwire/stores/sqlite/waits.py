"""Everybody in this process who waits for something in the file."""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from pydantic_core import to_json

from yieldwire.stores.sqlite.lanes import Lanes
from yieldwire.stores.waiters import Heads, Waiters


class Waits:
    """The readers of logs and of inboxes, by run, and the takers of runs, by demand.

    Writes of other processes are watched for while somebody waits. ``is_met`` says whether a
    demand can be met.
    """

    def __init__(
        self,
        lanes: Lanes,
        sql: Mapping[str, str],
        is_met: Callable[[sqlite3.Connection, str], bool],
    ) -> None:
        self._lanes, self._sql, self._is_met = lanes, sql, is_met
        self.logs: Final = Waiters(partial(self._ask_heads, "heads"))
        self.inboxes: Final = Waiters(partial(self._ask_heads, "inbox_heads"))
        self.takers: Final = Waiters(self._ask_demands)
        self._all: Final = (self.logs, self.inboxes, self.takers)

    async def wait(self, waiters: Waiters, key: str, after: int, timeout: float) -> None:
        """Wait until there is something after ``after``, or the timeout."""
        await self._lanes.open_reader()
        # The file is queried once the waiter is there, so no write can fall between.
        with waiters.waiter(key, after, timeout) as waiter:
            self._watch()
            waiters.look([key])
            await waiter
        self._watch()

    def wake(self, run_id: str) -> None:
        """Wake all who wait for something of a run, as it can have ended or be gone."""
        self.logs.wake(run_id)
        self.inboxes.wake(run_id)

    def look_for_all(self) -> None:
        """Look up everything that somebody waits for."""
        for waiters in self._all:
            waiters.look_for_all()

    def forget_all(self) -> None:
        """Drop all waits, as their event loop is gone."""
        for waiters in self._all:
            waiters.forget_all()

    def wake_all(self) -> None:
        """Wake all who wait."""
        for waiters in self._all:
            waiters.wake_all()

    def _watch(self) -> None:
        self._lanes.watch(is_awaited=any(self._all))

    def _ask_heads(self, name: str, run_ids: set[str]) -> "asyncio.Future[Heads]":
        values = {"ids": to_json(run_ids).decode()}
        statement = self._sql[name]
        return self._lanes.ask(lambda connection: dict(connection.execute(statement, values)))

    def _ask_demands(self, demands: set[str]) -> "asyncio.Future[Heads]":
        def work(connection: sqlite3.Connection) -> Heads:
            return {demand: int(self._is_met(connection, demand)) for demand in demands}

        return self._lanes.ask(work)
