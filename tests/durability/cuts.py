"""Readers whose connections are cut, a given number of times each."""

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from tests.durability.kills import check_values
from tests.durability.readers import Log, Reader, poll, read_events, read_lines, read_through, start
from tests.support.chaos import HEALTHY, ChaosProxy, Cut, Fault
from tests.support.command import CommandServer

EVENTS: Final = 60
AT_A_TIME: Final = 15
HEAD: Final = 900
"""Bytes within which some responses are cut: their head, and a few of the first frames."""


@dataclass(kw_only=True)
class Figures:
    """What happened, in numbers."""

    streams: int = 0
    cuts: int = 0
    events: int = 0


class Cutting:
    """Streams of runs, each of whose connections is cut until there were enough cuts."""

    def __init__(self, folder: Path, seed: int, *, cuts_each: int) -> None:
        self.figures = Figures()
        self._random = Random(seed)  # noqa: S311 - repeatable, and no secret
        self._cuts_each = cuts_each
        env = {"RUNS_STORE": f"sqlite:///{folder}/runs.db", "NOTES_FILE": str(folder / "notes")}
        self.server = CommandServer("tests.support.durable:actions", folder / "log", env)

    def _fault(self, connection: int, *, has_frames: bool) -> Fault:
        if connection >= self._cuts_each:
            return HEALTHY
        self.figures.cuts += 1
        random = self._random
        if not has_frames or random.random() < 0.5:
            return Fault(cut_after=random.randrange(HEAD), cut=random.choice(list(Cut)))
        return Fault(cut_in_frame=random.randint(1, 4), cut=random.choice(list(Cut)))

    async def run(self, streams: int, tell: Callable[[Figures], None] = lambda _: None) -> None:
        """Read that many streams, a few at a time."""
        slots = asyncio.Semaphore(AT_A_TIME)

        async def one(number: int) -> None:
            async with slots:
                await self._stream(number)
            tell(self.figures)

        with self.server:
            await self.server.wait_until_listening()
            async with asyncio.TaskGroup() as group:
                for number in range(streams):
                    group.create_task(one(number))

    async def _stream(self, number: int) -> None:
        """Read one run over lines that are cut, and compare with what a line that holds gives."""
        key = secrets.token_hex(16)
        run_id = await start(self.server.port, "count", {"n": EVENTS, "pause": 0.005}, key)
        way = (read_events, read_lines)[number % 2]
        script = partial(self._fault, has_frames=way is read_events)
        async with ChaosProxy(self.server.port, script) as proxy:
            log = await read_through(Reader(proxy.port, run_id), way)
        self._check(log, await read_through(Reader(self.server.port, run_id), poll))

    def _check(self, log: Log, whole: Log) -> None:
        assert log == whole, "a reader whose lines were cut has read something else"
        assert len(log) == EVENTS + 1
        check_values(log)
        self.figures.streams += 1
        self.figures.events += len(log)
