"""A server that is killed again and again, and the runs and readers that live through it."""

import asyncio
import secrets
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from tests.durability.readers import WAYS, Log, Reader, read_through, start
from tests.support.chaos import HEALTHY, ChaosProxy, Fault, random_fault
from tests.support.command import CommandServer
from tests.support.notes import LEASE, SWEEP, notes_in

IN_FLIGHT: Final = 6
BEGUN_ONCE: Final = 3
"""How many of them, at least, are not to be repeated."""
SOON: Final = 30.0
"""Seconds within which what must happen has happened, on the slowest machine."""
ENDLESS: Final = 1_000_000
LIMIT: Final = LEASE + SWEEP + SOON
"""Seconds after a kill within which a run that is not repeated has ended."""


@dataclass(kw_only=True)
class Figures:
    """What happened, in numbers."""

    kills: int = 0
    runs: int = 0
    interrupted: int = 0
    restarted: int = 0
    events: int = 0
    connections: int = 0
    slowest_end: float = 0.0
    completed: int = 0

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            kills=self.kills + other.kills,
            runs=self.runs + other.runs,
            interrupted=self.interrupted + other.interrupted,
            restarted=self.restarted + other.restarted,
            events=self.events + other.events,
            connections=self.connections + other.connections,
            slowest_end=max(self.slowest_end, other.slowest_end),
            completed=self.completed + other.completed,
        )


@dataclass(kw_only=True, eq=False)
class Running:
    """One run with its readers."""

    run_id: str
    is_repeated: bool
    readers: list[Reader]
    tasks: list[asyncio.Task[Log]]


class Killing:
    """Kills a server with runs in flight, starts it again, and looks at what became of them."""

    def __init__(self, folder: Path, seed: int, *, breaks: bool, store: str | None = None) -> None:
        self.figures = Figures()
        self._random = Random(seed)  # noqa: S311 - repeatable, and no secret
        self._breaks = breaks
        self._notes = folder / "notes"
        self._notes.touch()
        name = store or f"sqlite:///{folder}/runs.db"
        env = {"RUNS_STORE": name, "NOTES_FILE": str(self._notes)}
        self.server = CommandServer("tests.support.durable:actions", folder / "log", env)
        self._live: list[Running] = []
        self._over: list[Running] = []

    def _fault(self, _: int) -> Fault:
        self.figures.connections += 1
        if not self._breaks or self._random.random() < 0.5:
            return HEALTHY
        return random_fault(self._random, 20_000)

    async def run(self, kills: int, tell: Callable[[Figures], None] = lambda _: None) -> None:
        """Kill that many times, then let what is left come to its end, and check everything."""
        async with AsyncExitStack() as stack:
            stack.enter_context(self.server)
            proxy = await stack.enter_async_context(ChaosProxy(self.server.port, self._fault))
            group = await stack.enter_async_context(asyncio.TaskGroup())
            for _ in range(kills):
                await self._fill(proxy.port, group)
                await asyncio.sleep(self._random.random() * 0.3)
                await self._kill()
                tell(self.figures)
            async with asyncio.timeout(LIMIT):
                await asyncio.gather(*(task for run in self._live for task in run.tasks))
            self._sort()
        self._check()

    async def _fill(self, port: int, group: asyncio.TaskGroup) -> None:
        """Have enough runs in flight, each of which somebody has read something of."""
        self._sort()
        async with asyncio.timeout(SOON + LIMIT):
            while len(self._live) < IN_FLIGHT:
                await self._start(port, group, is_repeated=self._random.random() < 0.5)
            while sum(not run.is_repeated for run in self._live) < BEGUN_ONCE:
                await self._start(port, group, is_repeated=False)
            for run in self._live:
                if not run.is_repeated:
                    await run.readers[0].has_news.wait()

    async def _start(self, port: int, group: asyncio.TaskGroup, *, is_repeated: bool) -> None:
        name, n = ("count_again", 60) if is_repeated else ("count", ENDLESS)
        run_id = await start(port, name, {"n": n}, secrets.token_hex(16))
        readers = [Reader(port, run_id) for _ in WAYS]
        tasks = [
            group.create_task(read_through(reader, way))
            for reader, way in zip(readers, WAYS, strict=True)
        ]
        run = Running(run_id=run_id, is_repeated=is_repeated, readers=readers, tasks=tasks)
        self._live.append(run)

    def _sort(self) -> None:
        over = [run for run in self._live if all(task.done() for task in run.tasks)]
        self._over += over
        self._live = [run for run in self._live if run not in over]

    async def _kill(self) -> None:
        """Kill the server, start it again, and wait for the end of what was begun only once."""
        interrupted = [run for run in self._live if not run.is_repeated]
        self.server.kill()
        self.server.start()
        await self.server.wait_until_listening()
        loop = asyncio.get_running_loop()
        started = loop.time()
        async with asyncio.timeout(LIMIT):
            await asyncio.gather(*(task for run in interrupted for task in run.tasks))
        self.figures.slowest_end = max(self.figures.slowest_end, loop.time() - started)
        self.figures.kills += 1

    # What must hold.

    def _check(self) -> None:
        started = Counter[str]()
        attempts: dict[str, list[int]] = {}
        for what, run_id, attempt in notes_in(self._notes):
            if what == "started":
                started[run_id] += 1
                attempts.setdefault(run_id, []).append(attempt)
        assert {*started} <= {run.run_id for run in self._over}, "a run that nobody started"
        for run in self._over:
            log = run.readers[0].log
            assert all(reader.log == log for reader in run.readers), "readers differ"
            restarts = [data["attempt"] for _, kind, data in log if kind == "restarted"]
            _, kind, data = log[-1]
            outcome = kind if kind == "done" else data["code"]
            begun = attempts.get(run.run_id, [])
            if run.is_repeated:
                assert outcome == "done", outcome
                assert restarts == [*range(2, len(restarts) + 2)], restarts
                assert begun == sorted(set(begun)), "an attempt was begun twice"
                assert set(begun) <= {1, *restarts}, "an attempt that the log has not"
                check_values(log)
            else:
                assert (outcome, restarts) == ("INTERRUPTED", []), outcome
                assert started[run.run_id] <= 1, "begun more than once"
            self._count(run, outcome, len(restarts))

    def _count(self, run: Running, outcome: str, restarts: int) -> None:
        self.figures.runs += 1
        self.figures.restarted += restarts
        self.figures.interrupted += outcome == "INTERRUPTED"
        self.figures.completed += outcome == "done"
        self.figures.events += sum(len(reader.log) for reader in run.readers)


def check_values(log: Log) -> None:
    """Check that each attempt counted from the beginning, and the last one to the end."""
    expected = 0
    for _, kind, data in log:
        if kind == "restarted":
            expected = 0
        elif kind == "chunk":
            text = data["text"] if isinstance(data, dict) else data
            assert int(text.split()[0]) == expected
            expected += 1
    assert log[-1][2] == {"result": expected}
