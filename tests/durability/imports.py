"""An import whose server is killed again and again, and the clients that follow it."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from pydantic_core import from_json

from tests.durability.node import Followed, follow_in_node
from tests.support.command import CommandServer
from tests.support.kept import kept
from yieldwire import Event
from yieldwire.client import AsyncClient
from yieldwire.client.patience import Patience
from yieldwire.client.run import RemoteRun
from yieldwire.executors.checkpoints import PLACE
from yieldwire.log.events import EventType
from yieldwire.log.run import RunRecord
from yieldwire.stores.sqlite import SQLiteStore

SOON: Final = 120.0
"""Seconds within which what must happen has happened, on the slowest machine."""
PATIENCE: Final = Patience(tries=1000, backoff=0.05, backoff_max=0.2, request=SOON)


@dataclass(kw_only=True)
class Figures:
    """What happened, in numbers."""

    rows: int
    kills: int = 0
    repeated: int = 0
    """Rows that were done more than once: those after the saved place at a kill."""
    attempts: int = 0


class Importing:
    """Kills the server of one import, and checks that nothing before a saved place is repeated."""

    def __init__(self, folder: Path, seed: int, *, rows: int, pause: float) -> None:
        self.figures = Figures(rows=rows)
        self._random = Random(seed)  # noqa: S311 - repeatable, and no secret
        self._pause = pause
        self._file, self._notes = folder / "runs.db", folder / "notes"
        self._notes.touch()
        env = {"RUNS_FILE": str(self._file), "NOTES_FILE": str(self._notes)}
        self.server = CommandServer("tests.support.importing:actions", folder / "log", env)
        self._events: list[Event] = []
        self._restarts = self._done = 0
        """Restarts that the client has seen, and rows since the last one."""
        self._news = asyncio.Event()
        self._places: list[tuple[int, int]] = []
        """At each kill: the saved row, and the seq up to which chunks stay."""

    async def run(self, kills: int, tell: Callable[[Figures], None] = lambda _: None) -> None:
        """Kill that many times, let the import end, and check everything."""
        rows = self.figures.rows
        url = f"http://127.0.0.1:{self.server.port}"
        with self.server:
            await self.server.wait_until_listening()
            async with asyncio.timeout(SOON), AsyncClient(url, patience=PATIENCE) as client:
                run = await client.start("import_rows", {"rows": rows, "pause": self._pause})
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._follow(run))
                    followed = group.create_task(follow_in_node(url, run.id))
                    for _ in range(kills):
                        await self._has_done(rows // (2 * kills + 2))
                        await asyncio.sleep(self._random.random() * 0.1)
                        await self._kill(run.id)
                        tell(self.figures)
                snapshot = await client.snapshot(run.id)
        self._check(snapshot["progress"]["current"], await run.result())
        self._check_followed(followed.result()[run.id])

    async def _follow(self, run: RemoteRun) -> None:
        async for event in run.events():
            self._events.append(event)
            if event.type is EventType.RESTARTED:
                self._restarts, self._done = self._restarts + 1, 0
            else:
                self._done += 1
            self._news.set()

    async def _has_done(self, rows: int) -> None:
        """Return when the client has seen the newest attempt do that many rows."""
        while self._restarts < self.figures.kills or self._done < rows:
            self._news.clear()
            await self._news.wait()

    async def _kill(self, run_id: str) -> None:
        self.server.kill()
        store = SQLiteStore(self._file)
        try:
            record: RunRecord = await store.get(run_id)
            place = (await store.saved(run_id)).get(PLACE)
        finally:
            await store.close()
        saved: int = 0 if place is None else from_json(place)["value"]
        self._places.append((saved, record.saved_seq))
        self.figures.kills += 1
        self.server.start()
        await self.server.wait_until_listening()

    # What must hold.

    def _check(self, progress: int, result: object) -> None:
        rows, lines = self.figures.rows, [line.split() for line in self._lines()]
        assert [attempt for what, attempt in lines if what == "prepared"] == ["1"]
        assert result == "prepared in attempt 1"
        self._check_rows([(int(what[4:]), int(at)) for what, at in lines if what != "prepared"])
        self._check_chunks()
        assert progress == rows

    def _lines(self) -> list[str]:
        return self._notes.read_text("ascii").splitlines()

    def _check_rows(self, done: list[tuple[int, int]]) -> None:
        rows, counts = self.figures.rows, Counter(row for row, _ in done)
        assert set(counts) == set(range(rows)), "a row was left out"
        attempts = sorted({attempt for _, attempt in done})
        starts = [0, *(saved for saved, _ in self._places)]
        assert len(attempts) == len(starts), "a kill without a restart"
        for attempt, start in zip(attempts, starts, strict=True):
            own = [row for row, at in done if at == attempt]
            assert own == [*range(start, start + len(own))], "not from the saved place on"
        self.figures.repeated = sum(count > 1 for count in counts.values())

    def _check_chunks(self) -> None:
        """The progress goes back to the saved place and no further, and ends complete."""
        place = iter(self._places)
        for number, event in enumerate(self._events):
            if event.type is EventType.RESTARTED:
                saved, seq = next(place)
                assert event.value["keep"] == seq, "another place than the saved one"
                chunks = kept(self._events[: number + 1])
                rows = [each.value["current"] for each in chunks]
                assert rows == [*range(1, saved + 1)], "a chunk too many, or too few"
        rows = [each.value["current"] for each in kept(self._events)]
        assert rows == [*range(1, self.figures.rows + 1)]
        self.figures.attempts = sum(event.type is EventType.RESTARTED for event in self._events) + 1

    def _check_followed(self, followed: Followed) -> None:
        """The TypeScript client has the same, and its bar goes back to a saved row at most."""
        log = [(event.seq, event.type.value, event.value) for event in self._events]
        assert followed.events == log, "the TypeScript client has read something else"
        assert followed.chunks == [event.value for event in kept(self._events)]
        starts = [0, *(saved for saved, _ in self._places)]
        past, shown = 0, 0
        for restarts, row in followed.bars:
            least = shown if restarts == past else min(shown, starts[restarts])
            assert row >= least, "the bar went back past the saved row"
            past, shown = restarts, row
        assert shown == self.figures.rows
