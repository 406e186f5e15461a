"""A web process and a fleet of workers, of which some are killed while they execute runs."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.support.engines import engine_for
from tests.support.notes import LEASE, SWEEP, notes_in
from tests.support.server import ROOT
from tests.support.warm import Forked, Program, warm
from yieldwire import Timing
from yieldwire.app import App
from yieldwire.log.run import Status
from yieldwire.runs.access import Caller
from yieldwire.runs.start import StartRequest
from yieldwire.stores import Query

SOON: Final = 60.0
"""Seconds within which what must happen has happened, on the slowest machine."""
CHUNKS: Final = 10
CONCURRENCY: Final = 4


@dataclass(kw_only=True)
class Figures:
    """What happened, in numbers."""

    runs: int = 0
    kills: int = 0
    interrupted: int = 0
    """Runs that were not to be repeated, and whose worker was killed."""
    restarted: int = 0
    """Attempts after the first one."""


@dataclass(kw_only=True)
class Fleet:
    """Workers of ``tests.support.queued``, each a process started from the command line."""

    folder: Path
    store: str
    engine: str = ""
    workers: list[Forked] = field(default_factory=list)

    @property
    def notes(self) -> Path:
        """What the actions noted."""
        return self.folder / "notes"

    def env(self) -> dict[str, str]:
        """Return the environment of a process of the application."""
        mine = {"STORE": self.store, "ENGINE": self.engine, "NOTES_FILE": str(self.notes)}
        return {**os.environ, **mine}

    def start(self) -> None:
        """Start one more worker."""
        words = ["worker", "tests/support/queued.py", "--concurrency", str(CONCURRENCY)]
        program = Program(module="yieldwire.cli", arguments=words, cwd=str(ROOT), env=self.env())
        with (self.folder / "workers.log").open("ab") as log:
            self.workers.append(warm().start(program, log.fileno(), log.fileno()))

    def kill(self, worker: Forked) -> None:
        """Kill a worker, so that it can do nothing more."""
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        self.workers.remove(worker)

    def close(self) -> None:
        """End all workers."""
        for worker in [*self.workers]:
            worker.send_signal(signal.SIGTERM)
        for worker in [*self.workers]:
            try:
                worker.wait(SOON)
            finally:
                self.kill(worker)


async def drain(fleet: Fleet, *, runs: int, workers: int, kills: int, seed: int) -> Figures:
    """Let a fleet execute ``runs`` while it grows to ``workers``, and check what became of them.

    Half of the runs are never repeated: each of them was started exactly once.
    """
    random = Random(seed)  # noqa: S311 - repeatable
    fleet.notes.touch()
    async with AsyncExitStack() as stack:
        web = await stack.enter_async_context(_web_process(fleet))
        ids: dict[str, list[str]] = {name: [] for name in NAMES}
        for _ in range(runs // 2):
            for name in NAMES:
                ids[name].append(await _start(web, name))
        stack.callback(fleet.close)
        fleet.start()
        await _until_started(fleet, 1)
        for _ in range(workers - 1):
            fleet.start()
        for _ in range(kills):
            await _until_started(fleet, len(notes_in(fleet.notes)) + 2 * CONCURRENCY)
            fleet.kill(random.choice(fleet.workers))
            fleet.start()
        await _until_all_ended(web, runs)
        found = await web.store.find(Query(everyone=True, limit=runs))
        statuses = {run.id: run.status for run in found}
    return _checked(fleet, ids, statuses, kills)


NAMES: Final = ("once", "again")


@asynccontextmanager
async def _web_process(fleet: Fleet) -> AsyncGenerator[App, None]:
    # This process: it starts runs and sweeps, and executes none of them.
    app = App(
        store=fleet.store,
        executor=engine_for(fleet.engine, fleet.store),
        timing=Timing(lease=LEASE, sweep_every=SWEEP),
        max_runs=None,
    )
    for name in NAMES:
        app.action(queue=name, linger=None, retries=1000 if name == "again" else 0)(_stub(name))
    await app.open()
    try:
        yield app
    finally:
        await app.close()


def _stub(name: str) -> Callable[[int], Coroutine[Any, Any, int]]:
    async def stub(n: int) -> int:
        raise AssertionError("the web process has executed a run of a queue")

    stub.__name__ = name
    return stub


async def _start(app: App, name: str) -> str:
    action = app.registry.action_named(name)
    request = StartRequest(action=action, caller=Caller(), data={"n": CHUNKS}, detached=True)
    return (await app.begin(request)).id


async def _until_started(fleet: Fleet, count: int) -> None:
    async with asyncio.timeout(SOON):
        while len(notes_in(fleet.notes)) < count:  # noqa: ASYNC110 - another process's file
            await asyncio.sleep(0.01)


async def _until_all_ended(app: App, runs: int) -> None:
    async with asyncio.timeout(SOON + runs / 10):
        while True:
            # All in one question: a run that restarts between two would be in neither's answer.
            found = await app.store.find(Query(everyone=True, limit=runs))
            if all(run.status.is_terminal for run in found):
                return
            await asyncio.sleep(0.05)


def _checked(
    fleet: Fleet, ids: dict[str, list[str]], statuses: dict[str, Status], kills: int
) -> Figures:
    started = Counter(run_id for what, run_id, _ in notes_in(fleet.notes) if what == "started")
    attempts = [(id_, number) for what, id_, number in notes_in(fleet.notes) if what == "started"]
    assert len(attempts) == len({*attempts})  # no attempt was executed twice
    assert all(started[run_id] <= 1 for run_id in ids["once"])
    assert all(statuses[run_id] is Status.COMPLETED for run_id in ids["again"])
    failed = [run_id for run_id in ids["once"] if statuses[run_id] is Status.FAILED]
    whole = [each for each in ids["once"] if each not in failed]
    assert all(statuses[each] is Status.COMPLETED and started[each] == 1 for each in whole)
    assert len(failed) <= kills * CONCURRENCY
    return Figures(
        runs=len(statuses),
        kills=kills,
        interrupted=len(failed),
        restarted=sum(started[run_id] - 1 for run_id in ids["again"]),
    )
